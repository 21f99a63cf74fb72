"""The right file for each event, by a portal that is alive: see the contract's "Logs"."""

import json
import re
from collections.abc import Iterator

import pytest

from logviewer.lines import LogLine, parse
from tests.builders import make_posted
from tests.portal import LivePortal

pytestmark = pytest.mark.servers

SECRET_VALUE = "hunter2-in-a-payload"


@pytest.fixture(scope="module")
def lines() -> Iterator[dict[str, list[LogLine]]]:
    """The lines of each log after a post, a transfer with a refused row, and a scheduled job."""
    with LivePortal(settings={"LOG_LEVEL": "DEBUG"}) as portal:
        records = [make_posted(codice_macchinario=SECRET_VALUE) for _ in range(150)]
        headers = {"X-Request-ID": "post-0001", "Content-Type": "application/json"}
        answer = portal.request("POST", "/insert-postgres", json.dumps(records), headers=headers)
        assert answer.status == 200
        portal.transfer()
        portal.run_python(
            "from ingestion.runs.running import run_scheduled; run_scheduled('transfer')"
        )
        yield {
            log.stem: [parse(line) for line in log.read_text().splitlines()]
            for log in (portal.folder / "logs").glob("*.log")
        }


def messages(lines: list[LogLine], pattern: str) -> list[LogLine]:
    return [line for line in lines if re.match(pattern, line.message)]


def test_every_line_is_one_of_ours(lines: dict[str, list[LogLine]]) -> None:
    assert set(lines) == {"etl", "periodic", "postgresql", "mysql"}
    assert all(line.time and line.level for log in lines.values() for line in log)


def test_receptions_and_runs_are_in_etl(lines: dict[str, list[LogLine]]) -> None:
    (batch,) = messages(lines["etl"], "batch .* 150 records")
    assert batch.request == "post-0001"
    started = messages(lines["etl"], "transfer started")
    ended = messages(lines["etl"], "transfer ended OK")
    assert len(started) == len(ended) == 2
    assert [line.run for line in started] == [line.run for line in ended]


def test_jobs_are_in_periodic(lines: dict[str, list[LogLine]]) -> None:
    assert len(messages(lines["periodic"], "transfer pianificata: OK")) == 1
    assert not messages(lines["etl"], "transfer pianificata")


def test_each_database_has_its_connections_and_loads(lines: dict[str, list[LogLine]]) -> None:
    assert messages(lines["postgresql"], "connected: database=default")
    assert messages(lines["mysql"], "connected: database=production")
    assert not messages(lines["mysql"], "connected: database=default")
    (staged,) = messages(lines["postgresql"], "load: righe=150 tabella=raw_operazione ")
    assert staged.request == "post-0001"
    (loaded,) = messages(lines["mysql"], "load: righe=150 tabella=operazioni ")
    assert loaded.run == messages(lines["etl"], "transfer started")[0].run


def test_no_line_shows_what_was_sent(lines: dict[str, list[LogLine]]) -> None:
    assert not [line for log in lines.values() for line in log if SECRET_VALUE in str(line)]
