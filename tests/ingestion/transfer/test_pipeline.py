"""The whole corridor: what a run moves, what it says, and what survives its death."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connections, models
from django.utils import timezone

from ingestion import jobs
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.reception import store
from ingestion.runs.failures import Failure, classify
from ingestion.runs.queue import close_dead, start
from ingestion.runs.running import carry_out
from ingestion.transfer import outcomes, pipeline
from ingestion.transfer.claim import Span, peek
from ingestion.transfer.master_data import load_master_data
from production.fields import Limits
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operatore, Operazione
from tests.builders import (
    ANNA,
    make_dead_esecuzione,
    make_esecuzione,
    make_plant,
    make_posted,
    make_posted_cnc,
    make_raw_operazione,
    make_raw_operazioni,
)
from tests.servers import production_server

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("plant"),
]

Stato = EsecuzioneEtl.Stato
COUNTERS = ("letti", "caricati", "gia_presenti", "in_errore", "rimanenti")


def started():
    run = make_esecuzione()
    start(run, timedelta(minutes=3), timezone.now())
    return run


def transfer(batch_size=2000, limit=None, on_progress=None):
    options = pipeline.TransferOptions(Limits(), batch_size, limit)
    work = pipeline.Transfer(options)
    return carry_out(make_esecuzione(), jobs.TRANSFER, work, on_progress=on_progress)


def counters(run):
    assert run.letti == run.caricati + run.gia_presenti + run.in_errore + run.rimanenti
    return tuple(getattr(run, name) for name in COUNTERS)


def states():
    return list(RawOperazione.objects.order_by("pk").values_list("stato", flat=True))


def make_mixed_rows():
    """Two good forgings, a good machining, and three with one or more anomalies each."""
    make_raw_operazioni(2)
    cnc = {"tipo_operazione": "cnc", "codice_macchinario": "CNC1", "numero_pezzi_ora": "3"}
    make_raw_operazione(**cnc)
    make_raw_operazione(**(cnc | {"tipo_fermo": "mistero", "timestamp_fine": None}))
    make_raw_operazione(peso_effettivo="-1", temperatura_effettiva="fredda")
    make_raw_operazione(tipo_operazione="tornitura", anomalia=[{"id": 3}, {"id": 77}])


@contextmanager
def failing(error, times, when="INSERT INTO operazioni "):
    """The production database answers so many statements of that kind with the error."""
    left = times

    def execute(proceed, sql, params, many, context):
        nonlocal left
        if left and sql.startswith(when):
            left -= 1
            raise error
        return proceed(sql, params, many, context)

    with connections["production"].execute_wrapper(execute):
        yield


# --- A run that goes well -------------------------------------------------------------------


def test_moves_all_that_is_pending():
    make_mixed_rows()

    run = transfer()

    assert run.stato == Stato.OK
    assert counters(run) == (6, 6, 0, 0, 0)
    assert run.anomalie == AnomaliaOperazione.objects.count() == 7
    assert run.messaggio == "6 record caricati."
    assert run.finita_il
    assert (run.batch_da, run.batch_a) == (None, None)
    assert (Forgiatura.objects.count(), Cnc.objects.count()) == (3, 2)


def test_each_row_says_when_and_by_which_run_it_was_moved():
    make_raw_operazione()
    make_raw_operazione(errore_codice="MYSQL_1452", errore_messaggio="Di un'altra volta.")

    run = transfer()

    for row in RawOperazione.objects.all():
        assert (row.stato, row.esecuzione) == ("PROCESSED", run)
        assert run.iniziata_il <= row.elaborato_il <= run.finita_il
        assert (row.errore_codice, row.errore_messaggio) == (None, None)


def test_the_example_of_domain_md_from_post_to_mysql(api):
    api.post(
        "/insert-postgres", [make_posted(), make_posted_cnc()], content_type="application/json"
    )

    transfer()

    forgiatura, cnc = Forgiatura.objects.get(), Cnc.objects.get()
    assert (float(forgiatura.scarto_peso), float(forgiatura.scarto_peso_pct)) == (0.5, 4.55)
    assert (float(forgiatura.scarto_temperatura), forgiatura.esito) == (40.0, "CONFORME")
    assert cnc.pezzi_prodotti == 15
    assert cnc.operazione.ordine_id == 8
    assert not AnomaliaOperazione.objects.exists()


def test_a_row_inserted_by_plain_sql_is_moved_like_any_other():
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO raw_operazione (tipo_operazione, codice_pezzo, timestamp_inizio,"
            " timestamp_fine, peso_effettivo, temperatura_effettiva) VALUES ('forgiatura',"
            " 'PZC01', '2024-12-20T10:00:00Z', '2024-12-20T10:20:00Z', '11.5', '1040')"
        )

    run = transfer()

    assert counters(run) == (1, 1, 0, 0, 0)
    row = RawOperazione.objects.get()
    assert row.stato == "PROCESSED"
    assert row.uid.version == 7
    assert Operazione.objects.get().raw_uid == row.uid
    assert not AnomaliaOperazione.objects.exists()


def test_nothing_pending_is_a_run_that_went_well():
    assert counters(transfer()) == (0, 0, 0, 0, 0)
    assert EsecuzioneEtl.objects.get().stato == Stato.OK


def test_a_second_transfer_changes_nothing(table_contents):
    make_mixed_rows()
    transfer()
    loaded, staged = table_contents(), table_contents("raw_operazione", alias="default")

    again = transfer()

    assert counters(again) == (0, 0, 0, 0, 0)
    assert table_contents() == loaded
    assert table_contents("raw_operazione", alias="default") == staged


def test_rows_set_back_by_hand_are_found_already_there(table_contents):
    make_mixed_rows()
    transfer()
    loaded = table_contents()
    RawOperazione.objects.update(stato="PENDING")

    again = transfer()

    assert counters(again) == (6, 0, 6, 0, 0)
    assert table_contents() == loaded


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6])
def test_batches_of_any_size_come_to_the_same(size, assert_well):
    make_mixed_rows()
    seen = []

    run = transfer(batch_size=size, on_progress=lambda tally: seen.append(tally.letti))

    assert counters(run) == (6, 6, 0, 0, 0)
    assert run.anomalie == 7
    assert seen == [*range(size, 6, size), 6]
    assert_well()


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_a_limit_leaves_the_rest_for_later(limit):
    make_raw_operazioni(5)

    run = transfer(batch_size=2, limit=limit)

    assert counters(run) == (limit, limit, 0, 0, 0)
    assert states() == ["PROCESSED"] * limit + ["PENDING"] * (5 - limit)


def test_rows_that_arrive_meanwhile_wait_for_the_next_run():
    make_raw_operazioni(2)

    def arrive(tally):
        if tally.letti < 5:
            make_raw_operazione()

    run = transfer(batch_size=1, on_progress=arrive)

    assert counters(run) == (2, 2, 0, 0, 0)
    assert states() == ["PROCESSED"] * 2 + ["PENDING"] * 2


def test_no_object_is_made_for_a_row(monkeypatch):
    make_mixed_rows()
    made = Counter()
    honest = models.Model.__init__

    def count(self, *args, **kwargs):
        made[type(self).__name__] += 1
        honest(self, *args, **kwargs)

    monkeypatch.setattr(models.Model, "__init__", count)

    transfer()

    assert set(made) <= {"EsecuzioneEtl", "TipoFermo"}


def test_statements_grow_with_batches_and_not_with_rows(django_assert_max_num_queries):
    make_raw_operazioni(100)

    with (
        django_assert_max_num_queries(30, using="default"),
        django_assert_max_num_queries(20, using="production"),
    ):
        transfer()


# --- Rows that cannot be loaded -------------------------------------------------------------


def forget_operator(monkeypatch, code):
    """Someone deletes an operator just after the run has read the master data."""

    def load_then_delete():
        master = load_master_data()
        Operatore.objects.filter(pk=code).delete()
        return master

    monkeypatch.setattr(pipeline, "load_master_data", load_then_delete)


def test_a_code_that_vanished_puts_its_row_in_error_and_no_neighbour(monkeypatch, assert_well):
    make_raw_operazioni(3, peso_effettivo="-1")
    bad = make_raw_operazione(codice_operatore="OOP3")
    make_raw_operazioni(3, peso_effettivo="-1")
    forget_operator(monkeypatch, "OOP3")

    run = transfer()

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (7, 6, 0, 1, 0)
    assert run.messaggio == "6 record caricati, 1 in errore."
    assert run.anomalie == AnomaliaOperazione.objects.count() == 6
    bad.refresh_from_db()
    assert (bad.stato, bad.esecuzione) == ("ERROR", run)
    assert bad.errore_codice in {"MYSQL_1452", "DATO_RIFIUTATO"}
    assert bad.errore_messaggio.endswith(".")
    assert bad.elaborato_il
    assert_well()


def test_a_row_in_error_waits_until_it_is_requeued(monkeypatch, assert_well):
    make_raw_operazione(codice_operatore="OOP3")
    forget_operator(monkeypatch, "OOP3")
    transfer()
    monkeypatch.undo()
    assert counters(transfer()) == (0, 0, 0, 0, 0)

    store.requeue(RawOperazione.objects.values_list("pk", flat=True), by=ANNA)

    assert counters(transfer()) == (1, 1, 0, 0, 0)
    assert Operazione.objects.get().anomalie.get().anomalia_id == 106
    row = RawOperazione.objects.get()
    assert (row.stato, row.errore_codice, row.errore_messaggio) == ("PROCESSED", None, None)
    assert_well()


@pytest.mark.parametrize("step", ["parse", "judge", "build"])
def test_a_defect_of_ours_on_one_row_does_not_hold_up_its_neighbours(monkeypatch, step):
    rows = make_raw_operazioni(5)
    honest = getattr(pipeline, step)

    def break_on_the_third(first, *args):
        if rows[2].uid in (getattr(first, "uid", None), first) or (
            hasattr(first, "raw") and first.raw.uid == rows[2].uid
        ):
            raise ZeroDivisionError("password=segreta")
        return honest(first, *args)

    monkeypatch.setattr(pipeline, step, break_on_the_third)

    run = transfer()

    assert counters(run) == (5, 4, 0, 1, 0)
    assert states() == ["PROCESSED", "PROCESSED", "ERROR", "PROCESSED", "PROCESSED"]
    rows[2].refresh_from_db()
    assert rows[2].errore_codice == "ERRORE_INTERNO"
    assert "segreta" not in rows[2].errore_messaggio


@pytest.mark.servers
def test_a_value_that_mysql_refuses_is_told_by_its_code(monkeypatch):
    rows = make_raw_operazioni(8)
    honest = pipeline.build

    def build(uid, *args):
        row = honest(uid, *args)
        if uid == rows[5].uid:
            return row._replace(anomalie=[(2, "nota", "c" * 51, None, "VALIDAZIONE")])
        return row

    monkeypatch.setattr(pipeline, "build", build)

    assert counters(transfer()) == (8, 7, 0, 1, 0)
    rows[5].refresh_from_db()
    assert (rows[5].stato, rows[5].errore_codice) == ("ERROR", "MYSQL_1406")


# --- Failures that pass ---------------------------------------------------------------------

PASSING = [
    OperationalError(1213, "Deadlock found"),
    OperationalError(1205, "Lock wait timeout exceeded"),
    OperationalError(2006, "Server has gone away"),
    OperationalError(2013, "Lost connection"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error.args[0]))
@pytest.mark.parametrize("table", ["operazioni", "forgiatura", "anomalia_operazione"])
def test_a_passing_failure_repeats_the_whole_batch(no_pauses, assert_well, error, table):
    make_mixed_rows()

    with failing(error, times=4, when=f"INSERT INTO {table} "):
        run = transfer(batch_size=10)

    assert (run.stato, counters(run)) == (Stato.OK, (6, 6, 0, 0, 0))
    assert run.anomalie == AnomaliaOperazione.objects.count() == 7
    assert len(no_pauses) == 4
    assert_well()


def test_pauses_grow_and_differ(no_pauses):
    make_raw_operazione()

    with failing(PASSING[0], times=4):
        transfer()

    for n, pause in enumerate(no_pauses):
        assert 0.5 * 0.2 * 2**n <= pause <= 1.5 * 0.2 * 2**n


def test_a_failure_that_does_not_pass_ends_the_run_and_rows_wait(no_pauses):
    make_raw_operazioni(5)

    with failing(PASSING[0], times=5):
        run = transfer()

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (5, 0, 0, 0, 5)
    assert "MySQL" in run.messaggio
    assert "5 record restano in attesa" in run.messaggio
    assert states() == ["PENDING"] * 5
    assert counters(transfer()) == (5, 5, 0, 0, 0)


def test_what_was_moved_before_the_failure_stays_moved(no_pauses, assert_well):
    make_raw_operazioni(5)
    away = failing(PASSING[3], times=99)

    run = transfer(batch_size=2, on_progress=lambda tally: away.__enter__())
    away.__exit__(None, None, None)

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (5, 2, 0, 0, 3)
    assert states() == ["PROCESSED"] * 2 + ["PENDING"] * 3
    assert counters(transfer()) == (3, 3, 0, 0, 0)
    assert_well()


def test_what_remains_is_counted_within_the_limit(no_pauses):
    make_raw_operazioni(5)

    with failing(PASSING[0], times=99):
        assert counters(transfer(limit=3)) == (3, 0, 0, 0, 3)


def test_mysql_away_leaves_rows_waiting_and_reception_open(api, no_pauses, production_away):
    make_raw_operazioni(2)

    with production_away():
        run = transfer()
        answer = api.post("/insert-postgres", [make_posted()], content_type="application/json")

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (2, 0, 0, 0, 2)
    assert run.messaggio.startswith("Il database di produzione (MySQL) non risponde.")
    assert answer.status_code == 200
    assert counters(transfer()) == (3, 3, 0, 0, 0)


@pytest.mark.servers
def test_mysql_killed_in_the_middle(api, monkeypatch, production_as, assert_well):
    monkeypatch.setattr("ingestion.runs.lease.FIRST_PAUSE_SECONDS", 0)
    make_raw_operazioni(6)
    with production_server() as server, production_as(PORT=server.port, PASSWORD=server.password):
        connections["production"].settings_dict["NAME"] = "etl"
        call_command("migrate", database="production", verbosity=0)
        make_plant()

        run = transfer(batch_size=2, on_progress=lambda tally: server.kill9())
        answer = api.post("/insert-postgres", [make_posted()], content_type="application/json")

        assert run.stato == Stato.PARZIALE
        assert counters(run) == (6, 2, 0, 0, 4)
        assert answer.status_code == 200
        assert states() == ["PROCESSED"] * 2 + ["PENDING"] * 5

        server.start()
        assert counters(transfer()) == (5, 5, 0, 0, 0)
        assert_well()


# --- Failures that do not pass --------------------------------------------------------------


def test_a_full_disk_stops_the_run_at_once(no_pauses):
    make_raw_operazioni(3)

    with failing(OperationalError(1114, "The table is full"), times=1):
        run = transfer()

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (3, 0, 0, 0, 3)
    assert "pieno" in run.messaggio
    assert no_pauses == []
    assert states() == ["PENDING"] * 3


def test_what_nobody_foresaw_is_an_error_of_the_run(no_pauses, caplog):
    make_raw_operazioni(3)

    with failing(ProgrammingError(1146, "Table 'segreta' doesn't exist"), times=1):
        run = transfer()

    assert run.stato == Stato.ERRORE
    assert counters(run) == (3, 0, 0, 0, 3)
    assert run.messaggio.startswith("Errore interno: vedere etl.log.")
    assert "segreta" not in run.messaggio
    assert "Table 'segreta' doesn't exist" in caplog.text
    assert no_pauses == []
    assert counters(transfer()) == (3, 3, 0, 0, 0)


# --- Another run takes over -----------------------------------------------------------------


def test_a_run_that_was_taken_for_dead_stops(assert_well, caplog):
    make_raw_operazioni(4)

    def take_over(tally):
        active = EsecuzioneEtl.objects.get(stato=Stato.IN_CORSO)
        close_dead(active, timezone.now())

    run = transfer(batch_size=2, on_progress=take_over)

    assert run.stato == Stato.INTERROTTA
    assert "another run took over" in caplog.text
    assert "run stopped" not in caplog.text
    assert states() == ["PROCESSED"] * 2 + ["PENDING"] * 2
    assert_well()
    assert counters(transfer()) == (2, 2, 0, 0, 0)


# --- Two at once ----------------------------------------------------------------------------


def at_once(spans_of, monkeypatch):
    """Two workers on the same rows: neither loads before both have claimed."""
    master, limits = load_master_data(), Limits()
    run, rival = started(), make_esecuzione()
    barrier = threading.Barrier(2, timeout=20)
    honest, waited, tallies = pipeline.load, threading.local(), []

    def load_together(*args):
        if not getattr(waited, "done", False):
            waited.done = True
            barrier.wait()
        return honest(*args)

    def work(owner):
        try:
            while True:
                try:
                    tallies.append(pipeline.transfer_span(owner, spans_of, master, limits))
                    return
                except Exception as error:
                    if classify(error) is not Failure.PASSING:
                        raise
        finally:
            connections.close_all()

    monkeypatch.setattr(pipeline, "load", load_together)
    threads = [threading.Thread(target=work, args=(owner,)) for owner in (run, rival)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tallies


@pytest.mark.servers
def test_two_workers_share_a_backlog(monkeypatch, assert_well):
    rows = make_raw_operazioni(20)

    tallies = at_once(Span(rows[0].pk, rows[-1].pk, tried=False), monkeypatch)

    assert sorted(tally.caricati for tally in tallies) == [0, 20]
    assert Operazione.objects.count() == 20
    assert states() == ["PROCESSED"] * 20
    assert_well()


@pytest.mark.servers
def test_two_workers_with_the_same_rows_in_hand_load_each_once(monkeypatch, assert_well):
    """Should locks ever fail us, the unique key still holds."""
    rows = make_raw_operazioni(20, peso_effettivo="-1")
    monkeypatch.setattr(pipeline, "claim", peek)

    tallies = at_once(Span(rows[0].pk, rows[-1].pk, tried=False), monkeypatch)

    assert sum(tally.caricati for tally in tallies) == 20
    assert sum(tally.gia_presenti for tally in tallies) == 20
    assert Operazione.objects.count() == Forgiatura.objects.count() == 20
    assert AnomaliaOperazione.objects.count() == 20
    assert_well()


# --- Death ----------------------------------------------------------------------------------


def test_an_error_between_the_two_commits_doubles_nothing(monkeypatch, table_contents):
    make_mixed_rows()

    def fail(*args):
        raise RuntimeError("between the commits")

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "mark_processed", fail)
        run = transfer()
    loaded = table_contents()

    assert run.stato == Stato.ERRORE
    assert counters(run) == (6, 0, 0, 0, 6)
    assert Operazione.objects.count() == 6
    assert states() == ["PENDING"] * 6

    again = transfer()

    assert (again.stato, counters(again)) == (Stato.OK, (6, 0, 6, 0, 0))
    assert table_contents() == loaded
    assert states() == ["PROCESSED"] * 6


CHILD = """
import json, os, signal, sys
from importlib import import_module
from django.conf import settings
for alias, name in json.loads(sys.argv[1]).items():
    settings.DATABASES[alias]["NAME"] = name
import django
django.setup()
from ingestion import jobs
from ingestion.runs import queue, running
def die():
    os.kill(os.getpid(), signal.SIGKILL)
{}
running.carry_out(queue.create("transfer", "comando"), jobs.TRANSFER)
"""

KILLED_AT = """
module, name = sys.argv[2].rsplit(".", 1)
honest, left = getattr(import_module(module), name), int(sys.argv[3])
def killed_at(*args, **kwargs):
    global left
    left -= 1
    return die() if left == 0 else honest(*args, **kwargs)
setattr(import_module(module), name, killed_at)
"""

KILLED_BY_A_ROW = """
from ingestion.transfer import pipeline
honest = pipeline.judge
def killed_by_a_row(parsed, *args):
    return die() if str(parsed.raw.uid) == sys.argv[2] else honest(parsed, *args)
pipeline.judge = killed_by_a_row
"""


def transfer_in_a_process_that_dies(patch, *arguments):
    names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(patch), json.dumps(names), *map(str, arguments)],
        cwd=settings.BASE_DIR,
        env=os.environ | {"TRANSFER_BATCH_SIZE": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


def transfer_until_done():
    """What the dead left locked is passed over until the server has noticed the death."""
    for _ in range(20):
        run = carry_out(make_esecuzione(), jobs.TRANSFER)
        if not RawOperazione.objects.filter(stato="PENDING").exists():
            return run
        time.sleep(0.1)
    raise AssertionError(states())


@pytest.mark.parametrize(
    ("where", "hit", "loaded", "processed"),
    [
        ("ingestion.transfer.pipeline.claim", 1, 0, 0),
        ("ingestion.transfer.load._insert_many", 1, 0, 0),
        ("ingestion.transfer.load._insert_many", 3, 0, 0),
        ("ingestion.transfer.outcomes.mark_processed", 1, 3, 0),
        ("ingestion.transfer.outcomes.mark_processed", 2, 6, 3),
        ("ingestion.transfer.outcomes.mark_refused", 1, 3, 0),
        ("ingestion.runs.running.finish", 1, 6, 6),
    ],
)
def test_a_process_killed_anywhere_loses_and_doubles_nothing(
    table_contents, assert_well, where, hit, loaded, processed
):
    make_mixed_rows()

    transfer_in_a_process_that_dies(KILLED_AT, where, hit)

    assert Operazione.objects.count() == loaded
    assert states().count("PROCESSED") == processed
    dead = EsecuzioneEtl.objects.get()
    assert dead.stato == Stato.IN_CORSO
    before = table_contents()

    run = transfer_until_done()

    dead.refresh_from_db()
    assert dead.stato == Stato.INTERROTTA
    assert run.stato == Stato.OK
    assert states() == ["PROCESSED"] * 6
    assert Operazione.objects.count() == 6
    assert AnomaliaOperazione.objects.count() == 7
    for table, rows in table_contents().items():
        assert rows[: len(before[table])] == before[table]
    assert_well()


def test_a_row_that_kills_its_process_is_set_aside_at_the_third_death(assert_well):
    rows = make_raw_operazioni(3)
    killer = make_raw_operazione()

    for deaths in (1, 2, 3):
        transfer_in_a_process_that_dies(KILLED_BY_A_ROW, killer.uid)
        killer.refresh_from_db()
        assert (killer.stato, killer.tentativi) == ("PENDING", deaths - 1)
    run = transfer_until_done()

    killer.refresh_from_db()
    assert (killer.stato, killer.errore_codice) == ("ERROR", "PROCESSO_TERMINATO")
    assert killer.errore_messaggio.endswith(".")
    assert (run.stato, run.in_errore) == (Stato.PARZIALE, 1)
    assert states() == ["PROCESSED"] * len(rows) + ["ERROR"]
    assert_well()


@pytest.mark.parametrize(
    ("deaths", "stato"), [(1, "PROCESSED"), (2, "PROCESSED"), (3, "ERROR"), (4, "ERROR")]
)
def test_how_often_a_row_may_be_in_hand_at_a_death(deaths, stato):
    make_raw_operazione(tentativi=deaths)

    assert counters(transfer())[0] == 1
    assert states() == [stato]


@pytest.mark.parametrize("stato", ["PROCESSED", "ERROR"])
def test_a_row_that_is_settled_is_not_set_aside(stato):
    make_raw_operazione(tentativi=3, stato=stato, errore_codice="ALTRO")

    assert counters(transfer()) == (0, 0, 0, 0, 0)
    row = RawOperazione.objects.get()
    assert (row.stato, row.errore_codice) == (stato, "ALTRO")


def test_rows_in_hand_at_a_death_are_tried_one_by_one():
    rows = make_raw_operazioni(3)
    make_dead_esecuzione(batch_da=rows[0].pk, batch_a=rows[2].pk)
    sizes = []

    run = transfer(on_progress=lambda tally: sizes.append(tally.letti))

    assert sizes == [1, 2, 3]
    assert counters(run) == (3, 3, 0, 0, 0)


def test_a_run_that_sets_rows_aside_and_stops_still_balances(no_pauses):
    for _ in range(3):
        make_raw_operazione(tentativi=3)
    make_raw_operazioni(2)

    with failing(PASSING[0], times=99):
        run = transfer(limit=1)

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (4, 0, 0, 3, 1)


# --- A dry run ------------------------------------------------------------------------------


def test_a_preview_says_what_a_transfer_would_do_and_changes_nothing(table_contents):
    make_mixed_rows()
    transfer(limit=1)
    RawOperazione.objects.update(stato="PENDING")
    before = (table_contents(), table_contents("raw_operazione", "esecuzione_etl", alias="default"))

    tally, kinds = pipeline.preview(pipeline.TransferOptions(Limits(), 2))

    after = (table_contents(), table_contents("raw_operazione", "esecuzione_etl", alias="default"))
    assert after == before
    assert (tally.letti, tally.caricati, tally.gia_presenti) == (6, 5, 1)
    assert kinds == Counter({101: 1, 2: 1, 3: 2, 105: 1, 108: 1, 999: 1})
    assert tally.anomalie == 7


def test_a_preview_keeps_to_the_limit():
    make_raw_operazioni(5)

    tally, _ = pipeline.preview(pipeline.TransferOptions(Limits(), 2, limit=3))

    assert tally.letti == 3
