"""How fast the transfer is, and how much memory it takes: many rows on real servers.

The measure of speed is what it would be to save row by row through the ORM (row_by_row.py).
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.mixed_records import plant_records
from tests.length import either
from tests.portal import LivePortal

pytestmark = pytest.mark.servers

ROWS, TURNS = either(short=(30_000, 8), full=(100_000, 25))
ROWS_BY_ORM = 120  # in each turn
MAX_GROWTH_MB = 60  # 150 are allowed, but whoever keeps all rows in memory takes less than that
MIN_RATIO = 10
MEASURE = f"""
from tests.ingestion.transfer import row_by_row
print(row_by_row.measure({ROWS}, {TURNS}, {ROWS_BY_ORM}))
"""


@pytest.fixture(scope="module")
def measured() -> Iterator[dict[str, Any]]:
    """Rows per second of both ways, the memory that they took together, and the run."""
    with LivePortal() as portal:
        portal.worker.stop()
        portal.stage(plant_records(ROWS + TURNS * ROWS_BY_ORM))
        yield json.loads(portal.run_python(MEASURE)) | {
            "pending": portal.count("PENDING"),
            "loaded": portal.value("production", "SELECT count(*) FROM operazioni"),
        }


def test_all_rows_are_loaded(measured: dict[str, Any]) -> None:
    run = measured["run"]
    assert [run[name] for name in ("stato", "letti", "caricati")] == ["OK", ROWS, ROWS]
    assert measured["pending"] == 0
    assert measured["loaded"] == ROWS + TURNS * ROWS_BY_ORM


def test_memory_does_not_grow_with_the_rows(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f" {ROWS} rows took {measured['growth_mb']:.0f} MB ")
    assert measured["growth_mb"] < MAX_GROWTH_MB


def test_it_is_ten_times_as_fast_as_saving_row_by_row(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ratio = measured["rate"] / measured["rate_by_orm"]
    with capsys.disabled():
        sys.stdout.write(
            f" transfer {measured['rate']:.0f} rows/s, "
            f"row by row {measured['rate_by_orm']:.0f} rows/s: {ratio:.1f} times "
        )
    assert ratio >= MIN_RATIO
