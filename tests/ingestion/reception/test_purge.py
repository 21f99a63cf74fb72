"""What the purge deletes and what it never deletes; the books balance after every step."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Failure, Success
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import jobs
from ingestion.models import Eliminazione, EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import purge
from ingestion.runs.lease import Lease, LeaseLost
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out, run_scheduled
from tests.builders import make_active_esecuzione, make_esecuzione, make_lotto, make_raw_operazione
from tests.commands import as_json, manage

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
Tipo = EsecuzioneEtl.Tipo
DAYS = 30


@pytest.fixture(autouse=True)
def _days(settings):
    settings.RAW_GIORNI = DAYS
    settings.ESECUZIONI_GIORNI = 365


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def batch(*stati, age=40, received=40, **overrides):
    """A batch with a row in each of these states; PROCESSED rows so many days ago."""
    lotto = make_lotto(record=len(stati), ricevuto_il=days_ago(received), **overrides)
    for indice, stato in enumerate(stati):
        moment = None if stato == "PENDING" else days_ago(age)
        make_raw_operazione(stato=stato, lotto=lotto, indice=indice, elaborato_il=moment)
    return lotto


def books_balance():
    from ingestion.watch.invariants import INVARIANTS

    checks = (INVARIANTS["lotti_completi"], INVARIANTS["eliminati_tornano"])
    return [problem for check in checks for problem in check()] == []


def run_purge(**options):
    run = create(Tipo.PULIZIA, EsecuzioneEtl.Origine.COMANDO)
    options = purge.PurgeOptions(**({"raw_days": DAYS, "run_days": 365} | options))
    return carry_out(run, jobs.PURGE, purge.Purge(options))


@pytest.mark.parametrize(("age", "gone"), [(29.99, False), (30.01, True)])
def test_loaded_rows_go_after_their_days(age, gone):
    make_raw_operazione(stato="PROCESSED", elaborato_il=days_ago(age))

    run_purge()

    assert RawOperazione.objects.exists() is not gone


@pytest.mark.parametrize("stato", ["PENDING", "ERROR"])
def test_what_was_not_loaded_never_goes(stato):
    lotto = batch(stato, age=4000, received=4000)

    run_purge()

    assert RawOperazione.objects.get().stato == stato
    assert LottoRicevuto.objects.get() == lotto


def test_a_batch_goes_with_its_last_row():
    whole = batch("PROCESSED", "PROCESSED")
    partly = batch("PROCESSED", "ERROR", "PROCESSED")

    run = run_purge()

    assert not LottoRicevuto.objects.filter(pk=whole.pk).exists()
    partly.refresh_from_db()
    assert (partly.eliminati, partly.rawoperazione_set.count()) == (2, 1)
    assert run.stato == Stato.OK
    assert run.dettagli == {"record": 4, "lotti": 1, "esecuzioni": 0, "lavori": 0}
    assert run.messaggio == "Eliminati 4 record, 1 lotti, 0 esecuzioni."
    assert books_balance()


def test_a_batch_answers_retries_for_thirty_days_however_soon_its_rows_go():
    batch("PROCESSED", age=20, received=20)

    run_purge(raw_days=10)

    assert LottoRicevuto.objects.get().eliminati == 1
    assert books_balance()


def test_a_batch_whose_books_do_not_balance_stays_to_be_told():
    lotto = batch("PROCESSED", "PROCESSED")
    RawOperazione.objects.filter(lotto=lotto, indice=0).delete()

    run_purge()

    assert LottoRicevuto.objects.get().eliminati == 1
    assert not books_balance()


def test_rows_without_a_batch_are_counted_too():
    batch("PROCESSED")
    for _ in range(3):
        make_raw_operazione(stato="PROCESSED", elaborato_il=days_ago(31))

    run_purge()

    kept = Eliminazione.objects.values("giorno", "record", "senza_lotto", "lotti", "dei_lotti")
    assert list(kept) == [
        {
            "giorno": timezone.localdate(),
            "record": 4,
            "senza_lotto": 3,
            "lotti": 1,
            "dei_lotti": 1,
        }
    ]
    assert books_balance()


def test_in_small_chunks_it_does_the_same():
    for _ in range(3):
        batch("PROCESSED", "PROCESSED", "PENDING")
    batch("PROCESSED")

    run = run_purge(chunk_size=2)

    assert (run.dettagli["record"], run.dettagli["lotti"]) == (7, 1)
    assert RawOperazione.objects.count() == 3
    assert books_balance()


def test_again_it_finds_nothing():
    batch("PROCESSED", "ERROR")
    run_purge()

    again = run_purge()

    assert again.dettagli == {"record": 0, "lotti": 0, "esecuzioni": 0, "lavori": 0}
    assert Eliminazione.objects.get().record == 1


def test_old_runs_go_but_the_last_success_and_those_that_rows_name():
    old = {"iniziata_il": days_ago(400), "finita_il": days_ago(400)}
    failed = make_esecuzione(stato=Stato.ERRORE, **old)
    named = make_esecuzione(stato=Stato.PARZIALE, rimanenti=1, **old)
    make_raw_operazione(stato="ERROR", esecuzione=named)
    replaced = make_esecuzione(stato=Stato.OK, **old)
    last = make_esecuzione(stato=Stato.OK, **old)
    recent = make_esecuzione(stato=Stato.ERRORE, finita_il=days_ago(364))
    waiting = make_esecuzione(creata_il=days_ago(400))

    run = run_purge()

    left = set(EsecuzioneEtl.objects.values_list("pk", flat=True))
    assert left == {named.pk, last.pk, recent.pk, waiting.pk, run.pk}
    assert not left & {failed.pk, replaced.pk}
    assert run.dettagli["esecuzioni"] == 2


def test_old_successes_of_the_queue_go_and_failures_stay():
    task = {"func": "prova", "started": days_ago(40), "stopped": days_ago(40)}
    Success.objects.create(id="a", name="a", success=True, **task)
    Failure.objects.create(id="b", name="b", success=False, **task)
    Success.objects.create(id="c", name="c", success=True, **task | {"stopped": days_ago(1)})

    assert run_purge().dettagli["lavori"] == 1

    assert [*Success.objects.values_list("id", flat=True)] == ["c"]
    assert [*Failure.objects.values_list("id", flat=True)] == ["b"]


def test_a_purge_that_another_took_over_stops(monkeypatch):
    batch("PROCESSED")

    def lost(lease, **progress):
        EsecuzioneEtl.objects.filter(pk=lease.run.pk).update(stato=Stato.INTERROTTA)
        raise LeaseLost

    monkeypatch.setattr(Lease, "beat", lost)

    assert run_purge().stato == Stato.INTERROTTA
    assert books_balance()


def test_the_schedule_purges_each_night():
    batch("PROCESSED")

    run_scheduled("pulizia")

    run = EsecuzioneEtl.objects.get()
    assert (run.tipo, run.origine, run.stato) == ("pulizia", "pianificata", "OK")
    assert not RawOperazione.objects.exists()


# --- The command ----------------------------------------------------------------------------


def test_the_command_says_what_it_did():
    batch("PROCESSED", "PROCESSED")

    code, printed = manage("purge")

    assert code == 0
    assert "OK. Eliminati 2 record, 1 lotti, 0 esecuzioni." in printed
    code, report = as_json("purge")
    assert code == 0
    assert (report["tipo"], report["stato"], report["record"]) == ("pulizia", "OK", 0)


def test_a_dry_run_deletes_nothing(table_contents):
    batch("PROCESSED", "ERROR")
    batch("PROCESSED")
    tables = ("raw_operazione", "lotto_ricevuto", "eliminazione", "esecuzione_etl")
    before = table_contents(*tables, alias="default")

    assert as_json("purge", "--dry-run") == (
        0,
        {"record": 2, "lotti": 1, "esecuzioni": 0, "lavori": 0},
    )
    assert "2 record, 1 lotti" in manage("purge", "--dry-run")[1]

    assert table_contents(*tables, alias="default") == before


def test_another_purge_in_course_is_a_problem_found():
    make_active_esecuzione(tipo=Tipo.PULIZIA)

    assert manage("purge")[0] == 1


# --- Whatever the rows ----------------------------------------------------------------------

STATI = st.sampled_from(["PENDING", "PROCESSED", "ERROR"])
BATCHES = st.lists(st.tuples(st.lists(STATI, max_size=5), st.booleans(), st.booleans()), max_size=5)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=BATCHES, size=st.integers(1, 4))
def test_whatever_the_batches_the_books_balance_and_what_waits_stays(batches, size):
    for model in (RawOperazione, LottoRicevuto, Eliminazione, EsecuzioneEtl):
        model.objects.all().delete()
    old_loaded, total = 0, 0
    for stati, old, by_sql in batches:
        age = 40 if old else 3
        lotto = batch(*stati, age=age, received=age)
        if by_sql:
            RawOperazione.objects.filter(lotto=lotto).update(lotto=None, indice=None)
            lotto.delete()
        old_loaded += stati.count("PROCESSED") * old
        total += len(stati)

    run = run_purge(chunk_size=size)

    assert run.dettagli["record"] == old_loaded
    assert RawOperazione.objects.count() == total - old_loaded
    assert books_balance()
    assert run_purge(chunk_size=size).dettagli["record"] == 0
