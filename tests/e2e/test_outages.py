"""Servers that stop, workers that are killed, two transfers at once, hours of downtime.

The servers here are this file's own, so that it may stop them.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.mixed_records import body_of, mixed_cases, plant_records
from tests.flow_engine import FlowEngine
from tests.length import either
from tests.portal import LivePortal
from tests.servers import MariadbServer, PostgresqlServer, Server

pytestmark = pytest.mark.servers

BATCH = 500


@pytest.fixture(scope="module")
def living(postgresql: PostgresqlServer, mariadb: MariadbServer) -> Iterator[LivePortal]:
    """With small batches, so that a kill has many places to fall."""
    settings = {"TRANSFER_BATCH_SIZE": str(BATCH)}
    with LivePortal(
        postgresql_url=postgresql.url, mysql_url=mariadb.url, settings=settings
    ) as portal:
        yield portal


@pytest.fixture
def portal(living: LivePortal) -> LivePortal:
    living.empty()
    return living


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def assert_nothing_lost_or_doubled(portal: LivePortal, sent: int) -> None:
    """All PROCESSED, each uid exactly once in ``operazioni``, and ``verifica`` content."""
    assert portal.sql("default", "SELECT stato, count(*) FROM raw_operazione GROUP BY stato") == [
        ("PROCESSED", sent)
    ]
    received = portal.sql("default", "SELECT uid FROM raw_operazione")
    loaded = portal.sql("production", "SELECT raw_uid FROM operazioni")
    assert uids(loaded) == uids(received)
    verifica = portal.manage("verifica")
    assert verifica.returncode == 0, verifica.stdout


def uids(rows: list[tuple[Any, ...]]) -> list[UUID]:
    """As one type: some drivers give text, and MySQL keeps it without hyphens."""
    return sorted(UUID(str(uid)) for (uid,) in rows)


# --- MySQL away -----------------------------------------------------------------------------


def test_mysql_stopped(portal: LivePortal, mariadb: MariadbServer) -> None:
    """Reception goes on, the run says so, rows wait; the next transfer loads them all."""
    records = list(plant_records(1200))
    assert portal.post("/insert-postgres", records[:600]).status == 200
    with stopped(mariadb):
        assert portal.post("/insert-postgres", records[600:]).status == 200
        status = portal.request("GET", "/status")
        assert (status.status, status.json["db"]) == (200, {"postgresql": True, "mysql": False})
        run = portal.transfer()
        assert run["stato"] == "PARZIALE"
        assert "MySQL" in run["messaggio"]
        assert [run[name] for name in ("letti", "caricati", "rimanenti")] == [1200, 0, 1200]
        assert portal.count("PENDING") == portal.count() == 1200
        assert portal.request("GET", "/status").json["last_error"] == run["finita_il"]
    run = portal.transfer()
    assert [run[name] for name in ("stato", "letti", "caricati")] == ["OK", 1200, 1200]
    assert portal.request("GET", "/status").json["db"]["mysql"] is True
    assert_nothing_lost_or_doubled(portal, 1200)


def test_mysql_killed_in_the_middle_of_a_transfer(
    portal: LivePortal, mariadb: MariadbServer
) -> None:
    portal.stage(plant_records(10_000))
    accepted = portal.post("/process-transfer", {}, Prefer="respond-async")
    portal.wait_until(lambda: portal.count("PROCESSED") >= 2 * BATCH, "progress")
    mariadb.kill9()
    run = portal.follow(accepted).json["esecuzione"]
    mariadb.start()
    assert run["stato"] == "PARZIALE"
    assert run["rimanenti"] > 0
    assert run["letti"] == 10_000 == run["caricati"] + run["gia_presenti"] + run["rimanenti"]
    assert portal.transfer()["stato"] == "OK"
    assert_nothing_lost_or_doubled(portal, 10_000)


def test_mysql_killed_in_the_middle_of_an_update(
    portal: LivePortal, mariadb: MariadbServer
) -> None:
    """Counted operations stay counted once; the others wait for the next update."""
    portal.stage(plant_records(10_000))
    assert portal.transfer()["stato"] == "OK"
    accepted = portal.post("/aggiorna/ordine", {}, Prefer="respond-async")
    counted = "SELECT COUNT(*) FROM movimento_produzione"
    portal.wait_until(lambda: portal.value("production", counted) >= 1000, "progress")
    mariadb.kill9()
    run = portal.follow(accepted).json["esecuzione"]
    mariadb.start()
    assert (run["stato"], run["caricati"] < 10_000) == ("PARZIALE", True)
    answer = portal.follow(portal.post("/aggiorna/ordine", {})).json
    assert answer["message"] == "Ordine aggiornato con successo"
    assert portal.value("production", counted) == 10_000
    assert portal.manage("verifica").returncode == 0


# --- PostgreSQL away --------------------------------------------------------------------------


def test_postgresql_stopped(portal: LivePortal, postgresql: PostgresqlServer) -> None:
    """503 and nothing stored; web and worker recover without being restarted."""
    body = body_of([case for case in mixed_cases(400) if not case.expected.refused])
    web, worker = portal.web.children(), portal.worker.pid
    with stopped(postgresql):
        for path in ("/insert-postgres", "/run-etl", "/process-transfer", "/status"):
            method = "GET" if path == "/status" else "POST"
            answer = portal.request(method, path, body if method == "POST" else None)
            assert (answer.status, answer.json["codice"]) == (503, "database_non_disponibile")
            assert answer.json.keys() == {"error", "codice", "dettagli", "request_id"}
            assert int(answer.headers["Retry-After"]) > 0
        assert portal.request("GET", "/healthz", key=None).status == 200
        time.sleep(2)  # the worker polls each second and must have noticed
        restarted = datetime.now(UTC)
    assert portal.count() == 0
    assert portal.request("POST", "/insert-postgres", body).status == 200
    portal.wait_until(lambda: portal.heartbeat() > restarted, "the worker's return", 60)
    assert portal.transfer()["stato"] == "OK"
    assert (portal.web.children(), portal.worker.pid) == (web, worker)
    assert_nothing_lost_or_doubled(portal, portal.count())


def test_a_request_refused_for_postgresql_is_stored_when_it_comes_again(
    portal: LivePortal, postgresql: PostgresqlServer
) -> None:
    """A 5xx is not remembered: the engine's own retry, and a key used again, store the rows."""
    records = list(plant_records(20))
    key = {"Idempotency-Key": "durante il guasto"}
    engine = FlowEngine(portal.url, portal.key, scale=0.03, retries=8)
    with ThreadPoolExecutor(1) as pool:
        with stopped(postgresql):
            refused = portal.post("/run-etl", records[10:], **key)
            sending = pool.submit(engine.post, "/insert-postgres", records[:10])
            portal.wait_until(lambda: engine.pauses, "the engine's first refusal")
        assert sending.result().json["inseriti"] == 10
    assert (refused.status, int(refused.headers["Retry-After"]) >= 5) == (503, True)
    accepted = [portal.post("/run-etl", records[10:], **key) for _ in range(2)]
    assert [answer.headers["Idempotency-Replayed"] for answer in accepted] == [None, "true"]
    assert accepted[0].body == accepted[1].body
    assert portal.follow(accepted[1]).json["esecuzione"]["stato"] == "OK"
    assert_nothing_lost_or_doubled(portal, 20)


def test_postgresql_killed_in_the_middle_of_a_transfer(
    portal: LivePortal, postgresql: PostgresqlServer
) -> None:
    portal.stage(plant_records(10_000))
    portal.post("/process-transfer", {}, Prefer="respond-async")
    portal.wait_until(lambda: portal.count("PROCESSED") >= 2 * BATCH, "progress")
    postgresql.kill9()
    postgresql.start()
    assert_transferred_in_the_end(portal, 10_000)


def assert_transferred_in_the_end(portal: LivePortal, sent: int) -> None:
    """Transfers again until nothing is pending, as the hourly schedule would."""
    for _ in range(5):
        if not portal.count("PENDING"):
            break
        portal.manage("transfer")
    assert_nothing_lost_or_doubled(portal, sent)


# --- Worker away --------------------------------------------------------------------------------


def test_worker_killed_again_and_again(portal: LivePortal) -> None:
    """SIGKILL at random moments of a transfer; each time restarted and asked again."""
    seed = random.randrange(1_000_000)
    rng = random.Random(seed)
    sys.stdout.write(f"seed {seed}\n")  # shown if it fails
    rows, kills = either(short=(8_000, 1), full=(20_000, 4))
    portal.stage(plant_records(rows))
    caught = 0
    for _ in range(kills):
        before = portal.count("PENDING")
        portal.post("/process-transfer", {}, Prefer="respond-async")
        portal.wait_until(lambda: portal.count("PENDING") < before, "progress")  # noqa: B023
        caught += kill_and_restart_worker(portal, rng)
    # Batches that a run died in are gone through row by row, after the others: kill it there too.
    untried = "SELECT count(*) FROM raw_operazione WHERE stato = 'PENDING' AND tentativi = 0"
    portal.post("/process-transfer", {}, Prefer="respond-async")
    portal.wait_until(lambda: not portal.value("default", untried), "the untried rows' end")
    caught += kill_and_restart_worker(portal, rng)
    assert portal.transfer()["stato"] == "OK"
    interrupted = "SELECT count(*) FROM esecuzione_etl WHERE stato = 'INTERROTTA'"
    assert portal.value("default", interrupted) == caught > 0
    assert_nothing_lost_or_doubled(portal, rows)


def kill_and_restart_worker(portal: LivePortal, rng: random.Random) -> bool:
    """Whether it died with a run in hand: on a fast machine the run may have ended before."""
    time.sleep(rng.uniform(0, 0.4))
    portal.worker.kill9()
    in_hand = "SELECT count(*) FROM esecuzione_etl WHERE stato = 'IN_CORSO'"
    caught = portal.value("default", in_hand) > 0
    portal.start_worker()
    return caught


def test_worker_stopped_in_order_finishes_its_run(portal: LivePortal) -> None:
    """SIGTERM, as a service manager sends it."""
    portal.stage(plant_records(4_000))
    accepted = portal.post("/process-transfer", {}, Prefer="respond-async")
    portal.wait_until(lambda: portal.count("PROCESSED"), "progress")
    portal.worker.stop()
    assert portal.follow(accepted, 1).json["esecuzione"]["caricati"] == 4_000
    portal.start_worker()
    assert_nothing_lost_or_doubled(portal, 4_000)


# --- Two at once --------------------------------------------------------------------------------


def test_of_two_transfers_at_once_one_says_busy(portal: LivePortal) -> None:
    portal.stage(plant_records(12_000))
    both = [portal.start_manage("transfer") for _ in range(2)]
    ended = sorted((process.wait(120), *process.communicate()) for process in both)
    (worked, told, _), (busy, _, complaint) = ended
    assert (worked, busy) == (0, 1)
    assert "caricati 12000" in told
    assert "È già in corso" in complaint
    assert_nothing_lost_or_doubled(portal, 12_000)


# --- The timetable --------------------------------------------------------------------------------


def test_after_hours_of_downtime_the_schedule_runs_once(portal: LivePortal) -> None:
    """As if the machine had been off for five hours; the timetable is read 30 s after a start."""
    name = "trasferimento orario"
    set_next = "UPDATE django_q_schedule SET next_run = %s WHERE name = %s"
    late = (datetime.now(UTC) - timedelta(hours=5)).replace(minute=5, second=0, microsecond=0)
    portal.worker.stop()
    portal.stage(plant_records(100))
    portal.sql("default", set_next, [late, name])
    portal.start_worker()
    portal.wait_until(lambda: not portal.count("PENDING"), "the scheduled run", 45)
    portal.wait_until(lambda: not portal.at_work(), "its end")
    runs = "SELECT origine, stato, caricati FROM esecuzione_etl"
    assert portal.sql("default", runs) == [("pianificata", "OK", 100)]
    assert portal.value("default", "SELECT count(*) FROM django_q_ormq WHERE lock < now()") == 0
    next_run = portal.value(
        "default", "SELECT next_run FROM django_q_schedule WHERE name = %s", [name]
    )
    portal.postpone_schedules()
    assert datetime.now(UTC) < next_run <= datetime.now(UTC) + timedelta(hours=1)
    assert (next_run.minute, next_run.second) == (5, 0)


def test_a_stopped_process_is_not_taken_for_dead(portal: LivePortal) -> None:
    """SIGSTOP in the middle of a run: another transfer says busy; then both rows and run end."""
    portal.stage(plant_records(6_000))
    first = portal.start_manage("transfer")
    portal.wait_until(lambda: portal.count("PROCESSED"), "progress")
    os.kill(first.pid, signal.SIGSTOP)
    try:
        busy = portal.manage("transfer")
        assert busy.returncode == 1
        assert "È già in corso" in busy.stderr
    finally:
        os.kill(first.pid, signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0
    assert_nothing_lost_or_doubled(portal, 6_000)
