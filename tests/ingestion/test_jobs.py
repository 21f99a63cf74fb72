"""What the queue and the timetable call."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from ingestion import jobs
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs import running
from ingestion.runs.lease import finish
from ingestion.runs.queue import RunAlreadyActive
from ingestion.runs.running import carry_out, run_queued, run_scheduled
from production.fields import Limits
from tests.builders import make_active_esecuzione, make_esecuzione, make_raw_operazioni

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato


@pytest.fixture
def periodic_log(caplog):
    """The records of periodic.log, as they come."""
    caplog.set_level(logging.INFO)

    def read():
        return [record for record in caplog.records if record.name == "periodic"]

    return read


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr(running, "PATIENCE", timedelta(0))


# --- Options --------------------------------------------------------------------------------


def test_the_limits_of_domain_md_are_the_defaults():
    assert jobs.transfer_options().limits == Limits()


def test_the_limits_come_from_the_settings(settings):
    settings.TRANSFER_BATCH_SIZE = 7
    settings.PLAUSIBILITY_LIMITS = {
        "peso_max": Decimal("12.5"),
        "temperatura_min": Decimal(1),
        "temperatura_max": Decimal(2),
        "pezzi_ora_max": 3,
        "durata_max_ore": Decimal("1.5"),
        "tolleranza_futuro_minuti": 4,
    }

    options = jobs.transfer_options(limit=9)

    assert (options.batch_size, options.limit) == (7, 9)
    assert options.limits == Limits(
        peso_max=Decimal("12.5"),
        temperatura_min=Decimal(1),
        temperatura_max=Decimal(2),
        pezzi_ora_max=3,
        durata_max=timedelta(minutes=90),
        tolleranza_futuro=timedelta(minutes=4),
    )


# --- One run --------------------------------------------------------------------------------


def test_transfers_for_a_queued_run(plant):
    make_raw_operazioni(2)

    run = carry_out(make_esecuzione(), jobs.TRANSFER)

    assert (run.stato, run.caricati) == (Stato.OK, 2)


def test_a_run_that_finds_another_active_says_so(plant):
    active = make_active_esecuzione()
    make_raw_operazioni(2)
    run = make_esecuzione()

    with pytest.raises(RunAlreadyActive):
        carry_out(run, jobs.TRANSFER)

    run.refresh_from_db()
    assert run.stato == Stato.INTERROTTA
    assert str(active.pk) in run.messaggio
    assert RawOperazione.objects.filter(stato="PENDING").count() == 2


@pytest.mark.parametrize("origine", ["api", "admin"])
def test_a_run_that_somebody_follows_goes_back_to_the_queue(plant, run_queue, origine):
    """The active run may have begun before the records of this one came."""
    active = make_active_esecuzione()
    make_raw_operazioni(2)
    run = make_esecuzione(origine=origine)

    with pytest.raises(RunAlreadyActive):
        carry_out(run, jobs.TRANSFER)

    run.refresh_from_db()
    assert run.stato == Stato.IN_CODA
    finish(active, Stato.OK, "Fatto.")
    assert run_queue() == 1
    run.refresh_from_db()
    assert (run.stato, run.caricati) == (Stato.OK, 2)


def test_the_task_of_a_queued_run(plant, periodic_log):
    make_raw_operazioni(1)
    run = make_esecuzione()

    assert run_queued(run.pk) == "OK"

    run.refresh_from_db()
    assert run.caricati == 1
    assert [record.esecuzione for record in periodic_log()] == [run.pk]


@pytest.mark.parametrize("stato", [Stato.OK, Stato.IN_CORSO, Stato.INTERROTTA])
def test_the_task_of_a_run_that_was_started_already_does_nothing(plant, stato):
    """django-q2 delivers at least once."""
    make_raw_operazioni(1)
    run = make_esecuzione(stato=stato)

    assert run_queued(run.pk) == f"run {run.pk} is {stato}"

    assert RawOperazione.objects.filter(stato="PENDING").count() == 1


@pytest.mark.parametrize("stato", [Stato.IN_CORSO, Stato.INTERROTTA])
def test_a_run_that_another_starts_or_closes_in_that_moment_is_left_alone(
    plant, monkeypatch, stato
):
    """The task ends, and the queue shows no failure."""
    make_raw_operazioni(1)
    run = make_esecuzione()

    def come_too_late(run, *args, **options):
        EsecuzioneEtl.objects.filter(pk=run.pk).update(stato=stato, battito_il=timezone.now())
        return carry_out(run, *args, **options)

    monkeypatch.setattr(running, "carry_out", come_too_late)

    assert run_queued(run.pk) == stato

    assert RawOperazione.objects.filter(stato="PENDING").count() == 1


# --- The timetable --------------------------------------------------------------------------


def test_the_hourly_task_leaves_one_run_and_one_line(plant, periodic_log):
    make_raw_operazioni(3)

    assert run_scheduled("transfer") == "OK"

    run = EsecuzioneEtl.objects.get()
    assert (run.origine, run.caricati) == ("pianificata", 3)
    assert [record.getMessage() for record in periodic_log()] == ["transfer pianificata: OK"]


def test_the_hourly_task_closes_runs_that_were_lost(plant):
    lost = make_esecuzione(creata_il=timezone.now() - timedelta(hours=2))

    run_scheduled("transfer")

    lost.refresh_from_db()
    assert lost.stato == Stato.INTERROTTA


def test_the_hourly_task_gives_way_to_an_active_run(plant, periodic_log, no_patience):
    active = make_active_esecuzione()

    assert run_scheduled("transfer") == "INTERROTTA"

    assert f"run {active.pk} is active" in periodic_log()[0].getMessage()
    active.refresh_from_db()
    assert active.stato == Stato.IN_CORSO
