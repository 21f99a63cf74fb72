import json
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion.management.arguments import positive
from ingestion.reception import reprocess
from ingestion.reception.reprocess import Choice


class Command(BaseCommand):
    help = (
        "Rimette in attesa i record in errore (quelli scelti), o quelli che un MySQL ripristinato "
        "ha perso: li prende il prossimo trasferimento. Uscita: 0 = fatto, 1 = non riuscito."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="*", type=positive, help="numeri dei record in errore")
        parser.add_argument("--lotto", type=_uuid, help="tutti quelli in errore di un lotto")
        parser.add_argument("--codice", help="tutti quelli con questo codice di errore")
        parser.add_argument("--tutti", action="store_true", help="tutti quelli in errore")
        parser.add_argument(
            "--da-mysql-ripristinato",
            action="store_true",
            help="i record trasferiti che mancano in MySQL, dopo un ripristino",
        )
        parser.add_argument("--dry-run", action="store_true", help="dice che cosa farebbe e basta")
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_usage(options)
        try:
            number = _act(options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError("Un database non risponde: riprovare più tardi.") from error
        if options["json"]:
            self.stdout.write(json.dumps({"record": number, "prova": options["dry_run"]}))
            return
        told = "da rimettere in attesa" if options["dry_run"] else "rimessi in attesa"
        self.stdout.write(f"{number} record {told}.")


def _check_usage(options: dict[str, Any]) -> None:
    restricted = bool(options["id"] or options["lotto"] or options["codice"] is not None)
    chosen = restricted + options["tutti"] + options["da_mysql_ripristinato"]
    if chosen != 1:
        raise CommandError(
            "Dire quali record: dei numeri, --lotto o --codice (che si restringono a vicenda); "
            "oppure --tutti; oppure --da-mysql-ripristinato.",
            returncode=2,
        )


def _act(options: dict[str, Any]) -> int:
    if options["da_mysql_ripristinato"]:
        return _lost() if options["dry_run"] else reprocess.refill()
    choice = Choice(options["id"] or None, options["lotto"], options["codice"])
    if options["dry_run"]:
        return reprocess.rows_in_error(choice).count()
    return reprocess.requeue(choice)


def _lost() -> int:
    return sum(len(ids) for ids in reprocess.lost_by_production())


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError("serve l'identificativo di un lotto") from error
