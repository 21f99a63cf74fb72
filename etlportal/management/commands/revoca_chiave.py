from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from etlportal.api import keys
from etlportal.audit.record import command_user
from etlportal.management.base import PortalCommand
from etlportal.models import ChiaveApi


class Command(PortalCommand):
    help = "Revoca una chiave X-API-KEY, subito e per sempre."
    dry_run = "dice quale, e non revoca"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("nome", help="nome o identificativo della chiave")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["nome"].strip()
        row = ChiaveApi.objects.filter(Q(nome=named) | Q(identificativo=named)).first()
        if row is None:
            raise CommandError(f"Nessuna chiave si chiama «{named}».")
        now = timezone.now()
        was_alive = row.revocata_il is None
        if not options["dry_run"]:
            was_alive = bool(keys.revoke([row], now, command_user()))
        self.tell(
            {"nome": row.nome, "revocata": was_alive, "simulazione": options["dry_run"]},
            _in_words(row.nome, was_alive, options["dry_run"]),
        )


def _in_words(name: str, was_alive: bool, dry_run: bool) -> str:
    if not was_alive:
        return f"La chiave «{name}» era già revocata."
    if dry_run:
        return f"La chiave «{name}» sarebbe revocata."
    return f"La chiave «{name}» è revocata: da ora non apre più nulla."
