from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from etlportal.audit.record import command_user
from etlportal.management.base import PortalCommand, UsageError, positive
from ingestion.reception import reprocess
from ingestion.reception.reprocess import Choice


class Command(PortalCommand):
    help = (
        "Rimette in attesa i record in errore (quelli scelti), o quelli che un MySQL ripristinato "
        "ha perso: li prende il prossimo trasferimento. Uscita: 0 = fatto, 1 = non riuscito."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", nargs="*", type=positive, help="numeri dei record in errore")
        parser.add_argument("--lotto", type=_uuid, help="tutti quelli in errore di un lotto")
        parser.add_argument("--codice", help="tutti quelli con questo codice di errore")
        parser.add_argument("--tutti", action="store_true", help="tutti quelli in errore")
        parser.add_argument(
            "--da-mysql-ripristinato",
            action="store_true",
            help="i record trasferiti che mancano in MySQL, dopo un ripristino",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        choice = Choice(options["id"] or None, options["lotto"], options["codice"])
        restricted = any(part is not None for part in choice)
        if restricted + options["tutti"] + options["da_mysql_ripristinato"] != 1:
            raise UsageError(
                "Dire quali record: dei numeri, --lotto o --codice (che si restringono a vicenda); "
                "oppure --tutti; oppure --da-mysql-ripristinato."
            )
        if not options["dry_run"]:
            by = command_user()
            lost = options["da_mysql_ripristinato"]
            number = reprocess.refill(by) if lost else reprocess.requeue(choice, by)
        elif options["da_mysql_ripristinato"]:
            number = sum(len(ids) for ids in reprocess.lost_by_production())
        else:
            number = reprocess.rows_in_error(choice).count()
        told = "da rimettere in attesa" if options["dry_run"] else "rimessi in attesa"
        self.tell({"record": number, "prova": options["dry_run"]}, f"{number} record {told}.")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError("serve l'identificativo di un lotto") from error
