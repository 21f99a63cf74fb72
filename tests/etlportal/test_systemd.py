"""The units that docs/systemd ships: systemd reads them, and the watchdog restarts when it must."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "docs" / "systemd"
HOME = "/opt/etlportal"


def read(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNITS / name)
    return parser


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_them(tmp_path):
    home = tmp_path / "home"
    (home / ".venv" / "bin").mkdir(parents=True)
    (home / ".venv" / "bin" / "python").symlink_to(sys.executable)
    units = [unit for unit in UNITS.iterdir() if unit.suffix in (".service", ".timer")]
    for unit in units:
        (tmp_path / unit.name).write_text(unit.read_text().replace(HOME, str(home)))

    verified = subprocess.run(
        ["systemd-analyze", "verify", *[tmp_path / unit.name for unit in units]],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(units) == 6
    assert (verified.returncode, verified.stderr) == (0, "")


def test_web_and_worker_are_started_again_and_leave_no_orphans():
    for name in ("etlportal-web.service", "etlportal-worker.service"):
        service = read(name)["Service"]
        assert (service["Restart"], service["KillMode"]) == ("always", "mixed")


def test_alerts_leave_every_five_minutes_from_outside_the_worker():
    service = read("etlportal-avvisi.service")["Service"]
    assert service["ExecStart"].endswith("manage.py check_etl --avvisa")
    assert service["SuccessExitStatus"] == "1"
    assert read("etlportal-avvisi.timer")["Timer"]["OnUnitInactiveSec"] == "5min"


@pytest.mark.parametrize(
    ("code", "told", "restarted"),
    [(0, "BENE", False), (1, "PROBLEMA", True), (1, "ImproperlyConfigured", False)],
)
def test_the_watchdog_restarts_a_deaf_worker_alone(tmp_path, code, told, restarted):
    """Its own line, with programs that only note how they were called."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    called = tmp_path / "called"
    _program(python, f'echo python "$@" >>{called}; echo worker {told}; exit {code}')
    _program(tmp_path / "bin" / "systemctl", f'echo systemctl "$@" >>{called}')
    _program(tmp_path / "bin" / "setpriv", 'shift 3; exec "$@"')

    command = shlex.split(read("etlportal-sorveglia.service")["Service"]["ExecStart"])
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    ended = subprocess.run(command, cwd=tmp_path, env={"PATH": path}, check=False)

    assert ended.returncode == 0
    restart = ["systemctl try-restart etlportal-worker.service"] * restarted
    assert called.read_text().splitlines() == [
        "python manage.py check_etl --solo worker",
        *restart,
    ]


def _program(path, script):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
