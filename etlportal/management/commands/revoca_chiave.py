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
        was_alive = row.revocata_il is None
        if not options["dry_run"]:
            was_alive = bool(keys.revoke([row], timezone.now(), command_user()))
        told = "era già revocata."
        if was_alive:
            would, done = "sarebbe revocata.", "è revocata: da ora non apre più nulla."
            told = would if options["dry_run"] else done
        self.tell(
            {"nome": row.nome, "revocata": was_alive, "simulazione": options["dry_run"]},
            f"La chiave «{row.nome}» {told}",
        )
