from typing import Any

from django.core.management.base import BaseCommand

from ingestion.schedules import SCHEDULES, create_schedules


class Command(BaseCommand):
    help = "Crea l'orario dei lavori dove manca; rilanciarlo non cambia nulla."

    def handle(self, *args: Any, **options: Any) -> None:
        created = create_schedules()
        for name in SCHEDULES:
            self.stdout.write(f"{name}: {'creata' if name in created else 'già presente'}")
