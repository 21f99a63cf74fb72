"""The run row as lease: who may start, who is dead, who must stop."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from django_q.models import OrmQ

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs import queue
from ingestion.runs.lease import Lease, LeaseLost, RowTally, finish
from ingestion.runs.listing import as_json
from ingestion.runs.queue import (
    RunAlreadyActive,
    close_dead,
    is_dead,
    living_run,
    start_when_free,
    this_process,
)
from tests.builders import (
    make_active_esecuzione,
    make_dead_esecuzione,
    make_esecuzione,
    make_raw_operazione,
    make_raw_operazioni,
)

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
DEAD_AFTER = timedelta(minutes=3)


def start_now(run):
    queue.start(run, DEAD_AFTER, timezone.now())


def tries():
    return list(RawOperazione.objects.order_by("pk").values_list("tentativi", flat=True))


# --- One at a time --------------------------------------------------------------------------


def test_a_queued_run_starts():
    run = make_esecuzione()

    start_now(run)

    assert run.stato == Stato.IN_CORSO
    assert run.iniziata_il == run.battito_il
    assert run.processo == this_process()


def test_a_second_start_is_refused():
    active = make_active_esecuzione()
    second = make_esecuzione()

    with pytest.raises(RunAlreadyActive) as refusal:
        start_now(second)

    assert refusal.value.active == active
    second.refresh_from_db()
    assert second.stato == Stato.IN_CODA


def test_runs_of_two_kinds_do_not_wait_for_each_other():
    make_active_esecuzione(tipo=EsecuzioneEtl.Tipo.ORDINI)
    run = make_esecuzione()

    start_now(run)

    assert run.stato == Stato.IN_CORSO


def test_of_many_starts_at_once_one_wins():
    contenders = [make_esecuzione() for _ in range(4)]
    barrier = threading.Barrier(len(contenders))
    outcomes = []

    def contend(run):
        try:
            barrier.wait()
            start_now(run)
            outcomes.append("started")
        except RunAlreadyActive:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=contend, args=(run,)) for run in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused", "refused", "refused", "started"]
    assert EsecuzioneEtl.objects.filter(stato=Stato.IN_CORSO).count() == 1


@pytest.mark.parametrize("stato", [Stato.OK, Stato.ERRORE, Stato.INTERROTTA])
def test_a_run_starts_only_from_the_queue(stato):
    run = make_esecuzione(stato=stato)

    with pytest.raises(LeaseLost):
        start_now(run)


def test_a_start_that_the_database_refuses_for_another_reason_ends(monkeypatch):
    """No other run is active: trying for ever would keep the worker for ever."""
    tries = []

    def refuse(run, now):
        tries.append(run)
        raise IntegrityError

    monkeypatch.setattr(queue, "_take_lease", refuse)

    with pytest.raises(IntegrityError):
        start_now(make_esecuzione())
    assert len(tries) == queue.MAX_STARTS


def test_a_start_is_tried_again_when_the_active_run_ends_in_that_moment(monkeypatch):
    run, claim = make_esecuzione(), queue._take_lease
    refusals = [IntegrityError]

    def refuse_once(run, now):
        if refusals:
            raise refusals.pop()
        return claim(run, now)

    monkeypatch.setattr(queue, "_take_lease", refuse_once)
    start_now(run)

    assert run.stato == Stato.IN_CORSO


def test_a_finished_run_frees_its_place():
    first, second = make_esecuzione(), make_esecuzione()
    start_now(first)
    finish(first, Stato.OK, "Fatto.", letti=1, caricati=1)

    start_now(second)

    assert (first.stato, first.messaggio, first.letti) == (Stato.OK, "Fatto.", 1)
    assert first.finita_il
    assert second.stato == Stato.IN_CORSO


# --- Patience -------------------------------------------------------------------------------


def test_waits_for_the_active_run_to_end(monkeypatch):
    active, waiting = make_active_esecuzione(), make_esecuzione()
    monkeypatch.setattr(time, "sleep", lambda seconds: finish(active, Stato.OK, "Fatto."))

    start_when_free(waiting, DEAD_AFTER, timedelta(seconds=5))

    assert waiting.stato == Stato.IN_CORSO


def test_gives_up_when_patience_ends(monkeypatch):
    make_active_esecuzione()
    waiting = make_esecuzione()
    pauses = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses))
    monkeypatch.setattr(queue, "time", clock)

    with pytest.raises(RunAlreadyActive):
        start_when_free(waiting, DEAD_AFTER, timedelta(seconds=5))

    assert 5 <= sum(pauses) <= 5 + max(pauses)


# --- The dead -------------------------------------------------------------------------------


def vanished_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@contextmanager
def ended_but_not_asked_for():
    """A zombie: its parent has not asked how it ended."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()  # until it ends
    try:
        yield process.pid
    finally:
        process.wait()


def here(pid):
    return f"{socket.gethostname()}:{pid}"


def test_a_silent_run_is_taken_over():
    dead, run = make_dead_esecuzione(), make_esecuzione()

    start_now(run)

    dead.refresh_from_db()
    assert dead.stato == Stato.INTERROTTA
    assert dead.finita_il
    assert "processo si è fermato" in dead.messaggio
    assert run.stato == Stato.IN_CORSO


def test_a_run_whose_process_vanished_is_taken_over_at_once():
    dead = make_active_esecuzione(processo=here(vanished_pid()))
    run = make_esecuzione()

    start_now(run)

    dead.refresh_from_db()
    assert dead.stato == Stato.INTERROTTA


def test_a_process_that_ended_is_gone_though_its_parent_has_not_noticed():
    with ended_but_not_asked_for() as pid:
        for _ in range(100):
            if is_dead(run_of(pid), DEAD_AFTER, timezone.now()):
                return
            time.sleep(0.02)
    pytest.fail("a zombie is taken for alive")


def run_of(pid):
    return EsecuzioneEtl(processo=here(pid), battito_il=timezone.now())


@pytest.mark.parametrize(
    ("processo", "age", "dead"),
    [
        ("altro-host:1", DEAD_AFTER - timedelta(seconds=1), False),
        ("altro-host:1", DEAD_AFTER + timedelta(seconds=1), True),
        ("", timedelta(0), False),
        (this_process(), timedelta(0), False),
        (here(1), timedelta(0), False),
        (this_process(), DEAD_AFTER + timedelta(seconds=1), True),  # alive, but stuck
        (here("x"), timedelta(0), False),
    ],
    ids=[
        "elsewhere",
        "stuck elsewhere",
        "unknown",
        "this",
        "one that ended",
        "this, stuck",
        "none",
    ],
)
def test_who_is_dead(processo, age, dead):
    now = timezone.now()
    run = EsecuzioneEtl(processo=processo, battito_il=now - age)

    assert is_dead(run, DEAD_AFTER, now) is dead


def test_another_users_process_lives(monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(queue.os, "kill", refuse)

    assert not is_dead(run_of(vanished_pid()), DEAD_AFTER, timezone.now())


@pytest.mark.parametrize(
    ("make", "lives"),
    [(make_active_esecuzione, True), (make_dead_esecuzione, False), (make_esecuzione, False)],
)
def test_who_keeps_others_from_starting(make, lives):
    run = make()

    assert living_run("transfer", DEAD_AFTER) == (run if lives else None)
    assert living_run("ordini", DEAD_AFTER) is None


def test_a_run_that_never_beat_is_dead():
    assert is_dead(EsecuzioneEtl(processo="altro-host:1"), DEAD_AFTER, timezone.now())


def test_the_rows_it_had_in_hand_are_tried_once_more():
    rows = make_raw_operazioni(5)
    make_dead_esecuzione(batch_da=rows[1].pk, batch_a=rows[3].pk)

    start_now(make_esecuzione())

    assert tries() == [0, 1, 1, 1, 0]


def test_only_rows_still_pending_count_a_try():
    rows = [make_raw_operazione(stato=stato) for stato in ("PENDING", "PROCESSED", "ERROR")]
    make_dead_esecuzione(batch_da=rows[0].pk, batch_a=rows[2].pk)

    start_now(make_esecuzione())

    assert tries() == [1, 0, 0]


def test_a_run_that_died_between_batches_had_nothing_in_hand():
    make_raw_operazione()
    make_dead_esecuzione()

    start_now(make_esecuzione())

    assert tries() == [0]


def test_a_row_of_another_batch_that_lies_between_is_not_blamed():
    """A batch of new rows passes over those that were in hand before: they go one by one."""
    rows = [make_raw_operazione(tentativi=count) for count in (0, 2, 0)]
    make_dead_esecuzione(batch_da=rows[0].pk, batch_a=rows[2].pk)

    start_now(make_esecuzione())

    assert tries() == [1, 2, 1]


def test_a_row_that_was_alone_in_hand_is_blamed_again():
    row = make_raw_operazione(tentativi=2)
    make_dead_esecuzione(batch_da=row.pk, batch_a=row.pk)

    start_now(make_esecuzione())

    assert tries() == [3]


def test_a_run_that_comes_back_to_life_is_not_closed():
    dead = make_dead_esecuzione(batch_da=make_raw_operazione().pk, batch_a=10**9)
    seen = EsecuzioneEtl.objects.get(pk=dead.pk)
    Lease(dead, RowTally()).beat()

    close_dead(seen, timezone.now())

    dead.refresh_from_db()
    assert dead.stato == Stato.IN_CORSO
    assert tries() == [0]


def test_two_that_find_the_same_run_dead_blame_its_rows_once():
    row = make_raw_operazione()
    dead = make_dead_esecuzione(batch_da=row.pk, batch_a=row.pk)
    seen = EsecuzioneEtl.objects.get(pk=dead.pk)

    close_dead(dead, timezone.now())
    close_dead(seen, timezone.now())

    assert tries() == [1]


# --- The lease is lost ----------------------------------------------------------------------


def test_a_heartbeat_keeps_the_counters():
    run = make_active_esecuzione()

    Lease(run, RowTally(letti=5)).beat(batch_da=1, batch_a=9)

    before = run.battito_il
    run.refresh_from_db()
    assert (run.letti, run.batch_da, run.batch_a) == (5, 1, 9)
    assert run.battito_il > before


def test_a_run_that_was_closed_must_stop():
    old = make_dead_esecuzione()
    start_now(make_esecuzione())

    with pytest.raises(LeaseLost):
        Lease(old, RowTally()).beat()


def test_a_run_that_was_closed_stays_closed():
    old = make_dead_esecuzione()
    start_now(make_esecuzione())

    finish(old, Stato.OK, "Fatto.", caricati=9)

    assert old.stato == Stato.INTERROTTA
    assert old.caricati == 0


# --- The queue ------------------------------------------------------------------------------


def test_a_run_is_queued_with_its_task():
    run = queue.enqueue("transfer", "admin", avviata_da="anna", request_id="r-1")

    assert (run.tipo, run.origine, run.stato) == ("transfer", "admin", Stato.IN_CODA)
    assert (run.avviata_da, run.request_id) == ("anna", "r-1")
    assert [entry.task["args"] for entry in OrmQ.objects.all()] == [(run.pk,)]


def test_a_run_that_waits_is_joined():
    first = queue.enqueue("transfer", "api")

    assert queue.enqueue("transfer", "admin") == first
    assert OrmQ.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"creata_il": timezone.now() - queue.JOINABLE_FOR - timedelta(seconds=5)},
        {"tipo": EsecuzioneEtl.Tipo.ORDINI},
        {"stato": Stato.IN_CORSO},
        {"stato": Stato.OK},
        {"origine": "comando"},  # started by who made it, perhaps before our commit
        {"origine": "pianificata"},
    ],
)
def test_another_run_is_not_joined(other):
    old = make_esecuzione(**({"origine": "api"} | other))

    assert queue.enqueue("transfer", "api") != old
    assert OrmQ.objects.count() == 1


@pytest.mark.servers
def test_a_run_that_is_joined_starts_after_our_commit():
    """It waits for our row lock, so it sees the rows that we are about to store."""
    run = queue.enqueue("transfer", "api")
    started = threading.Event()
    order = []

    def begin():
        try:
            started.set()
            start_now(run)
            order.append(("started", RawOperazione.objects.count()))
        finally:
            connections.close_all()

    thread = threading.Thread(target=begin)
    with transaction.atomic(using="default"):
        queue.enqueue("transfer", "api")
        make_raw_operazione()
        thread.start()
        started.wait()
        thread.join(timeout=0.3)
        order.append("commit")
    thread.join()

    assert order == ["commit", ("started", 1)]


def test_a_queued_run_that_never_started_is_closed():
    lost = make_esecuzione(creata_il=timezone.now() - queue.LOST_AFTER - timedelta(seconds=5))
    fresh = make_esecuzione()
    active = make_active_esecuzione(creata_il=timezone.now() - timedelta(days=1))

    assert queue.close_lost("transfer", timezone.now()) == 1

    for run in (lost, fresh, active):
        run.refresh_from_db()
    assert [run.stato for run in (lost, fresh, active)] == [
        Stato.INTERROTTA,
        Stato.IN_CODA,
        Stato.IN_CORSO,
    ]
    assert lost.messaggio


def test_log_lines_name_the_run_and_the_request_that_asked_for_it():
    assert EsecuzioneEtl(pk=7, request_id="r-1").log_extra() == {
        "esecuzione": 7,
        "request_id": "r-1",
    }
    assert EsecuzioneEtl(pk=7).log_extra()["request_id"] == "-"


# --- How a run looks ------------------------------------------------------------------------

TEXTS = {"tipo", "origine", "avviata_da", "stato", "iniziata_il", "finita_il", "messaggio"}
NUMBERS = {
    "id",
    "durata_s",
    "letti",
    "caricati",
    "gia_presenti",
    "in_errore",
    "anomalie",
    "rimanenti",
}


@pytest.mark.parametrize("make", [make_esecuzione, make_active_esecuzione, make_dead_esecuzione])
def test_a_run_has_the_same_members_and_types_from_start_to_end(make):
    shown = as_json(make())

    assert set(shown) == TEXTS | NUMBERS
    assert all(isinstance(shown[name], str) for name in TEXTS)
    assert all(isinstance(shown[name], int | float) for name in NUMBERS)


def test_times_of_a_run():
    began = datetime(2024, 12, 20, 10, 0, 0, 123456, tzinfo=UTC)
    run = make_esecuzione(
        stato=Stato.OK, iniziata_il=began, finita_il=began + timedelta(seconds=90.5)
    )

    shown = as_json(run)

    assert shown["iniziata_il"] == "2024-12-20T10:00:00.123Z"
    assert shown["durata_s"] == 90.5
    assert as_json(make_esecuzione())["iniziata_il"] == ""
