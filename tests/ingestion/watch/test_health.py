"""Each kind of problem on both sides of its limit, as told now by whoever asks."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule
from django_q.status import Stat

from ingestion.models import Avviso, EsecuzioneEtl
from ingestion.watch import health, status
from tests.builders import (
    make_active_esecuzione,
    make_dead_esecuzione,
    make_esecuzione,
    make_raw_operazione,
)

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
Tipo = EsecuzioneEtl.Tipo
HOURLY = [Tipo.TRANSFER, Tipo.ORDINI]


@pytest.fixture(autouse=True)
def _no_timetable():
    """No scheduled job is overdue because the suite runs for long."""
    Schedule.objects.all().delete()


def ago(**interval):
    return timezone.now() - timedelta(**interval)


def ended(stato, minutes_ago=0, **overrides):
    moment = ago(minutes=minutes_ago)
    return make_esecuzione(stato=stato, iniziata_il=moment, finita_il=moment, **overrides)


def codes():
    return [problem.codice for problem in health.problems()]


def the_problem():
    (problem,) = health.problems()
    return problem


def test_nothing_is_wrong_before_anything_happened():
    assert health.problems() == []


# --- Late jobs ------------------------------------------------------------------------------


@pytest.mark.parametrize("tipo", HOURLY)
@pytest.mark.parametrize(("minutes", "late"), [(74, False), (76, True)])
def test_a_job_is_late_75_minutes_after_its_last_success(tipo, minutes, late):
    for each in HOURLY:
        last = ended(Stato.OK, minutes_ago=minutes if each == tipo else 0, tipo=each)
        ended(Stato.ERRORE, tipo=each)
        if each == tipo:
            success = last.finita_il

    found = health.problems()

    assert [(problem.codice, problem.da) for problem in found] == [(tipo, success)] * late
    assert all("75 minuti" in problem.messaggio for problem in found)


@pytest.mark.parametrize(("minutes", "late"), [(74, []), (76, HOURLY)])
def test_jobs_that_never_succeeded_are_late_after_the_first_run(minutes, late):
    ended(Stato.ERRORE, creata_il=ago(minutes=minutes))

    assert codes() == late


@pytest.mark.parametrize(("minutes", "late"), [(74, []), (76, HOURLY)])
def test_jobs_that_never_ran_are_late_after_the_first_record(minutes, late):
    make_raw_operazione(ricevuto_il=ago(minutes=minutes))

    assert codes() == late


def test_a_purge_is_never_late():
    for tipo in HOURLY:
        ended(Stato.OK, tipo=tipo)
    ended(Stato.OK, minutes_ago=3000, tipo=Tipo.PULIZIA)

    assert codes() == []


def test_status_tells_the_codes():
    make_raw_operazione(ricevuto_il=ago(minutes=80))

    assert status.overview()["in_ritardo"] == ["transfer", "ordini"]


# --- The worker -----------------------------------------------------------------------------


@pytest.fixture
def beat():
    """``beat(born, holding)``: a cluster's heartbeat, with so many tasks that nobody fetches."""
    stats = []

    def make(born=None, holding=0):
        empty = SimpleNamespace(qsize=lambda: 0)
        cluster = SimpleNamespace(
            parent_pid=1,
            pid=2,
            cluster_id="prova",
            broker=get_broker(),
            tob=born or timezone.now(),
            reincarnations=0,
            status=lambda: "Idle",
            result_queue=empty,
            task_queue=SimpleNamespace(qsize=lambda: holding),
            monitor=None,
            pusher=None,
            pool=[],
        )
        stats.append(Stat(cluster))
        stats[-1].save()

    yield make
    for stat in stats:
        cache.delete(stat.key)


def queue(lock):
    OrmQ.objects.create(key="etlportal", payload="", lock=lock)


@pytest.mark.parametrize(("seconds", "found"), [(115, []), (125, ["worker"])])
def test_a_task_that_nobody_takes_for_two_minutes(seconds, found):
    queue(ago(seconds=seconds))

    assert codes() == found


def test_since_the_oldest_task_was_queued():
    oldest = ago(minutes=10)
    queue(ago(minutes=5))
    queue(oldest)

    assert the_problem().da == oldest


def test_a_worker_that_is_silent_too_is_called_dead(beat):
    queue(ago(minutes=5))
    assert "è fermo" in the_problem().messaggio

    beat()
    assert "è sordo" in the_problem().messaggio


def test_a_task_that_waits_while_a_run_is_in_course_is_no_problem():
    queue(ago(minutes=5))
    make_active_esecuzione()

    assert codes() == []


def test_a_dead_run_is_no_excuse():
    queue(ago(minutes=5))
    make_dead_esecuzione()

    assert "worker" in codes()


RETRY = timedelta(seconds=2700)


@pytest.mark.parametrize(("seconds", "found"), [(115, []), (125, ["worker"])])
def test_a_task_that_the_cluster_took_and_nobody_fetches(beat, seconds, found):
    beat(born=ago(hours=1), holding=1)
    taken = ago(seconds=seconds)
    queue(taken + RETRY)

    assert codes() == found
    assert [problem.da for problem in health.problems()] == [taken] * len(found)


def test_a_task_that_a_cluster_now_gone_took_comes_back_by_itself(beat):
    """Otherwise the new one would be restarted for the old one's sake, again and again."""
    queue(ago(minutes=10) + RETRY)
    beat(born=ago(minutes=5), holding=1)

    assert codes() == []


def test_a_task_in_hand_is_no_problem(beat):
    beat(born=ago(hours=1), holding=0)
    queue(ago(minutes=10) + RETRY)

    assert codes() == []


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        ({"next_run": timedelta(seconds=-115)}, []),
        ({"next_run": timedelta(seconds=-125)}, ["worker"]),
        ({"next_run": timedelta(minutes=-30), "repeats": 0}, []),  # paused by staff
        ({"next_run": timedelta(minutes=30)}, []),
    ],
)
def test_a_scheduled_job_that_nobody_queued(schedule, found):
    due = timezone.now() + schedule.pop("next_run")
    Schedule.objects.create(name="prova", func="prova", next_run=due, **schedule)

    assert codes() == found


@pytest.mark.parametrize(("age", "found"), [(115, []), (125, ["worker"])])
def test_a_worker_just_started_has_not_read_the_timetable(beat, age, found):
    beat(born=ago(seconds=age))
    Schedule.objects.create(name="prova", func="prova", next_run=ago(hours=5))

    assert codes() == found


# --- The databases --------------------------------------------------------------------------


def test_mysql_away(production_away):
    with production_away():
        problem = the_problem()
        assert problem.codice == "mysql"
        assert "MySQL" in problem.messaggio
        assert timezone.now() - problem.da < timedelta(seconds=10)
        assert status.overview()["in_ritardo"] == ["mysql"]
    assert codes() == []


def test_since_the_alerts_noticed_it(production_away):
    noticed = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    closed = {"messaggio": "", "codice": "mysql"}
    Avviso.objects.create(**closed, iniziato_il=ago(days=1), finito_il=ago(hours=1))
    Avviso.objects.create(messaggio="", codice="mysql", iniziato_il=noticed)

    with production_away():
        assert the_problem().da == noticed


def test_which_databases_answer(production_away):
    assert health.databases_answering() == {"postgresql": True, "mysql": True}
    with production_away():
        assert not health.reachable("production")
        assert not health.reachable("production")
        assert health.reachable("default")
    assert health.reachable("production")


def test_without_postgresql_only_the_databases_are_judged(django_assert_num_queries):
    make_raw_operazione(ricevuto_il=ago(minutes=80))

    with django_assert_num_queries(0):
        found = health.problems({"postgresql": False, "mysql": False})

    assert [problem.codice for problem in found] == ["postgresql", "mysql"]
