import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion.watch.invariants import INVARIANTS

SHOWN = 20


class Command(BaseCommand):
    help = "Controlla che nulla sia perso, doppio o alterato. Uscita: 0 = bene, 1 = problemi."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = {name: list(check()) for name, check in INVARIANTS.items()}
        except (OperationalError, InterfaceError) as error:
            raise CommandError("Un database non risponde: riprovare più tardi.") from error
        well = not any(found.values())
        if options["json"]:
            told = [problem._asdict() for problems in found.values() for problem in problems]
            self.stdout.write(json.dumps({"ok": well, "problemi": told}, ensure_ascii=False))
        else:
            for name, problems in found.items():
                self.stdout.write(f"{name}: {'bene' if not problems else len(problems)}")
                for problem in problems[:SHOWN]:
                    self.stdout.write(f"  {problem.soggetto}: {problem.messaggio}")
            self.stdout.write("Tutto bene." if well else "Ci sono problemi.")
        if not well:
            sys.exit(1)
