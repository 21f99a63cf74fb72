import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingestion.invariants import INVARIANTS

SHOWN = 20


class Command(BaseCommand):
    help = "Checks that nothing was lost, doubled or altered. Exit 0 = all well, 1 = problems."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = {name: list(check()) for name, check in INVARIANTS.items()}
        well = not any(found.values())
        if options["json"]:
            problems = [problem._asdict() for problems in found.values() for problem in problems]
            self.stdout.write(json.dumps({"ok": well, "problemi": problems}, ensure_ascii=False))
        else:
            for name, problems in found.items():
                self.stdout.write(f"{name}: {'bene' if not problems else len(problems)}")
                for problem in problems[:SHOWN]:
                    self.stdout.write(f"  {problem.soggetto}: {problem.messaggio}")
            self.stdout.write("Tutto bene." if well else "Ci sono problemi.")
        if not well:
            sys.exit(1)
