"""Servers frozen, workers deaf, databases away, as /status, check_etl and the alerts tell it.

The servers here are this file's own, so that it may stop them.
"""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.mixed_records import plant_records
from tests.length import either
from tests.portal import LivePortal
from tests.receivers import HookServer, hook_server
from tests.servers import MariadbServer, PostgresqlServer

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def hook() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server


@pytest.fixture(scope="module")
def living(
    postgresql: PostgresqlServer, mariadb: MariadbServer, hook: HookServer
) -> Iterator[LivePortal]:
    settings = {"AVVISI_WEBHOOK": hook.url, "PORTALE_URL": "https://portale.example.com/"}
    with LivePortal(
        postgresql_url=postgresql.url, mysql_url=mariadb.url, settings=settings
    ) as portal:
        yield portal


@pytest.fixture
def portal(living: LivePortal, hook: HookServer) -> LivePortal:
    living.empty()
    hook.messages.clear()
    return living


def check(portal: LivePortal, *options: str) -> tuple[int, dict[str, Any]]:
    result = portal.manage("check_etl", "--json", *options)
    return result.returncode, json.loads(result.stdout)


def outcome(report: dict[str, Any], name: str) -> tuple[str, str]:
    (found,) = [check for check in report["controlli"] if check["nome"] == name]
    return found["esito"], found["messaggio"]


# --- A server that is frozen --------------------------------------------------------------------


@contextmanager
def frozen(server: MariadbServer | PostgresqlServer) -> Iterator[None]:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_status_answers_while_mysql_is_frozen(portal: LivePortal, mariadb: MariadbServer) -> None:
    """It takes connections, the kernel does, and never says a word on them: who waits for it waits
    until it is thawed, which is after the answers.
    """
    with frozen(mariadb):
        for _ in range(2):
            answer = portal.request("GET", "/status")
            assert answer.status == 200
            assert answer.json["db"] == {"postgresql": True, "mysql": False}
            assert answer.json["in_ritardo"] == ["mysql"]
        code, report = check(portal)
        assert code == 1
        assert outcome(report, "mysql")[0] == "problema"
        assert outcome(report, "mysql_stretto")[0] == "non giudicato"
        assert outcome(report, "postgresql")[0] == "bene"
    answer = portal.request("GET", "/status")
    assert (answer.json["db"]["mysql"], answer.json["in_ritardo"]) == (True, [])


def test_all_is_well(portal: LivePortal) -> None:
    code, report = check(portal)

    assert (code, report["ok"]) == (0, True), report
    assert {each["esito"] for each in report["controlli"]} == {"bene"}
    assert "postgresql +0.0 s" in outcome(report, "orologi")[1].replace("-0.0", "+0.0")


def test_a_lax_mysql(portal: LivePortal) -> None:
    before = portal.value("production", "SELECT @@GLOBAL.sql_mode")
    portal.sql("production", "SET GLOBAL sql_mode = ''")
    try:
        code, report = check(portal, "--solo", "mysql_stretto")
    finally:
        portal.sql("production", "SET GLOBAL sql_mode = %s", [before])

    assert code == 1
    assert "modalità stretta" in outcome(report, "mysql_stretto")[1]
    assert check(portal, "--solo", "mysql_stretto")[0] == 0


# --- A worker that is deaf ----------------------------------------------------------------------

POOL = "from django_q.status import Stat; print(*[p for s in Stat.get_all() for p in s.workers])"
ONE_MORE = "from django_q.tasks import async_task; async_task('time.sleep', 0)"


def test_a_deaf_worker_is_named_and_a_restart_cures_it(portal: LivePortal) -> None:
    """Its idle children killed with -9: the queue between them stays locked for good."""
    assert check(portal, "--solo", "worker")[0] == 0
    portal.stage(plant_records(10))
    for child in portal.run_python(POOL).split():
        os.kill(int(child), signal.SIGKILL)
    time.sleep(2)  # it puts others in their place, and they hear nothing
    for path in ("/process-transfer", "/aggiorna/ordine"):
        assert portal.request("POST", path, headers={"Prefer": "respond-async"}).status == 202
    portal.run_python(ONE_MORE)
    portal.wait_until(lambda: _in_the_queue(portal) == 3, "the queue")
    time.sleep(3)
    assert portal.request("GET", "/status").json["worker"]["vivo"] is True
    assert portal.count("PROCESSED") == 0
    assert check(portal, "--solo", "worker")[0] == 0  # two minutes have not passed

    portal.sql(
        "default",
        "UPDATE django_q_ormq SET lock = lock - interval '130 seconds' WHERE lock < now()",
    )
    assert "worker" in portal.request("GET", "/status").json["in_ritardo"]
    code, report = check(portal)
    assert code == 1
    assert outcome(report, "worker") == (
        "problema",
        "Il worker è sordo: è acceso ma non prende i lavori in coda.",
    )

    portal.worker.kill9()
    portal.start_worker()
    portal.wait_until(lambda: _in_the_queue(portal) < 3, "a task taken")
    assert check(portal, "--solo", "worker")[0] == 0
    portal.sql("default", "UPDATE django_q_ormq SET lock = now()")  # what the deaf one held
    portal.wait_until(lambda: portal.count("PROCESSED") == 10, "the transfer")


def _in_the_queue(portal: LivePortal) -> int:
    return int(portal.value("default", "SELECT count(*) FROM django_q_ormq"))


def test_a_dead_worker_is_named(portal: LivePortal) -> None:
    portal.worker.kill9()
    try:
        # What it leaves behind beats on for a moment, and on a busy machine not every time.
        portal.wait_until(lambda: check(portal, "--solo", "worker")[0] == 1, "its silence")
        assert outcome(check(portal, "--solo", "worker")[1], "worker")[0] == "problema"
        portal.sql("default", "UPDATE django_q_schedule SET next_run = now() - interval '3 min'")
        assert "worker" in portal.request("GET", "/status").json["in_ritardo"]
        assert "è fermo" in outcome(check(portal, "--solo", "worker")[1], "worker")[1]
    finally:
        portal.postpone_schedules()
        portal.start_worker()
    assert check(portal, "--solo", "worker")[0] == 0


# --- Alerts from outside the worker -------------------------------------------------------------


def test_postgresql_away_is_told_once_and_its_end_once(
    portal: LivePortal, postgresql: PostgresqlServer, hook: HookServer
) -> None:
    """Each look is a process of its own that can keep nothing in the database."""
    postgresql.stop()
    try:
        for _ in range(2):
            code, report = check(portal, "--avvisa", "--solo", "postgresql", "--solo", "worker")
            assert code == 1
            assert report["problemi"] == ["postgresql"]
            assert outcome(report, "postgresql")[0] == "problema"
            assert outcome(report, "worker")[0] == "non giudicato"
        assert hook.events == [("inizio", "postgresql")]
        assert check(portal, "--solo", "worker")[0] == 0  # nothing to restart it for
    finally:
        postgresql.start()
    for _ in range(2):
        assert check(portal, "--avvisa", "--solo", "postgresql")[0] == 0
    assert hook.events == [("inizio", "postgresql"), ("fine", "postgresql")]
    assert hook.messages[0][1]["portale"] == "https://portale.example.com/"


def test_postgresql_frozen_is_told_too(
    portal: LivePortal, postgresql: PostgresqlServer, hook: HookServer
) -> None:
    with frozen(postgresql):
        code, report = check(portal, "--solo", "postgresql", "--solo", "ritardi")
        assert (code, outcome(report, "postgresql")[0]) == (1, "problema")


def test_mysql_away_is_told_once_whoever_looks(
    portal: LivePortal, mariadb: MariadbServer, hook: HookServer
) -> None:
    mariadb.stop()
    try:
        looks = [portal.start_manage("check_etl", "--avvisa", "--solo", "mysql") for _ in range(3)]
        for look in looks:
            look.communicate(timeout=60)
        assert [look.returncode for look in looks] == [1, 1, 1]
        assert hook.events == [("inizio", "mysql")]
    finally:
        mariadb.start()
    assert check(portal, "--avvisa", "--solo", "mysql")[0] == 0
    assert hook.events == [("inizio", "mysql"), ("fine", "mysql")]


def test_reading_the_status_tells_nobody(
    portal: LivePortal, mariadb: MariadbServer, hook: HookServer
) -> None:
    mariadb.stop()
    try:
        assert portal.request("GET", "/status").json["in_ritardo"] == ["mysql"]
    finally:
        mariadb.start()
    assert hook.events == []


# --- PostgreSQL away in the middle of a run -----------------------------------------------------


def test_a_run_is_closed_by_its_own_process_when_postgresql_comes_back(
    portal: LivePortal, postgresql: PostgresqlServer
) -> None:
    """Away for longer than a batch is tried again: the run must not seem in course afterwards."""
    portal.stage(plant_records(20_000))
    transfer = portal.start_manage("transfer", "--json")
    portal.wait_until(lambda: portal.count("PROCESSED") > 0, "progress")
    postgresql.stop()
    time.sleep(8)
    postgresql.start()
    out, err = transfer.communicate(timeout=120)

    assert transfer.returncode == 1, err
    run = json.loads(out)
    assert run["stato"] == "PARZIALE"
    assert run["messaggio"].startswith("Un database ha smesso di rispondere.")
    assert run["letti"] == run["caricati"] + run["gia_presenti"] + run["rimanenti"] == 20_000
    assert not portal.at_work()
    assert portal.transfer()["stato"] == "OK"
    assert portal.count("PROCESSED") == 20_000
    assert portal.manage("verifica").returncode == 0


# --- A purge that is killed ---------------------------------------------------------------------


def test_a_purge_killed_anywhere_keeps_the_books(portal: LivePortal) -> None:
    """After each kill the balance holds; the next purge goes on where it stood."""
    portal.stage(plant_records(6000))
    for records in (list(plant_records(2000)), list(plant_records(1500))):
        assert portal.post("/insert-postgres", records).status == 200
    assert portal.transfer()["stato"] == "OK"
    portal.sql(
        "default", "UPDATE raw_operazione SET stato = 'ERROR' WHERE mod(id_operazione, 50) = 0"
    )
    kept = portal.count("ERROR")
    assert portal.count() == 9500
    long_ago = "now() - interval '40 days'"
    portal.sql("default", f"UPDATE raw_operazione SET elaborato_il = {long_ago}")
    portal.sql("default", f"UPDATE lotto_ricevuto SET ricevuto_il = {long_ago}")
    chance = random.Random(5)
    for _ in range(either(short=2, full=6)):
        purge = portal.start_manage("purge")
        before = portal.count()
        portal.wait_until(
            lambda process=purge, rows=before: process.poll() is not None or portal.count() < rows,
            "the purge's first chunk",
        )
        time.sleep(chance.uniform(0, 0.15))
        purge.kill()
        purge.communicate()
        assert_books_balance(portal, 9500)

    last = portal.manage("purge", "--json")
    assert last.returncode == 0, last.stderr
    assert portal.count() == portal.count("ERROR") == kept
    assert_books_balance(portal, 9500)
    interrupted = "SELECT count(*) FROM esecuzione_etl WHERE tipo = 'pulizia' AND stato = %s"
    assert portal.value("default", interrupted, ["IN_CORSO"]) == 0


def assert_books_balance(portal: LivePortal, accepted: int) -> None:
    """Nothing left without being counted, in all and for each batch; by plain SQL."""
    ledger = "SELECT coalesce(sum(record), 0), coalesce(sum(senza_lotto), 0) FROM eliminazione"
    ((purged, without_batch),) = portal.sql("default", ledger)
    assert portal.count() + purged == accepted
    wrong = """
        SELECT uuid FROM lotto_ricevuto l WHERE record <> eliminati
        + (SELECT count(*) FROM raw_operazione r WHERE r.lotto = l.uuid)"""
    assert portal.sql("default", wrong) == []
    in_batches = "SELECT coalesce(sum(eliminati), 0) FROM lotto_ricevuto"
    gone = "SELECT coalesce(sum(dei_lotti), 0) FROM eliminazione"
    assert portal.value("default", in_batches) + portal.value("default", gone) == (
        purged - without_batch
    )
