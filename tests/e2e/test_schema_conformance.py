"""The living API against its own description: requests by the thousand, well and badly formed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.length import either
from tests.portal import LivePortal

CONFIG = Path(__file__).with_name("schemathesis.toml")
LEAST_CASES = either(short=800, full=5000)
EXAMPLES_PER_OPERATION = either(short=10, full=225)
SECONDS = 600
SEED = 20241220


@pytest.fixture(scope="module")
def portal() -> Iterator[LivePortal]:
    """One that does not wait for runs: what is tried here is the form of the answers."""
    with LivePortal(settings={"RUN_WAIT_SECONDS": "0.2"}) as portal:
        yield portal


@pytest.mark.servers
def test_the_api_is_as_described(portal: LivePortal, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run"),
        *(f"{portal.url}/api/schema", "--header", f"X-API-KEY: {portal.key}"),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES_PER_OPERATION), "--seed", str(SEED)),
        *("--continue-on-failure", "--no-color"),
        *("--report-json-path", report),
    ]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert result.returncode == 0, f"{result.stdout[-20000:]}\n{result.stderr[-2000:]}"
    told = json.loads(report.read_text())
    assert told["operations"]["tested"] == told["operations"]["total"] > 15
    assert told["test_cases"]["generated"] >= LEAST_CASES
    assert told["failures"] == told["errors"] == []
