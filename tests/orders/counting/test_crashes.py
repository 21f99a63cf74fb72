"""An update that is stopped anywhere, by anything, counts each operation once all the same."""

import itertools
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections, transaction

from ingestion.models import EsecuzioneEtl
from ingestion.runs.queue import RunAlreadyActive
from ingestion.runs.running import carry_out, do_work
from orders import jobs
from orders.counting import chunk
from orders.counting.run import Counting, CountingOptions
from orders.models import Magazzino, MovimentoProduzione, Ordine, PezzoOrdine
from production.models import Cnc, Operazione
from tests.builders import make_active_esecuzione, make_plant
from tests.orders.builders import (
    make_forgiature,
    make_lavorazioni,
    make_riga,
    make_scorta,
    make_update,
)
from tests.orders.shift import expected_figures, figures, make_shift
from tests.servers import production_server

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("workshop"),
]

Stato = EsecuzioneEtl.Stato
FEWEST_STATEMENTS = 15  # of a shift's chunk; fewer would mean that the loops see no chunk


class Statements:
    """Counts the statements on the production database; at the ``at``-th something happens."""

    def __init__(self, at=0, happen=None, after=False):
        self.at, self.happen, self.after = at, happen, after
        self.seen = 0

    def __enter__(self):
        self.wrapper = connections["production"].execute_wrapper(self)
        self.wrapper.__enter__()
        return self

    def __exit__(self, *failure):
        self.wrapper.__exit__(*failure)

    def __call__(self, proceed, sql, params, many, context):
        self.seen += 1
        now = self.seen == self.at
        if now and not self.after:
            self.happen()
        result = proceed(sql, params, many, context)
        if now and self.after:
            self.happen()
        return result


def update_in_this_process():
    return carry_out(make_update(), jobs.COUNTING)


def assert_counted_once(shift):
    assert figures(shift) == expected_figures(shift)
    assert not Operazione.objects.filter(da_contare=True).exists()


# --- An exception at each statement ---------------------------------------------------------


def raising(error):
    def happen():
        raise error

    return happen


def test_an_error_at_any_statement_leaves_nothing_half_done(order_tables, assert_well):
    for position in itertools.count(1):
        shift = make_shift(position)
        before = order_tables()
        with Statements(position, raising(ZeroDivisionError())) as statements:
            run = update_in_this_process()
        if statements.seen < position:  # it went through
            break
        assert run.stato == Stato.ERRORE
        if figures(shift)["contate"]:  # the chunk was done already
            assert figures(shift) == expected_figures(shift)
        else:
            assert order_tables() == before, f"at statement {position}"
        update_in_this_process()
        assert_counted_once(shift)
    assert position > FEWEST_STATEMENTS
    assert_well()


def test_a_passing_failure_at_any_statement_is_tried_again(no_pauses, assert_well):
    for position in itertools.count(1):
        shift = make_shift(position)
        with Statements(position, raising(OperationalError(1213, "Deadlock found"))) as statements:
            run = update_in_this_process()
        assert run.stato == Stato.OK
        assert_counted_once(shift)
        if statements.seen < position:
            break
    assert len(no_pauses) == position - 1 >= FEWEST_STATEMENTS
    assert_well()


# --- SIGKILL at each statement --------------------------------------------------------------


def killed_after(position, action):
    """Runs ``action`` in a child that kills itself when its ``position``-th statement is done.

    Returns whether it came to that.
    """
    connections.close_all()
    child = os.fork()
    if not child:
        death = Statements(position, lambda: os.kill(os.getpid(), signal.SIGKILL), after=True)
        with suppress(BaseException), death:
            action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def wait_for_the_dead():
    """Until the server has noticed: what the dead held is passed over by the next update."""
    uncounted = chunk.uncounted()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with transaction.atomic(using="production"):
            free = uncounted.select_for_update(skip_locked=True).values_list("pk", flat=True)
            if len(free) == uncounted.count():
                return
    pytest.fail("the server still holds what a dead process had locked")


@pytest.mark.servers
def test_a_kill_between_any_two_statements_counts_nothing_twice_and_loses_nothing(assert_well):
    for position in itertools.count(1):
        shift = make_shift(position)
        killed = killed_after(position, update_in_this_process)
        wait_for_the_dead()
        done = figures(shift)["contate"]
        assert done in (Counter(), expected_figures(shift)["contate"]), f"after {position}"
        update_in_this_process()
        assert_counted_once(shift)
        if not killed:
            break
    assert position > FEWEST_STATEMENTS
    assert EsecuzioneEtl.objects.filter(stato=Stato.INTERROTTA).count() == position - 1
    assert_well()


@pytest.mark.servers
def test_kills_without_rest_between_small_chunks(assert_well):
    """Ever more statements until one run gets through: a history of deaths, nothing mended."""
    shifts = [make_shift(number) for number in range(3)]
    position = 3
    while killed_after(position, lambda: in_chunks(2)):
        wait_for_the_dead()
        assert_well()
        position += 7
    for shift in shifts:
        found = figures(shift) | {"movimenti": None}
        assert found == expected_figures(shift) | {"movimenti": None}
    assert_well()


def in_chunks(chunk_size):
    return carry_out(make_update(), jobs.COUNTING, Counting(CountingOptions(chunk_size=chunk_size)))


# --- The server dies ------------------------------------------------------------------------

SERVER_DIES_AT = ("pezzi_ordine", "`ordine`")


@contextmanager
def server_dying_at(server, table, after):
    """The server is killed at the first statement that writes the table."""
    left = 1

    def execute(proceed, sql, params, many, context):
        nonlocal left
        now = left and table in sql and sql.startswith(("INSERT", "UPDATE"))
        left -= bool(now)
        if now and not after:
            server.kill9()
        result = proceed(sql, params, many, context)
        if now and after:
            server.kill9()
        return result

    with connections["production"].execute_wrapper(execute):
        yield
    assert not left, f"no statement wrote {table}"


@pytest.mark.servers
def test_mysql_killed_in_the_middle_and_brought_back(monkeypatch, production_as, assert_well):
    with production_server() as server, production_as(PORT=server.port, PASSWORD=server.password):
        connections["production"].settings_dict["NAME"] = "etl"
        call_command("migrate", database="production", verbosity=0)
        make_plant()
        real_sleep = time.sleep

        def bring_back(seconds):
            if server.pid is None:
                monkeypatch.setattr(time, "sleep", real_sleep)
                server.start()
                monkeypatch.setattr(time, "sleep", bring_back)

        for number, table in enumerate(SERVER_DIES_AT):
            shift = make_shift(number)
            monkeypatch.setattr(time, "sleep", bring_back)
            with server_dying_at(server, table, after=number % 2):
                run = update_in_this_process()
            assert (run.stato, run.caricati) == (Stato.OK, 7), table
            assert_counted_once(shift)

        shift = make_shift("last")
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        with server_dying_at(server, "magazzino", after=True):
            run = update_in_this_process()
        assert (run.stato, run.caricati) == (Stato.PARZIALE, 0)
        assert "MySQL" in run.messaggio
        monkeypatch.setattr(time, "sleep", real_sleep)
        server.start()
        assert figures(shift)["contate"] == {}
        assert update_in_this_process().stato == Stato.OK
        assert_counted_once(shift)
        assert_well()


def test_a_commit_whose_answer_is_lost(monkeypatch, no_pauses, assert_well):
    """The chunk is in, and we are told that the connection broke: it must not be done again."""
    shift = make_shift()
    wrapper = type(connections["production"])
    honest = wrapper._commit
    lost = []

    def commit(self):
        honest(self)
        if self.alias == "production" and MovimentoProduzione.objects.exists() and not lost:
            lost.append(1)
            raise OperationalError(2013, "Lost connection to server during query")

    monkeypatch.setattr(wrapper, "_commit", commit)

    run = update_in_this_process()

    assert (lost, run.stato) == ([1], Stato.OK)
    assert_counted_once(shift)
    assert_well()


# --- Rivals ---------------------------------------------------------------------------------


def in_a_thread(action):
    def work():
        try:
            action()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.servers
def test_two_updates_at_once_count_each_operation_once(monkeypatch, assert_well):
    """Both believe that they hold the lease, and each chunk of one meets one of the other."""
    shifts = [make_shift(number) for number in range(6)]
    make_riga(8, "PZC01", 25)
    make_riga(8, "PZC20", 100)
    make_forgiature(30)
    make_lavorazioni(45)
    first, second = make_active_esecuzione(tipo="ordini"), make_active_esecuzione(tipo="transfer")
    monkeypatch.setattr("ingestion.runs.lease.FIRST_PAUSE_SECONDS", 0.01)
    together = threading.Barrier(2, timeout=20)
    honest = chunk.take

    def take(size):
        rows = honest(size)
        with suppress(threading.BrokenBarrierError):
            together.wait(0.5)
        return rows

    monkeypatch.setattr(chunk, "take", take)
    threads = [
        in_a_thread(lambda run=run: do_work(run, Counting(CountingOptions(chunk_size=10))))
        for run in (first, second)
    ]
    for thread in threads:
        thread.join()

    for run in (first, second):
        run.refresh_from_db()
    counted = MovimentoProduzione.objects.count()
    assert counted == Operazione.objects.count() == 6 * 7 + 75
    assert first.caricati + second.caricati == counted
    assert min(first.caricati, second.caricati) >= 20
    for shift in shifts:
        assert figures(shift)["righe"] == expected_figures(shift)["righe"]
        assert figures(shift)["scorte"] == expected_figures(shift)["scorte"]
    lines = {
        line.pezzo_id: line.quantita_rimanente for line in PezzoOrdine.objects.filter(ordine=8)
    }
    assert lines == {"PZC01": 0, "PZC20": 100 - 22}
    assert Magazzino.objects.get(pezzo="PZC01").quantita_disponibile == 5
    assert_well()


@pytest.mark.servers
def test_two_processes_at_once_count_each_operation_once(assert_well):
    """Each process as the other's rival, without the lease that keeps them apart."""
    make_riga(8, "PZC01", 150)
    make_forgiature(200)
    leases = [make_active_esecuzione(tipo=tipo).pk for tipo in ("ordini", "transfer")]
    connections.close_all()
    children = []
    for lease in leases:
        child = os.fork()
        if not child:
            code = 1
            with suppress(BaseException):
                run = EsecuzioneEtl.objects.get(pk=lease)
                do_work(run, Counting(CountingOptions(chunk_size=7)))
                code = 0
            os._exit(code)
        children.append(child)

    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]

    counted = [EsecuzioneEtl.objects.get(pk=lease).caricati for lease in leases]
    assert sum(counted) == MovimentoProduzione.objects.count() == 200
    assert PezzoOrdine.objects.get(ordine=8).quantita_rimanente == 0
    assert Magazzino.objects.get().quantita_disponibile == 50
    assert_well()


@pytest.fixture
def pauses(monkeypatch):
    """What the first pause between two tries sets off is put in ``then``."""
    seen = type("Pauses", (), {"count": 0, "then": staticmethod(lambda: None)})()

    def pause(seconds):
        seen.count += 1
        seen.then()

    monkeypatch.setattr(time, "sleep", pause)
    return seen


@pytest.mark.servers
def test_a_rival_that_holds_a_line_is_waited_for(pauses, assert_well, monkeypatch):
    """On a lock wait the server undoes the statement alone: the whole chunk starts again."""
    make_riga(8, "PZC01", 10)
    make_forgiature(3)
    holding, tried = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(using="production"):
            PezzoOrdine.objects.select_for_update().get(ordine=8)
            holding.set()
            tried.wait(20)

    rival = in_a_thread(hold)
    assert holding.wait(20)
    pauses.then = lambda: (tried.set(), rival.join())
    short = "SET SESSION innodb_lock_wait_timeout = 1"
    options = connections["production"].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "init_command", short)

    run = update_in_this_process()

    assert (run.stato, run.caricati, pauses.count) == (Stato.OK, 3, 1)
    assert PezzoOrdine.objects.get().quantita_rimanente == 7
    connections["production"].close()
    assert_well()


@pytest.mark.servers
def test_a_deadlock_with_a_rival_is_tried_again(pauses, assert_well):
    """It holds stock and wants the order, we the other way round; it has more to undo."""
    make_riga(8, "PZC01", 10)
    scorta = make_scorta("PZC01", 50)
    make_forgiature(3)
    make_forgiature(200, ordine_id=None, da_contare=None)
    holding = threading.Event()

    def cross():
        with transaction.atomic(using="production"):
            Operazione.objects.filter(da_contare=None).update(durata=1)
            Magazzino.objects.select_for_update().get(pk=scorta.pk)
            holding.set()
            wait_for_a_lock_wait()
            Ordine.objects.select_for_update().get(pk=8)

    rival = in_a_thread(cross)
    assert holding.wait(20)

    run = update_in_this_process()

    rival.join()
    assert (run.stato, run.caricati, pauses.count) == (Stato.OK, 3, 1)
    assert PezzoOrdine.objects.get().quantita_rimanente == 7
    assert Magazzino.objects.get().quantita_disponibile == 50
    Operazione.objects.filter(ordine=None).delete()
    assert_well()


def wait_for_a_lock_wait():
    """The server renews that table only for who has not read it for a tenth of a second."""
    query = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    for _ in range(100):
        threading.Event().wait(0.15)
        with connections["production"].cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0]:
                return


@pytest.mark.servers
def test_operations_that_a_rival_holds_are_passed_over(update, assert_well):
    make_riga(8, "PZC01", 10)
    held, *others = make_forgiature(3)
    holding, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(using="production"):
            Operazione.objects.select_for_update().get(pk=held.pk)
            holding.set()
            done.wait(20)

    rival = in_a_thread(hold)
    assert holding.wait(20)

    assert update().caricati == len(others)

    done.set()
    rival.join()
    assert update().caricati == 1
    assert PezzoOrdine.objects.get().quantita_rimanente == 7
    assert_well()


@pytest.mark.servers
def test_a_detail_row_that_someone_holds_does_not_lose_its_pieces(update, assert_well):
    make_riga(8, "PZC20", 10)
    make_lavorazioni(2)
    holding, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(using="production"):
            Cnc.objects.update(tipo_fermo=None)
            holding.set()
            done.wait(20)

    rival = in_a_thread(hold)
    assert holding.wait(20)

    update()

    done.set()
    rival.join()
    assert PezzoOrdine.objects.get().quantita_rimanente == 9
    assert_well()


def test_updates_at_once_do_not_start_beside_each_other():
    make_riga()
    make_forgiature(2)
    make_active_esecuzione(tipo="ordini")
    run = make_update()

    with pytest.raises(RunAlreadyActive):
        carry_out(run, jobs.COUNTING)

    run.refresh_from_db()
    assert run.stato == Stato.INTERROTTA
    assert not MovimentoProduzione.objects.exists()
