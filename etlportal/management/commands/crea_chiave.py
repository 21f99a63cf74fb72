from datetime import timedelta
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
        name, days = options["nome"].strip(), options["giorni"]
        if days is not None and not 0 < days <= MAX_DAYS:
            raise UsageError(f"--giorni deve essere fra 1 e {MAX_DAYS}.")
        expiry = timezone.now() + timedelta(days=days) if days else None
        if not name or len(name) > 100:
            raise UsageError("Il nome deve avere da 1 a 100 caratteri.")
        taken = CommandError(f"Esiste già una chiave di nome «{name}»: usare un altro nome.")
        if name == keys.FIRST_KEY or ChiaveApi.objects.filter(nome=name).exists():
            raise taken
        answer: dict[str, Any] = {
            "nome": name,
            "permessi": [scope for scope in Permesso.values if scope in options["permessi"]],
            "scade_il": expiry.isoformat() if expiry else "",
            "chiave": "",
        }
        if not options["dry_run"]:
            try:
                new = keys.create(name, options["permessi"], expiry, command_user())
            except IntegrityError as error:
                raise taken from error
            answer["chiave"] = new.text
        until = f"scade il {answer['scade_il'][:10]}" if expiry else "non scade"
        if not self.as_json:
            self.stderr.write(f"Chiave «{name}»: {', '.join(answer['permessi'])}; {until}.")
        self.tell(answer, [answer["chiave"]] if answer["chiave"] else [])
        if answer["chiave"] and not self.as_json:
            self.stderr.write("Copiarla ora: non sarà più mostrata.")
