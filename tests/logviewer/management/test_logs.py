"""``manage.py logs``: reading, searching, clearing, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from etlportal.models import VoceAudit
from tests.logviewer.lines import everything, line, numbered, write

ROOT = Path(__file__).parents[3]


def run(*arguments):
    out = StringIO()
    call_command("logs", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


@pytest.fixture
def process(logs):
    """``process(*arguments)``: the command as a program of its own, on the same logs."""
    started = []

    def start(*arguments):
        command = [sys.executable, "manage.py", "logs", *arguments]
        environment = os.environ | {"LOG_DIR": str(logs)}
        pipe = subprocess.PIPE
        # What a shell starts in the background ignores Ctrl-C, and so would its children.
        usual = signal.signal(signal.SIGINT, signal.default_int_handler)
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
            )
        )
        signal.signal(signal.SIGINT, usual)
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


# --- Reading --------------------------------------------------------------------------------


def test_the_tail_of_etl_is_what_one_wants_most(logs):
    write(logs / "etl.log", numbered(100))

    assert run("tail") == numbered(100)[-50:]
    assert run("tail", "etl", "-n", "2") == numbered(100)[-2:]
    assert run("tail", "mysql") == []


def test_filters(logs):
    lines = [line("a", "ERROR", run=7), line("b", run=7), line("c", "ERROR")]
    write(logs / "etl.log", lines)

    assert run("tail", "--run", "7") == lines[:2]
    assert run("tail", "--level", "error") == [lines[0], lines[2]]
    assert run("tail", "--since", "1h") == []


def test_a_search_goes_through_all_logs_or_those_named(logs):
    write(logs / "etl.log", [line("pezzo 8"), line("other")])
    write(logs / "mysql.log", [line("PEZZO 9")])

    assert run("grep", "pezzo") == [f"etl.log: {line('pezzo 8')}", f"mysql.log: {line('PEZZO 9')}"]
    assert run("grep", "pezzo", "mysql") == [f"mysql.log: {line('PEZZO 9')}"]
    assert run("grep", "absent") == []


def test_json_is_an_object_a_line(logs):
    write(logs / "etl.log", [line("à b", "ERROR", run=7, request="req-0001"), line("c")])

    first, second = (json.loads(each) for each in run("tail", "--json"))

    assert first == {
        "file": "etl",
        "ora": "2024-12-20T12:00:00Z",
        "livello": "ERROR",
        "esecuzione": 7,
        "richiesta": "req-0001",
        "messaggio": "à b",
    }
    assert (second["esecuzione"], second["richiesta"]) == (None, "")


def test_following_shows_what_comes(logs, process):
    write(logs / "etl.log", numbered(1))
    command = process("tail", "-f", "--level", "WARNING")
    time.sleep(0.1)
    deadline = time.monotonic() + 30
    number = 0
    os.set_blocking(command.stdout.fileno(), False)
    shown = ""
    while time.monotonic() < deadline and not shown:
        with (logs / "etl.log").open("a") as file:
            file.write(f"{line(f'w{number}', 'WARNING')}\n{line(f'i{number}')}\n")
        number += 1
        time.sleep(0.2)
        with suppress(BlockingIOError):
            shown = os.read(command.stdout.fileno(), 10_000).decode()
    assert "WARNING run=- req=- w" in shown
    assert "INFO" not in shown
    command.send_signal(signal.SIGINT)
    assert command.wait(10) == 0


# --- Clearing -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_clearing_keeps_a_copy_and_is_in_the_audit_trail(logs):
    write(logs / "etl.log", numbered(3))
    write(logs / "mysql.log", numbered(1))

    (said,) = run("clear", "etl")

    assert said.startswith("Svuotato etl.log: ")
    assert "copia in backup/etl." in said
    assert everything(logs / "etl.log") == numbered(3)
    assert (logs / "mysql.log").exists()
    entry = VoceAudit.objects.get(azione="registri.svuotati")
    assert (entry.oggetto, entry.attore) == ("etl", "comando")
    assert entry.chi


@pytest.mark.django_db
def test_all_without_a_copy_in_json(logs):
    write(logs / "etl.log", numbered(3))

    (answer,) = (json.loads(each) for each in run("clear", "--senza-copia", "--json"))

    names = [item["file"] for item in answer["svuotati"]]
    assert names == ["etl", "periodic", "postgresql", "mysql"]
    assert answer["svuotati"][0]["byte"] > 0
    assert answer["svuotati"][0]["backup"] == ""
    assert list(logs.iterdir()) == []


def test_a_dry_run_clears_nothing(logs):
    write(logs / "etl.log", numbered(3))
    size = (logs / "etl.log").stat().st_size

    assert run("clear", "etl", "mysql", "--dry-run") == [
        f"Da svuotare etl.log: {size} byte",
        "Da svuotare mysql.log: 0 byte",
    ]
    assert [path.name for path in logs.iterdir()] == ["etl.log"]


# --- How it ends ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_cannot_be_cleared_ends_with_1(logs):
    write(logs / "etl.log", numbered(3))
    (logs / "backup").write_text("in the way")

    with pytest.raises(SystemExit) as end:
        run("clear", "etl")

    assert end.value.code == 1
    assert everything(logs / "etl.log") == numbered(3)


def test_a_log_that_cannot_be_read_ends_with_1(logs):
    (logs / "etl.log").mkdir()

    with pytest.raises(CommandError) as end:
        run("tail")

    assert end.value.returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["empty"],
        ["tail", "etc"],
        ["tail", "-n", "0"],
        ["tail", "--level", "GRAVE"],
        ["tail", "--run", "x"],
        ["grep"],
        ["grep", "x", "etc"],
    ],
)
def test_what_cannot_be_taken_is_refused(logs, arguments):
    with pytest.raises(CommandError):
        run(*arguments)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["tail", "etl"], 0),
        ([], 2),
        (["tail", "--since", "ieri"], 2),
        (["clear", "../etl"], 2),
    ],
)
def test_exit_codes(process, arguments, code):
    command = process(*arguments)
    output = command.communicate(timeout=60)

    assert command.returncode == code, output
