"""What /status tells, figure by figure."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.status import Stat

from ingestion.models import EsecuzioneEtl
from ingestion.runs.listing import iso
from ingestion.watch import status
from tests.builders import make_active_esecuzione, make_esecuzione, make_raw_operazione

pytestmark = pytest.mark.django_db(databases=["default", "production"])

Stato = EsecuzioneEtl.Stato


def ended(stato, minutes_ago=0, **overrides):
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    return make_esecuzione(stato=stato, iniziata_il=moment, finita_il=moment, **overrides)


# --- Staging --------------------------------------------------------------------------------


def test_counts_rows_by_state():
    now = timezone.now()
    make_raw_operazione(ricevuto_il=now - timedelta(minutes=10))
    make_raw_operazione(ricevuto_il=now - timedelta(minutes=5))
    make_raw_operazione(stato="ERROR", ricevuto_il=now - timedelta(days=3))
    make_raw_operazione(stato="PROCESSED", elaborato_il=now - timedelta(hours=23, minutes=59))
    make_raw_operazione(stato="PROCESSED", elaborato_il=now - timedelta(hours=24, minutes=1))

    staging = status.staging()

    assert 600 <= staging.pop("oldest_pending_s") < 660
    assert staging == {"pending": 2, "processed_24h": 1, "error": 1}


def test_an_empty_staging_waits_for_nothing():
    assert status.staging()["oldest_pending_s"] == 0


# --- Runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "member"),
    [
        ({"stato": Stato.OK}, "last_success"),
        ({"stato": Stato.PARZIALE, "rimanenti": 0, "in_errore": 3}, "last_success"),
        ({"stato": Stato.PARZIALE, "rimanenti": 1}, "last_error"),
        ({"stato": Stato.ERRORE}, "last_error"),
        ({"stato": Stato.INTERROTTA}, "last_error"),
    ],
)
def test_which_runs_succeeded(run, member):
    run = ended(**run)
    other = {"last_success": "last_error", "last_error": "last_success"}[member]

    overview = status.overview()

    assert overview[member] == iso(run.finita_il)
    assert overview[other] == ""


def test_the_newest_run_is_shown_and_not_one_that_waits():
    ended(Stato.OK, minutes_ago=60)
    newest = ended(Stato.ERRORE, minutes_ago=30)
    make_esecuzione()
    ended(Stato.OK, tipo=EsecuzioneEtl.Tipo.ORDINI)

    assert status.overview()["esecuzione"]["id"] == newest.pk


def test_running_is_about_transfers():
    make_active_esecuzione(tipo=EsecuzioneEtl.Tipo.ORDINI)
    assert status.overview()["running"] is False

    make_active_esecuzione()
    assert status.overview()["running"] is True


# --- The worker and the databases -----------------------------------------------------------


def test_a_worker_is_alive_while_its_heart_beats():
    empty = SimpleNamespace(qsize=lambda: 0)
    cluster = SimpleNamespace(
        parent_pid=1,
        pid=2,
        cluster_id="prova",
        broker=get_broker(),
        tob=timezone.now(),
        reincarnations=0,
        status=lambda: "Idle",
        result_queue=empty,
        task_queue=empty,
        monitor=None,
        pusher=None,
        pool=[],
    )
    stat = Stat(cluster)
    stat.save()

    assert status.worker() == {"vivo": True, "ultimo_battito": iso(stat.timestamp)}

    cache.delete(stat.key)  # it lives for three seconds
    assert status.worker() == {"vivo": False, "ultimo_battito": ""}
