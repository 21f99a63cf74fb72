"""The jobs' timetable: kept in django-q2's own table, put there by ``migrate``."""

from typing import Any

from django_q.models import Schedule

# name → (function, cron in plant time)
SCHEDULES = {
    "trasferimento orario": ("ingestion.jobs.scheduled_transfer", "5 * * * *"),
    "ordini orario": ("orders.jobs.scheduled_update", "10 * * * *"),
    "verifica oraria": ("ingestion.jobs.scheduled_verification", "40 * * * *"),
    # Not between 02 and 03, an hour that some days lack and others have twice.
    "pulizia giornaliera": ("ingestion.jobs.scheduled_purge", "20 4 * * *"),
}


def missing_schedules() -> list[str]:
    """Names of the schedules that are not there, or call another function than ours."""
    present = set(Schedule.objects.values_list("name", "func"))
    return [name for name, (func, _) in SCHEDULES.items() if (name, func) not in present]


def create_schedules() -> list[str]:
    """Creates or repairs the schedules that are missing; returns their names.

    One that staff paused or re-timed stays as it is.
    """
    changed = missing_schedules()
    for name in changed:
        func, cron = SCHEDULES[name]
        Schedule.objects.update_or_create(
            name=name,
            defaults={"func": func},
            create_defaults={"func": func, "schedule_type": Schedule.CRON, "cron": cron},
        )
    return changed


def create_after_migrate(using: str, **kwargs: Any) -> None:
    if using == "default":
        create_schedules()
