from typing import Any

from django.core.management.base import BaseCommand

from ingestion.schedules import SCHEDULES, create_schedules


class Command(BaseCommand):
    help = "Creates the jobs' schedules where they are missing; running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        created = create_schedules()
        for name in SCHEDULES:
            self.stdout.write(f"{name}: {'creata' if name in created else 'già presente'}")
