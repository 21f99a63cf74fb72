"""Bodies made to exhaust the server: refused while they are read, with little work and memory."""

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.sample_requests import made_body
from tests.e2e.test_bad_input import assert_one_error_shape
from tests.portal import LivePortal

MB = 1_000_000
MOST_TIMES = 3  # the work of 10,000 good records
MOST_MEMORY_MB = 150
GZIP = {"Content-Encoding": "gzip"}
TICKS_PER_SECOND = 100

# name: (body, headers, status)
HOSTILE: dict[str, tuple[bytes, dict[str, str], int]] = {
    "5 MB of [": (b"[" * 5 * MB, {}, 400),
    "5 MB of [ and their ]": (made_body("nested_array", depth=5 * MB), {}, 400),
    "100,000 objects in each other": (made_body("nested_object", depth=100_000), {}, 400),
    "1 GB of zeros": (made_body("gzip_zeros", expanded_bytes=1 << 30), GZIP, 413),
    "5 MB of [ in a gzip": (gzip.compress(b"[" * 5 * MB), GZIP, 400),
    "3 million empty objects": (b"[" + b"{}," * 3_000_000 + b"{}]", {}, 413),
    "2 million commas in quotes": (b"[" + b'",",' * 2_000_000 + b'""]', {}, 413),
    "9 MB of quotes": (b'"' * 9 * MB, {}, 413),
    "5 million escaped quotes": (b'["' + b'\\"' * 4 * MB, {}, 400),
    "one key 300,000 times": (b'{"a":1' + b',"a":1' * 300_000 + b"}", {}, 400),
    "300,000 times NaN": (b"[" + b"NaN," * 300_000 + b"1]", {}, 400),
    "300,000 numbers": (b"[" + b"1," * 300_000 + b"1]", {}, 413),
    "a number of 9 million digits": (b"9" * 9 * MB, {}, 400),
    "deep in a string": (json.dumps("[" * 4 * MB).encode(), {}, 400),
    "300,000 gzips joined": (gzip.compress(b"", 1) * 300_000, GZIP, 400),
}


@dataclass(frozen=True)
class Usage:
    """What the web processes used since they started: seconds of CPU in all, and the most MB of
    memory that one of them ever had.
    """

    cpu_seconds: float
    memory_mb: float


def usage(portal: LivePortal) -> Usage:
    used = [Path(f"/proc/{pid}") for pid in portal.web.children()]
    times = [(folder / "stat").read_text().rpartition(")")[2].split()[11:13] for folder in used]
    return Usage(
        sum(int(ticks) for pair in times for ticks in pair) / TICKS_PER_SECOND,
        max(_highest_mb(folder) for folder in used),
    )


def _highest_mb(process: Path) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.fixture(scope="module")
def fresh(portal: LivePortal) -> Usage:
    """What web processes use that have only just started. From then on they are not restarted,
    so that what a body leaves behind counts for the ones after it.
    """
    portal.web.stop()
    portal.web.start()
    portal.wait_for_web()
    portal.empty()
    return usage(portal)


@pytest.fixture(scope="module")
def good_records(portal: LivePortal, fresh: Usage) -> Usage:
    """What 10,000 of them cost, to measure others against."""
    body = made_body("records", count=10_000, pad=600)
    before = usage(portal)
    assert portal.request("POST", "/insert-postgres", body).status == 200
    after = usage(portal)
    portal.empty()
    return Usage(after.cpu_seconds - before.cpu_seconds, after.memory_mb - fresh.memory_mb)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_little(
    portal: LivePortal, fresh: Usage, good_records: Usage, name: str
) -> None:
    body, headers, status = HOSTILE[name]
    before = usage(portal)
    answer = portal.request("POST", "/insert-postgres", body, headers=headers)
    after = usage(portal)
    assert_one_error_shape(answer, status)
    assert after.cpu_seconds - before.cpu_seconds < MOST_TIMES * good_records.cpu_seconds
    assert after.memory_mb - fresh.memory_mb < MOST_MEMORY_MB
    assert portal.count() == 0


def test_the_measure_sees_what_good_records_cost(portal: LivePortal, good_records: Usage) -> None:
    """10,000 of them are no little work: many times that of one."""
    before = usage(portal)
    assert (
        portal.request("POST", "/insert-postgres", made_body("records", count=1, pad=600)).status
        == 200
    )
    one = usage(portal).cpu_seconds - before.cpu_seconds
    portal.empty()
    assert good_records.cpu_seconds > 5 * one
    assert good_records.memory_mb > 10
