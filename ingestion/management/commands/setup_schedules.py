from typing import Any

from etlportal.management.base import PortalCommand
from ingestion.runs.job import JOBS
from ingestion.runs.timetable import create_schedules, missing_schedules


class Command(PortalCommand):
    help = "Crea l'orario dei lavori dove manca; rilanciarlo non cambia nulla."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = missing_schedules() if options["dry_run"] else create_schedules()
        names = [job.schedule for job in JOBS.values()]
        present = [name for name in names if name not in changed]
        done = "da creare" if options["dry_run"] else "creata"
        self.tell(
            {"create": changed, "presenti": present},
            [f"{name}: {done if name in changed else 'già presente'}" for name in names],
        )
