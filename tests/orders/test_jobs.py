"""The hourly update and the queue's task."""

import logging
from datetime import timedelta

import pytest

from ingestion.models import EsecuzioneEtl
from ingestion.runs.running import run_queued, run_scheduled
from orders import jobs
from orders.models import PezzoOrdine
from tests.builders import make_active_esecuzione
from tests.orders.builders import make_forgiature, make_riga, make_update

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("workshop"),
]

Stato = EsecuzioneEtl.Stato


def test_it_runs_at_minute_ten_after_the_transfer():
    assert (jobs.COUNTING.schedule, jobs.COUNTING.cron) == ("ordini orario", "10 * * * *")


def test_the_hourly_update_is_a_run_of_its_own(caplog):
    caplog.set_level(logging.INFO)
    make_riga(8, "PZC01", 3)
    make_forgiature(2)

    assert run_scheduled("ordini") == Stato.OK

    run = EsecuzioneEtl.objects.get()
    assert (run.tipo, run.origine, run.stato) == ("ordini", "pianificata", Stato.OK)
    assert PezzoOrdine.objects.get().quantita_rimanente == 1
    assert [record.name for record in caplog.records if record.name == "periodic"] == ["periodic"]


def test_a_queued_update_is_run_once():
    make_riga(8, "PZC01", 3)
    make_forgiature(2)
    run = make_update()

    assert run_queued(run.pk) == Stato.OK
    assert run_queued(run.pk) == f"run {run.pk} is OK"

    run.refresh_from_db()
    assert run.caricati == 2


def test_an_update_beside_another_says_so(monkeypatch):
    monkeypatch.setattr("ingestion.runs.running.PATIENCE", timedelta(0))
    active = make_active_esecuzione(tipo="ordini")

    assert run_scheduled("ordini") == Stato.INTERROTTA

    run = EsecuzioneEtl.objects.exclude(pk=active.pk).get()
    assert f"esecuzione {active.pk}" in run.messaggio
