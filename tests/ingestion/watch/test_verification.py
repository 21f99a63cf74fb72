"""The hourly check of the invariants, as a run."""

import logging
from datetime import timedelta

import pytest
from django.db import OperationalError

from ingestion.models import EsecuzioneEtl, LottoRicevuto
from ingestion.runs.lease import Lease, LeaseLost
from ingestion.runs.running import run_scheduled
from ingestion.watch import invariants
from tests.builders import make_active_esecuzione

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
Tipo = EsecuzioneEtl.Tipo


def the_run():
    run_scheduled("verifica")
    return EsecuzioneEtl.objects.order_by("pk").last()


def test_all_well():
    run = the_run()

    assert (run.tipo, run.origine, run.stato) == ("verifica", "pianificata", Stato.OK)
    assert run.messaggio == "Tutto bene: nulla è perso, doppio o alterato."
    assert run.dettagli == {"problemi": {}}


def test_what_does_not_hold_is_an_error_that_is_counted(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(logging.getLogger("etl"), "propagate", True)
    LottoRicevuto.objects.create(nome_chiave="x", sha256="0" * 64, corpo=b"", record=3)

    run = the_run()

    assert run.stato == Stato.ERRORE
    assert run.dettagli["problemi"] == {"lotti_completi": 1}
    assert "lotti_completi (1)" in run.messaggio
    assert "verification ended: {'lotti_completi': 1}" in caplog.text


def test_the_next_one_is_well_again():
    lotto = LottoRicevuto.objects.create(nome_chiave="x", sha256="0" * 64, corpo=b"", record=3)
    the_run()
    lotto.delete()

    assert the_run().stato == Stato.OK


def test_a_server_away_interrupts_and_says_so(monkeypatch):
    def away():
        raise OperationalError(2002, "gone")

    monkeypatch.setitem(invariants.INVARIANTS, "lotti_completi", away)

    run = the_run()

    assert run.stato == Stato.INTERROTTA
    assert "Verifica interrotta" in run.messaggio


def test_a_lost_lease_leaves_the_row_to_the_one_who_took_it(monkeypatch):
    def lost(lease, **values):
        EsecuzioneEtl.objects.filter(pk=lease.run.pk).update(
            stato=Stato.INTERROTTA, messaggio="altri"
        )
        raise LeaseLost

    monkeypatch.setattr(Lease, "beat", lost)

    assert the_run().messaggio == "altri"


def test_two_do_not_run_at_once(monkeypatch):
    monkeypatch.setattr("ingestion.runs.running.PATIENCE", timedelta(0))
    make_active_esecuzione(tipo=Tipo.VERIFICA)

    assert the_run().stato == Stato.INTERROTTA
