"""Clearing while others write: every line is in the log or in a backup, exactly once."""

import errno
import gzip
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logviewer import clearing, files
from logviewer.clearing import AuditRefused, Cleared, ClearFailed, clear, clear_logs
from logviewer.lines import parse
from tests.builders import ANNA
from tests.logviewer.lines import everything, line, numbered, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def audit(monkeypatch):
    """What the audit trail was told, in order."""
    told = []
    monkeypatch.setattr(clearing, "record", lambda *entry: told.append(entry))
    return told


def test_a_log_is_moved_to_a_backup(tmp_path):
    path = write(tmp_path / "etl.log", numbered(3))
    size = path.stat().st_size

    cleared = clear(path, "etl", backup=True)

    assert re.fullmatch(r"backup/etl\.\d{8}T\d{6}Z\.log\.gz", cleared.backup)
    assert cleared == Cleared("etl", size, cleared.backup)
    assert gzip.decompress((tmp_path / cleared.backup).read_bytes()).decode() == "".join(
        f"{each}\n" for each in numbered(3)
    )
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == [
        Path(cleared.backup).name
    ]


def test_the_rotated_pieces_go_with_it_the_oldest_first(tmp_path):
    write(tmp_path / "etl.log", numbered(2, first=4))
    write(tmp_path / "etl.log.1", numbered(2, first=2))
    write(tmp_path / "etl.log.2", numbered(2))

    cleared = clear(tmp_path / "etl.log", "etl", backup=True)

    saved = gzip.decompress((tmp_path / cleared.backup).read_bytes()).decode()
    assert saved.splitlines() == numbered(6)
    assert [each.name for each in tmp_path.iterdir()] == ["backup"]


def test_without_a_backup_nothing_is_left(tmp_path):
    path = write(tmp_path / "etl.log", numbered(3))
    size = path.stat().st_size
    write(tmp_path / "mysql.log", numbered(1))

    assert clear(path, "etl", backup=False) == Cleared("etl", size, "")
    assert [each.name for each in tmp_path.iterdir()] == ["mysql.log"]


def test_again_it_does_no_harm(tmp_path):
    path = write(tmp_path / "etl.log", numbered(3))
    first = clear(path, "etl", backup=True)

    assert clear(path, "etl", backup=True) == Cleared("etl", 0, "")
    assert len(list((tmp_path / "backup").iterdir())) == 1
    write(path, ["later"])
    second = clear(path, "etl", backup=True)
    assert second.backup != first.backup
    assert sorted(everything(path)) == sorted([*numbered(3), "later"])


def test_many_in_one_second_have_names_of_their_own(tmp_path):
    path = tmp_path / "etl.log"
    names = set()
    for number in range(5):
        write(path, [f"n{number}"])
        names.add(clear(path, "etl", backup=True).backup)

    assert len(names) == 5
    assert sorted(everything(path)) == [f"n{number}" for number in range(5)]


def test_two_at_once_lose_and_double_nothing(tmp_path):
    path = write(tmp_path / "etl.log", numbered(50_000))
    threads = [threading.Thread(target=lambda: clear(path, "etl", backup=True)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(everything(path)) == sorted(numbered(50_000))


# --- What goes wrong ------------------------------------------------------------------------


def test_a_folder_that_takes_no_backup_leaves_the_log_as_it_was(tmp_path):
    path = write(tmp_path / "etl.log", numbered(3))
    (tmp_path / "backup").write_text("in the way")

    with pytest.raises(OSError, match="backup"):
        clear(path, "etl", backup=True)

    assert path.read_text().splitlines() == numbered(3)


def test_a_disk_that_is_full_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    path = write(tmp_path / "etl.log", numbered(30_000))

    class FullDisk:
        """The file that the copy goes to: the real one, on a disk where 50 KB are free."""

        def __init__(self, real):
            self.real = real

        def write(self, data):
            if self.real.tell() + len(data) > 50_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.real.write(data)

        def __getattr__(self, name):
            return getattr(self.real, name)

    fdopen = os.fdopen
    monkeypatch.setattr(clearing.os, "fdopen", lambda *args: FullDisk(fdopen(*args)))
    with pytest.raises(OSError, match="space"):
        clear(path, "etl", backup=True)

    assert path.read_text().splitlines() == numbered(30_000)
    assert list((tmp_path / "backup").iterdir()) == []


def test_a_log_that_somebody_keeps_locked_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.1)
    path = write(tmp_path / "etl.log", numbered(3))

    with files.locked(path), pytest.raises(files.LockedElsewhere):
        clear(path, "etl", backup=True)

    assert path.read_text().splitlines() == numbered(3)
    assert list((tmp_path / "backup").iterdir()) == []


def test_copies_that_a_killed_process_left_are_removed_after_a_day(tmp_path):
    path = write(tmp_path / "etl.log", numbered(3))
    (tmp_path / "backup").mkdir()
    old, fresh = (tmp_path / "backup" / f".etl.{name}.part" for name in ("old", "fresh"))
    for part in (old, fresh):
        part.touch()
    os.utime(old, (0, 0))

    clear(path, "etl", backup=True)

    assert not old.exists()
    assert fresh.exists()


# --- Several logs, and the audit trail ------------------------------------------------------


def test_the_audit_trail_is_told_first(tmp_path, audit):
    write(tmp_path / "etl.log", numbered(3))
    write(tmp_path / "mysql.log", numbered(1))

    cleared = clear_logs(tmp_path, ["etl", "mysql"], backup=False, by=ANNA)

    assert [item.file for item in cleared] == ["etl", "mysql"]
    details = {"file": ["etl", "mysql"], "backup": False}
    assert audit == [("registri.svuotati", ANNA, "etl, mysql", details)]


def test_without_the_audit_trail_nothing_is_cleared(tmp_path, monkeypatch):
    path = write(tmp_path / "etl.log", numbered(3))

    def refuse(*entry):
        raise RuntimeError

    monkeypatch.setattr(clearing, "record", refuse)
    with pytest.raises(AuditRefused):
        clear_logs(tmp_path, ["etl"], backup=True, by=ANNA)

    assert path.read_text().splitlines() == numbered(3)


def test_one_that_fails_leaves_the_others_to_be_cleared(tmp_path, audit):
    write(tmp_path / "etl.log", numbered(3))
    (tmp_path / "etl.log.1").mkdir()  # cannot be removed as a file
    write(tmp_path / "mysql.log", numbered(3))

    with pytest.raises(ClearFailed) as failure:
        clear_logs(tmp_path, ["etl", "mysql"], backup=False, by=ANNA)

    assert failure.value.failed == ["etl"]
    assert [item.file for item in failure.value.cleared] == ["mysql"]


@pytest.mark.parametrize("name", ["../etl", "etl/", "", "ETL", "backup", "etl\0"])
def test_no_other_name_becomes_a_path(tmp_path, name):
    with pytest.raises(KeyError):
        files.log_path(tmp_path, name)


# --- While others write ---------------------------------------------------------------------

WRITER = """
import logging, sys, time
from logviewer.handlers import LineFormatter, SharedFileHandler
handler = SharedFileHandler(sys.argv[1], 60_000, 500)
handler.setFormatter(LineFormatter())
logger = logging.getLogger("prova")
logger.addHandler(handler)
logger.setLevel(logging.INFO)
start = time.monotonic()
number = 0
while time.monotonic() - start < 6:
    logger.info("%s %s", sys.argv[2], number)
    number += 1
    time.sleep(max(0, number / 500 - (time.monotonic() - start)))
print(number)
"""


def test_no_line_is_lost_while_two_processes_write_a_thousand_a_second(tmp_path):
    """Rotations come in between: at this rate one every second."""
    path = tmp_path / "etl.log"
    writers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WRITER, path, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    }
    clearings = 0
    while any(writer.poll() is None for writer in writers.values()):
        if clear(path, "etl", backup=True).backup:
            clearings += 1

    written = {name: int(writer.communicate()[0]) for name, writer in writers.items()}
    assert sum(written.values()) > 2000
    assert clearings > 10
    found = [parse(each).message for each in everything(path)]
    expected = [f"{name} {n}" for name, count in written.items() for n in range(count)]
    assert sorted(found) == sorted(expected)


def test_the_lines_that_came_during_the_copy_are_in_it(tmp_path, monkeypatch):
    """The copy is made beside the writers; what they add is taken once they wait."""
    path = write(tmp_path / "etl.log", numbered(3))
    catch_up = clearing._Copy.catch_up

    def and_then_rotate(copy, log):
        catch_up(copy, log)
        with log.open("a") as file:
            file.write(f"{line('during')}\n")
        files.rotate(log, 5)
        write(log, [line("after the rotation")])

    monkeypatch.setattr(clearing._Copy, "catch_up", and_then_rotate)
    cleared = clear(path, "etl", backup=True)

    saved = gzip.decompress((tmp_path / cleared.backup).read_bytes()).decode()
    assert saved.splitlines() == [*numbered(3), line("during"), line("after the rotation")]
