import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

from ingestion.runs import queue, timetable
from ingestion.runs.job import JOBS
from ingestion.runs.timetable import create_after_migrate, create_schedules

pytestmark = pytest.mark.django_db

NAME = "trasferimento orario"


def test_migrate_creates_every_schedule():
    created = Schedule.objects.values_list("name", "args", "cron")

    assert set(created) == {(job.schedule, f"'{job.kind}'", job.cron) for job in JOBS.values()}


def test_the_transfer_runs_at_minute_five_of_each_hour():
    schedule = Schedule.objects.get(name=NAME)

    assert schedule.cron == "5 * * * *"
    assert schedule.next_run.minute == 5
    assert timezone.now() < schedule.next_run <= timezone.now() + timedelta(hours=1)
    assert schedule.repeats == -1


@pytest.mark.parametrize(
    "func", [timetable.TASK, queue.TASK, "ingestion.jobs.run_transfer", "orders.jobs.run_update"]
)
def test_what_the_queue_calls_exists(func):
    assert callable(import_string(func))


def test_creating_them_again_changes_nothing():
    before = list(Schedule.objects.order_by("pk").values())

    assert create_schedules() == []

    assert list(Schedule.objects.order_by("pk").values()) == before


def test_what_staff_changed_stays():
    Schedule.objects.filter(name=NAME).update(repeats=0, cron="35 * * * *")

    assert create_schedules() == []

    schedule = Schedule.objects.get(name=NAME)
    assert (schedule.repeats, schedule.cron) == (0, "35 * * * *")


def test_a_function_that_moved_is_repaired():
    Schedule.objects.filter(name=NAME).update(func="ingestion.jobs.scheduled_transfer", args=None)

    assert create_schedules() == [NAME]

    schedule = Schedule.objects.get(name=NAME)
    assert (schedule.func, schedule.args) == ("ingestion.runs.running.run_scheduled", "'transfer'")


def test_a_missing_one_comes_back():
    Schedule.objects.filter(name=NAME).delete()

    assert create_schedules() == [NAME]
    assert Schedule.objects.filter(name=NAME).count() == 1


def test_only_the_migration_of_postgresql_creates_them():
    Schedule.objects.all().delete()

    create_after_migrate(using="production")
    assert not Schedule.objects.exists()

    create_after_migrate(using="default")
    assert Schedule.objects.count() == len(JOBS)


def test_the_command_says_what_it_did():
    Schedule.objects.filter(name=NAME).delete()

    first, second = StringIO(), StringIO()
    call_command("setup_schedules", stdout=first)
    call_command("setup_schedules", stdout=second)

    assert f"{NAME}: creata" in first.getvalue()
    assert f"{NAME}: già presente" in second.getvalue()


def test_a_dry_run_creates_nothing():
    Schedule.objects.filter(name=NAME).delete()

    printed = StringIO()
    call_command("setup_schedules", "--dry-run", stdout=printed)

    assert f"{NAME}: da creare" in printed.getvalue()
    assert not Schedule.objects.filter(name=NAME).exists()


def test_the_command_as_json():
    Schedule.objects.filter(name=NAME).delete()

    printed = StringIO()
    call_command("setup_schedules", "--json", stdout=printed)

    report = json.loads(printed.getvalue())
    assert report["create"] == [NAME]
    assert {*report["create"], *report["presenti"]} == {job.schedule for job in JOBS.values()}


def test_after_downtime_each_runs_once(settings):
    """django-q2 would otherwise make up for every hour that the worker was down."""
    assert settings.Q_CLUSTER["catch_up"] is False
