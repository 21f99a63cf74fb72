from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone

from etlportal.api import keys
from etlportal.audit.record import command_user
from etlportal.management.base import PortalCommand, UsageError
from etlportal.models import ChiaveApi, Permesso

MAX_DAYS = 3650


class Command(PortalCommand):
    help = "Crea una chiave X-API-KEY e la mostra, una volta sola."
    dry_run = "controlla e non crea"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("nome", help="a chi o a che cosa serve, per esempio «flusso forgia»")
        parser.add_argument(
            "--permessi",
            nargs="+",
            choices=Permesso.values,
            default=[Permesso.FLUSSO.value],
            help="che cosa apre (predefinito: flusso)",
        )
        parser.add_argument("--giorni", type=int, help="scade dopo tanti giorni; senza, mai")

    def handle(self, *args: Any, **options: Any) -> None:
        name, expiry = options["nome"].strip(), _expiry(options["giorni"])
        if not name or len(name) > 100:
            raise UsageError("Il nome deve avere da 1 a 100 caratteri.")
        if name == keys.FIRST_KEY or ChiaveApi.objects.filter(nome=name).exists():
            raise _taken(name)
        answer: dict[str, Any] = {
            "nome": name,
            "permessi": [scope for scope in Permesso.values if scope in options["permessi"]],
            "scade_il": expiry.isoformat() if expiry else "",
            "chiave": "",
        }
        if not options["dry_run"]:
            try:
                answer["chiave"] = keys.create(
                    name, options["permessi"], expiry, command_user()
                ).text
            except IntegrityError as error:
                raise _taken(name) from error
        until = f"scade il {answer['scade_il'][:10]}" if expiry else "non scade"
        if not self.as_json:
            self.stderr.write(f"Chiave «{name}»: {', '.join(answer['permessi'])}; {until}.")
        self.tell(answer, [answer["chiave"]] if answer["chiave"] else [])
        if answer["chiave"] and not self.as_json:
            self.stderr.write("Copiarla ora: non sarà più mostrata.")


def _expiry(days: int | None) -> datetime | None:
    if days is not None and not 0 < days <= MAX_DAYS:
        raise UsageError(f"--giorni deve essere fra 1 e {MAX_DAYS}.")
    return timezone.now() + timedelta(days=days) if days else None


def _taken(name: str) -> CommandError:
    return CommandError(f"Esiste già una chiave di nome «{name}»: usare un altro nome.")
