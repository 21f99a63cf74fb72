"""One line an event, whatever the values in it; a log that cannot be written harms nobody."""

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from contextvars import Context
from pathlib import Path
from types import SimpleNamespace

import pytest

from etlportal.audit.request import current_request
from logviewer import files
from logviewer.context import RunContext, current_run
from logviewer.handlers import LineFormatter, SharedFileHandler
from tests.cost import growth

ROOT = Path(__file__).parents[2]

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+)"
    r" run=(?P<run>\S+) req=(?P<req>\S+) (?P<message>.*)"
)


def formatted(message, *args, level=logging.INFO, exc_info=None, secrets=(), **extra):
    record = logging.LogRecord("etl", level, __file__, 1, message, args, exc_info)
    record.created = 1734688800.123
    record.msecs = 123
    vars(record).update(extra)
    return LineFormatter(secrets).format(record)


# --- A line ---------------------------------------------------------------------------------


def test_a_line():
    line = formatted("loaded %s rows", 3, esecuzione=12, request_id="ab12")

    assert line == "2024-12-20T10:00:00.123Z INFO run=12 req=ab12 loaded 3 rows"


def test_a_line_outside_a_run_or_request():
    line = Context().run(formatted, "ready")  # whatever ran before in this thread

    assert LINE.fullmatch(line).group("run", "req") == ("-", "-")


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR", "CRITICAL"])
def test_the_level(level):
    line = formatted("x", level=logging.getLevelNamesMapping()[level])

    assert LINE.fullmatch(line)["level"] == level


@pytest.mark.parametrize("code", [*range(32), *range(127, 160)])
def test_a_control_character_is_shown_and_not_obeyed(code):
    line = formatted("before%safter", chr(code))

    assert LINE.fullmatch(line)["message"] == f"before\\x{code:02x}after"


@pytest.mark.parametrize("code", [0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF])
def test_a_line_separator_or_a_turn_of_direction_too(code):
    line = formatted("before%safter", chr(code))

    assert LINE.fullmatch(line)["message"] == f"before\\u{code:04x}after"


def test_no_value_can_forge_a_line():
    forged = "x\n2024-12-20T10:00:00.000Z ERROR run=1 req=- all is lost"

    line = formatted("piece %s", forged, request_id="r\n")

    assert len(line.splitlines()) == 1


def test_accents_stay_as_they_are():
    assert LINE.fullmatch(formatted("è più 𝄞"))["message"] == "è più 𝄞"


def failure(secret):
    def convert(text):
        return float(text)

    try:
        try:
            convert(f"first\n{secret}")
        except ValueError as error:
            raise KeyError(secret) from error
    except KeyError:
        return sys.exc_info()


def test_an_exception_is_its_classes_and_places_and_never_its_text():
    line = formatted("failed", exc_info=failure("hunter2-of-a-payload"))

    message = LINE.fullmatch(line)["message"]
    assert re.match(r"failed KeyError \[\S+:\d+ failure\] caused by ValueError \[", message)
    assert "convert" in message
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key of-the-environment seen", "key *** seen"),
        ("postgres://etl:p%40ss@db:5432/etl away", "postgres://***@db:5432/etl away"),
        ("mysql://:p@db away", "mysql://***@db away"),
        (f"etl_{'0a' * 6}_{'Z' * 43} used", "*** used"),
        ("X-API-KEY: abcdef, other", "X-API-KEY: ***, other"),
        ("{'password': 'two words', 'a': 1}", "{'password': ***, 'a': 1}"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("the password was changed", "the password was changed"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, shown):
    line = formatted(text, secrets=["of-the-environment", "", "etl"])

    assert LINE.fullmatch(line)["message"] == shown


def test_a_message_is_cut():
    assert len(formatted("x" * 100_000)) < 10_000


def test_ids_are_words():
    line = formatted("x", esecuzione="1 ERROR", request_id="a b\nc")

    assert LINE.fullmatch(line).group("run", "req", "message") == ("1_ERROR", "a_b_c", "x")


def test_ids_come_from_the_work_in_course(monkeypatch):
    marks = [current_run.set(7), current_request.set("req-0001")]
    try:
        assert LINE.fullmatch(formatted("x")).group("run", "req") == ("7", "req-0001")
        own = formatted("x", esecuzione=8, request_id="req-0002")
        assert LINE.fullmatch(own).group("run", "req") == ("8", "req-0002")
    finally:
        current_run.reset(marks[0])
        current_request.reset(marks[1])


def test_a_run_is_remembered_until_its_last_line():
    record = logging.makeLogRecord({"esecuzione": 9})
    try:
        assert RunContext().filter(record)
        assert RunContext().filter(logging.makeLogRecord({}))
        assert current_run.get() == 9
        assert RunContext(ends=True).filter(record)
        assert current_run.get() == "-"
    finally:
        current_run.set("-")


# --- A file ---------------------------------------------------------------------------------


@pytest.fixture
def logger_to():
    """A logger that writes to that file."""
    handlers = []

    def make(path, max_bytes=1_000_000, copies=3):
        logger = logging.getLogger(f"prova.{len(handlers)}")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        handler = SharedFileHandler(path, max_bytes, copies)
        handler.setFormatter(LineFormatter())
        logger.addHandler(handler)
        handlers.append((logger, handler))
        return logger

    yield make
    for logger, handler in handlers:
        logger.removeHandler(handler)
        logger.propagate = True


def messages_in(*paths):
    lines = [line for path in paths for line in path.read_text().splitlines()]
    return [LINE.fullmatch(line)["message"] for line in lines]


def test_appends_a_line_an_event(logger_to, tmp_path):
    file = tmp_path / "etl.log"
    file.write_text("old\n")
    logger = logger_to(file)

    logger.info("first\nstill first")
    logger.info("second")

    lines = file.read_text().splitlines()
    assert lines[0] == "old"
    assert [LINE.fullmatch(line)["message"] for line in lines[1:]] == [
        "first\\x0astill first",
        "second",
    ]


def test_goes_on_in_a_new_file_when_the_old_one_was_renamed(logger_to, tmp_path):
    file = tmp_path / "etl.log"
    logger = logger_to(file)
    logger.info("before")

    file.rename(tmp_path / "etl.old.log")
    logger.info("after")

    assert "before" in (tmp_path / "etl.old.log").read_text()
    assert LINE.fullmatch(file.read_text().strip())["message"] == "after"


@pytest.mark.parametrize("path", ["missing/etl.log", "a_file/etl.log", ".", "/dev/full"], ids=str)
def test_a_log_that_cannot_be_written_fails_nobody(logger_to, tmp_path, path, capsys):
    (tmp_path / "a_file").touch()
    logger = logger_to(tmp_path / path)

    logger.info("first")
    logger.error("second")

    assert capsys.readouterr() == ("", "")


def test_writes_again_once_the_disk_can_be_written(logger_to, tmp_path):
    folder = tmp_path / "logs"
    logger = logger_to(folder / "etl.log")
    logger.info("lost")

    folder.mkdir()
    logger.info("kept")

    assert LINE.fullmatch((folder / "etl.log").read_text().strip())["message"] == "kept"


def test_a_lone_surrogate_does_not_lose_the_line(logger_to, tmp_path):
    logger_to(tmp_path / "etl.log").info("piece %s", "\ud800")

    assert messages_in(tmp_path / "etl.log") == ["piece \\ud800"]


def test_a_message_that_cannot_be_made_says_so_and_shows_no_value(logger_to, tmp_path, capsys):
    logger_to(tmp_path / "etl.log").info("%d rows", "hunter2")

    (message,) = messages_in(tmp_path / "etl.log")
    assert re.fullmatch(r"line of test_handlers:\d+ lost: TypeError", message)
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_loses_whole_lines_and_fails_nobody(logger_to, tmp_path):
    """On a disk of 64 KB: what is there stays readable, and writing goes on when there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk; /dev/full is tested above")
    try:
        logger = logger_to(disk / "etl.log")
        for number in range(3000):
            logger.info("line %s %s", number, "x" * 90)
        written = messages_in(disk / "etl.log")
        assert 100 < len(written) < 3000
        assert all(re.fullmatch(r"line \d+ x{90}", message) for message in written)
        (disk / "etl.log").write_text("")
        logger.info("room again")
        assert messages_in(disk / "etl.log") == ["room again"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- Rotation and several writers -----------------------------------------------------------


def test_a_file_that_is_large_enough_becomes_a_piece(logger_to, tmp_path):
    logger = logger_to(tmp_path / "etl.log", max_bytes=100, copies=2)

    for number in range(1, 5):
        logger.info("%s %s", number, "x" * 40)  # each fills a file

    names = ["etl.log", "etl.log.1", "etl.log.2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [messages_in(tmp_path / name)[0][0] for name in names] == ["4", "3", "2"]


def test_a_file_that_cannot_be_rotated_grows(logger_to, tmp_path):
    (tmp_path / "etl.log.1").mkdir()
    (tmp_path / "etl.log.1" / "in the way").touch()
    logger = logger_to(tmp_path / "etl.log", max_bytes=100, copies=1)

    logger.info("first")
    logger.info("second %s", "x" * 90)

    assert [message.split()[0] for message in messages_in(tmp_path / "etl.log")] == [
        "first",
        "second",
    ]


def test_a_gap_among_the_pieces_is_filled_first(tmp_path):
    path = tmp_path / "etl.log"
    for name in ("etl.log", "etl.log.1", "etl.log.3"):
        (tmp_path / name).write_text(name)

    files.rotate(path, 3)

    left = {piece.name: piece.read_text() for piece in tmp_path.iterdir()}
    assert left == {"etl.log.1": "etl.log", "etl.log.2": "etl.log.1", "etl.log.3": "etl.log.3"}


WRITER = """
import logging, sys
from logviewer.handlers import LineFormatter, SharedFileHandler
handler = SharedFileHandler(sys.argv[1], int(sys.argv[3]), 200)
handler.setFormatter(LineFormatter())
logger = logging.getLogger("prova")
logger.addHandler(handler)
logger.setLevel(logging.INFO)
for number in range(int(sys.argv[4])):
    logger.info("%s %s %s end", sys.argv[2], number, "x" * (number % 150))
"""


def test_four_processes_lose_and_tear_no_line_through_rotations(tmp_path):
    path = tmp_path / "etl.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, name, "100000", "6000"], cwd=ROOT)
        for name in "abcd"
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]

    pieces = files.rotated_pieces(path)
    assert len(pieces) > 20
    assert all(piece.stat().st_size <= 100_000 for piece in pieces)
    found = [tuple(message.split()[:2]) for message in messages_in(path, *pieces)]
    assert sorted(found) == sorted((name, str(n)) for name in "abcd" for n in range(6000))


def test_a_forked_child_writes_beside_its_parent(logger_to, tmp_path):
    """The queue's processes are forks: they may not share a lock by sharing an open file."""
    path = tmp_path / "etl.log"
    logger = logger_to(path, max_bytes=20_000, copies=50)
    logger.info("parent -1")
    child = os.fork()
    if child == 0:
        for number in range(2000):
            logger.info("child %s", number)
        os._exit(0)
    for number in range(2000):
        logger.info("parent %s", number)
    os.waitpid(child, 0)

    found = messages_in(path, *files.rotated_pieces(path))
    assert len(found) == len(set(found)) == 4001


def test_a_process_that_is_stopped_with_the_lock_holds_up_nobody(logger_to, tmp_path, monkeypatch):
    path = tmp_path / "etl.log"
    logger = logger_to(path)
    pauses = []
    clock = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr(files, "time", clock)
    monkeypatch.setattr(files, "_PAUSE_SECONDS", 0.25)

    with files.locked(path):
        logger.info("written all the same")

    assert sum(pauses) == files.LOCK_SECONDS + 0.25
    assert messages_in(path) == ["written all the same"]


def test_threads_lose_no_line(logger_to, tmp_path):
    file = tmp_path / "etl.log"

    def write(name):
        logger = logger_to(file)
        for n in range(200):
            logger.info("%s %s", name, n)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    messages = [LINE.fullmatch(line)["message"] for line in file.read_text().splitlines()]
    assert sorted(messages) == sorted(f"{name} {n}" for name in "abcd" for n in range(200))


# --- The portal's own logs ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["etl", "periodic", "postgresql", "mysql"])
def test_each_log_has_a_file_of_its_own(name, settings):
    (handler,) = [
        handler
        for handler in logging.getLogger(name).handlers  # pytest adds its own
        if isinstance(handler, SharedFileHandler)
    ]

    assert isinstance(handler.formatter, LineFormatter)
    assert handler.path == settings.LOG_DIR / f"{name}.log"
    assert handler.max_bytes == 20 * 1024 * 1024
    assert handler.copies == 5


def test_no_line_of_the_portal_shows_its_keys(settings):
    formatter = logging.getLogger("etl").handlers[0].formatter
    record = logging.makeLogRecord({"msg": f"{settings.API_KEY} {settings.SECRET_KEY}"})

    assert formatter.format(record).endswith("*** ***")


@pytest.mark.parametrize("word", ["a-", "a://", "password ", "pwd="])
def test_hiding_secrets_takes_a_long_line_as_it_takes_four_short_ones(word):
    """By the ratio: what looks back over the line from each word would take sixteen times."""
    assert growth(formatted, word * 2000, word * 8000) < 10
