import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion.runs.job import JOBS
from ingestion.runs.timetable import create_schedules, missing_schedules


class Command(BaseCommand):
    help = "Crea l'orario dei lavori dove manca; rilanciarlo non cambia nulla."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="dice che cosa farebbe e basta")
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed = missing_schedules() if options["dry_run"] else create_schedules()
        except (OperationalError, InterfaceError) as error:
            raise CommandError("PostgreSQL non risponde: riprovare più tardi.") from error
        names = [job.schedule for job in JOBS.values()]
        if options["json"]:
            present = [name for name in names if name not in changed]
            self.stdout.write(json.dumps({"create": changed, "presenti": present}))
            return
        done = "da creare" if options["dry_run"] else "creata"
        for name in names:
            self.stdout.write(f"{name}: {done if name in changed else 'già presente'}")
