"""One line an event, whatever the values in it; a log that cannot be written harms nobody."""

import logging
import re
import sys
import threading
from contextlib import suppress

import pytest

from logviewer.handlers import LineFormatter, QuietWatchedFileHandler

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+)"
    r" run=(?P<run>\S+) req=(?P<req>\S+) (?P<message>.*)"
)


def formatted(message, *args, level=logging.INFO, exc_info=None, **extra):
    record = logging.LogRecord("etl", level, __file__, 1, message, args, exc_info)
    record.created = 1734688800.123
    record.msecs = 123
    vars(record).update(extra)
    return LineFormatter().format(record)


# --- A line ---------------------------------------------------------------------------------


def test_a_line():
    line = formatted("loaded %s rows", 3, esecuzione=12, request_id="ab12")

    assert line == "2024-12-20T10:00:00.123Z INFO run=12 req=ab12 loaded 3 rows"


def test_a_line_outside_a_run_or_request():
    assert LINE.fullmatch(formatted("ready")).group("run", "req") == ("-", "-")


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR", "CRITICAL"])
def test_the_level(level):
    line = formatted("x", level=logging.getLevelNamesMapping()[level])

    assert LINE.fullmatch(line)["level"] == level


@pytest.mark.parametrize("code", [*range(32), 127])
def test_a_control_character_is_shown_and_not_obeyed(code):
    line = formatted("before%safter", chr(code))

    assert LINE.fullmatch(line)["message"] == f"before\\x{code:02x}after"


def test_no_value_can_forge_a_line():
    forged = "x\n2024-12-20T10:00:00.000Z ERROR run=1 req=- all is lost"

    line = formatted("piece %s", forged, request_id="r\n")

    assert len(line.splitlines()) == 1


def test_accents_stay_as_they_are():
    assert LINE.fullmatch(formatted("è più 𝄞"))["message"] == "è più 𝄞"


def test_an_exception_is_one_line_too():
    def fail():
        raise ValueError("first\nsecond")

    try:
        fail()
    except ValueError:
        line = formatted("failed", exc_info=sys.exc_info())

    assert len(line.splitlines()) == 1
    assert "ValueError: first\\x0asecond" in LINE.fullmatch(line)["message"]


# --- A file ---------------------------------------------------------------------------------


@pytest.fixture
def logger_to():
    """A logger that writes to that file."""
    handlers = []

    def make(path):
        logger = logging.getLogger(f"prova.{len(handlers)}")
        logger.setLevel(logging.INFO)
        handler = QuietWatchedFileHandler(path, encoding="utf-8", delay=True)
        handler.setFormatter(LineFormatter())
        logger.addHandler(handler)
        handlers.append((logger, handler))
        return logger

    yield make
    for logger, handler in handlers:
        logger.removeHandler(handler)
        with suppress(OSError):  # what a full disk did not take is flushed again
            handler.close()


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
def test_a_log_that_cannot_be_written_fails_nobody(logger_to, tmp_path, path, capsys, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", True)
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
        if isinstance(handler, QuietWatchedFileHandler)
    ]

    assert isinstance(handler.formatter, LineFormatter)
    assert handler.baseFilename == str(settings.LOG_DIR / f"{name}.log")
