"""The jobs' timetable: kept in django-q2's own table, put there by ``migrate``."""

from typing import Any

from django_q.models import Schedule

from ingestion.runs.job import JOBS, Job

TASK = "ingestion.runs.running.run_scheduled"


def _call(job: Job) -> dict[str, str]:
    return {"func": TASK, "args": repr(job.kind.value)}


def missing_schedules() -> list[str]:
    """Names of the schedules that are not there, or call another function than ours."""
    return [
        job.schedule
        for job in JOBS.values()
        if not Schedule.objects.filter(name=job.schedule, **_call(job)).exists()
    ]


def create_schedules() -> list[str]:
    """Creates or repairs the schedules that are missing; returns their names.

    One that staff paused or re-timed stays as it is.
    """
    changed = missing_schedules()
    for job in JOBS.values():
        if job.schedule in changed:
            Schedule.objects.update_or_create(
                name=job.schedule,
                defaults=_call(job),
                create_defaults={**_call(job), "schedule_type": Schedule.CRON, "cron": job.cron},
            )
    return changed


def create_after_migrate(using: str, **kwargs: Any) -> None:
    if using == "default":
        create_schedules()
