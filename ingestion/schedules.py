"""The jobs' timetable: kept in django-q2's own table, put there by ``migrate``."""

from typing import Any

from django_q.models import Schedule

# name → (function, cron in plant time)
SCHEDULES = {
    "trasferimento orario": ("ingestion.jobs.scheduled_transfer", "5 * * * *"),
    "ordini orario": ("orders.jobs.scheduled_update", "10 * * * *"),
}


def create_schedules() -> list[str]:
    """Creates or repairs the schedules, keeping their next run; returns the names changed.

    A schedule that staff paused (repeats 0) or re-timed stays as it is.
    """
    changed = []
    for name, (func, cron) in SCHEDULES.items():
        schedule, created = Schedule.objects.get_or_create(
            name=name,
            defaults={"func": func, "schedule_type": Schedule.CRON, "cron": cron},
        )
        if not created and schedule.func != func:
            schedule.func = func
            schedule.save(update_fields=["func"])
            created = True
        if created:
            changed.append(name)
    return changed


def create_after_migrate(using: str, **kwargs: Any) -> None:
    if using == "default":
        create_schedules()
