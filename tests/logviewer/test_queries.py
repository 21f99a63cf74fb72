"""``postgresql.log`` and ``mysql.log``: what each server's connections write, and what never."""

import logging
import sys

import pytest
from django.db import Error, connections

from logviewer import queries
from logviewer.handlers import LineFormatter, SharedFileHandler
from logviewer.lines import parse
from logviewer.queries import LOGGERS, StatementLog, placeholders_only
from production.models import Acciaio

SLEEP = {"postgresql": "SELECT pg_sleep(%s), 'hunter2'", "mysql": "SELECT SLEEP(%s), 'hunter2'"}
SERVERS = pytest.mark.parametrize(
    ("alias", "vendor"), [("default", "postgresql"), ("production", "mysql")]
)
PARAMETER = "value-of-a-parameter"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """``written(vendor)``: the messages that this test wrote in the log of that server.

    A connection is made sooner or later: that is told only to the tests that ask for it.
    """
    for vendor, logger in LOGGERS.items():
        handler = SharedFileHandler(tmp_path / f"{vendor}.log", 10_000_000, 1)
        handler.setFormatter(LineFormatter())
        monkeypatch.setattr(logger, "handlers", [handler])

    def read(vendor, connected=False):
        path = tmp_path / f"{vendor}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        messages = [f"{parse(line).level} {parse(line).message}" for line in lines]
        return [each for each in messages if connected or "INFO connected" not in each]

    return read


# --- A statement as it is shown ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT  a\n FROM t1 WHERE a = %s", "SELECT a FROM t1 WHERE a = %s"),
        ("a = 'it''s \\' secret' AND b", "a = ? AND b"),
        ("a = 'never closed", "a = ?"),
        ("a = 12.5e3 AND t2.c3 = -7", "a = ? AND t2.c3 = ?"),
        ("x $$secret$$ y", "x ? y"),
        ("x IN (%s, %s, %s)", "x IN (%s, …)"),
        ("VALUES (%s, %s), (%s, %s), (%s, %s)", "VALUES (%s, …), …"),
        ("VALUES (1, 'a'), (2, 'b')", "VALUES (?, ?), …"),
    ],
)
def test_a_statement_shows_no_value(sql, shown):
    assert placeholders_only(sql, "postgresql") == shown


def test_quotation_marks_hold_a_text_in_mysql_and_a_name_elsewhere():
    assert placeholders_only('SELECT "a"', "mysql") == "SELECT ?"
    assert placeholders_only('SELECT "a"', "postgresql") == 'SELECT "a"'


@pytest.mark.parametrize("vendor", LOGGERS)
def test_of_a_long_statement_only_the_beginning_is_looked_at(monkeypatch, vendor):
    looked_at = []

    class Counted:
        def __init__(self, pattern):
            self.pattern = pattern

        def sub(self, shown, text):
            looked_at.append(len(text))
            return self.pattern.sub(shown, text)

    for name in ("_LITERAL", "_MYSQL_LITERAL", "_MANY", "_MANY_ROWS"):
        monkeypatch.setattr(queries, name, Counted(getattr(queries, name)))
    shown = placeholders_only("SELECT " + "column_name, " * 1_000_000, vendor)

    assert len(shown) < 600
    assert len(looked_at) == (4 if vendor == "mysql" else 3)
    assert max(looked_at) <= 10_000


# --- Real connections ---------------------------------------------------------------------------


@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_sqlite_feeds_neither_log(written):
    if connections["default"].vendor != "sqlite":
        pytest.skip("the servers feed them")
    connections["default"].close()
    with pytest.raises(Error), connections["default"].cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")

    assert written("postgresql") == written("mysql") == []


@pytest.mark.servers
@SERVERS
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
class TestOnServers:
    def test_a_connection(self, written, alias, vendor):
        connections[alias].close()
        connections[alias].ensure_connection()

        assert written(vendor, connected=True) == [f"INFO connected: database={alias}"]
        assert written({"postgresql": "mysql", "mysql": "postgresql"}[vendor], connected=True) == []

    def test_a_slow_statement(self, written, alias, vendor):
        with (
            connections[alias].execute_wrapper(StatementLog(0.1, 100)),
            connections[alias].cursor() as cursor,
        ):
            cursor.execute(SLEEP[vendor], [0.15])
            cursor.execute(SLEEP[vendor], [0])

        (message,) = written(vendor)
        words = message.split(maxsplit=4)
        assert words[:3] == ["WARNING", "slow", "statement:"]
        assert 150 <= int(words[3].removeprefix("ms=")) < 1000
        assert words[4] == SLEEP[vendor].replace("'hunter2'", "?")

    def test_the_portals_own_threshold_is_a_second(self, written, alias, vendor):
        with connections[alias].cursor() as cursor:
            cursor.execute(SLEEP[vendor], [0.2])
            assert written(vendor) == []
            cursor.execute(SLEEP[vendor], [1.1])

        assert len(written(vendor)) == 1

    def test_a_failing_statement_has_a_code_and_no_value(self, written, alias, vendor):
        codes = {"postgresql": "ProgrammingError 42703", "mysql": "OperationalError 1054"}
        with pytest.raises(Error), connections[alias].cursor() as cursor:
            cursor.execute("SELECT nothing, 'hunter2', 42 WHERE 'a' = %s", [PARAMETER])

        (message,) = written(vendor)
        assert message.startswith(f"WARNING statement failed: {codes[vendor]} ms=")
        assert message.endswith("SELECT nothing, ?, ? WHERE ? = %s")

    def test_a_load(self, written, alias, vendor):
        with connections[alias].cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE prova_carico (a int, b varchar(50))")
            insert = "INSERT INTO prova_carico (a, b) VALUES (%s, %s)"
            cursor.executemany(insert, [(number, PARAMETER) for number in range(250)])
            cursor.executemany(insert, [(number, PARAMETER) for number in range(99)])
            rows = ", ".join(["(%s, %s)"] * 120)
            values = [1, PARAMETER] * 120
            cursor.execute(f"INSERT INTO prova_carico (a, b) VALUES {rows}", values)

        messages = [message.rpartition(" ms=")[0] for message in written(vendor)]
        assert messages == [
            "INFO load: righe=250 tabella=prova_carico",
            "INFO load: righe=120 tabella=prova_carico",
        ]


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_a_value_that_the_driver_repeats_is_not_written(written):
    insert = "INSERT INTO django_migrations (id, app, name, applied) VALUES (1, %s, 'x', NOW())"
    with pytest.raises(Error), connections["production"].cursor() as cursor:
        cursor.execute(insert, [PARAMETER])

    (message,) = written("mysql")
    assert message.startswith("WARNING statement failed: IntegrityError 1062 ")
    assert PARAMETER not in message


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_a_server_that_is_away(written, production_away):
    with production_away(), pytest.raises(Error):
        Acciaio.objects.exists()

    (message,) = written("mysql")
    assert message.startswith("ERROR connection failed: database=production OperationalError 200")
    assert "127.0.0.1" not in message


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_a_log_that_cannot_be_written_fails_no_statement(monkeypatch):
    for logger in LOGGERS.values():
        monkeypatch.setattr(logger, "handlers", [SharedFileHandler("/dev/full", 1000, 1)])
    for alias in ("default", "production"):
        connections[alias].close()
        with (
            connections[alias].execute_wrapper(StatementLog(0, 1)),
            connections[alias].cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


def test_watching_costs_two_looks_at_the_clock_and_little_else():
    """Counted in calls: a statement takes tens of microseconds at the very least."""
    log = StatementLog(1, 100)
    called = []

    def plain(sql, params, many, context):
        return None

    def note(frame, event, function):
        if event == "call":
            called.append(frame.f_code.co_name)
        elif event == "c_call":
            called.append(function.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        log(plain, "SELECT 1", None, False, {})
    finally:
        sys.setprofile(before)
    called.remove("setprofile")

    clock = "perf_counter"
    assert called == ["__call__", clock, "plain", clock, "isinstance", "startswith"]


def test_each_vendor_has_its_log():
    assert {name: logging.getLogger(name) for name in ("postgresql", "mysql")} == LOGGERS
