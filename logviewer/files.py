"""The log files on disk: their names, their rotated pieces, and the lock that writers share.

A file is written, rotated and cleared only by who holds the lock on it (``flock``, on the file
itself) and has seen, holding it, that its name still leads to it. So a file that was renamed is
complete: nobody writes to it any more. Each line is one ``write`` to a file opened for appending.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGS = ("etl", "periodic", "postgresql", "mysql")  # in the order of the pages
BACKUPS = "backup"
LOCK_SECONDS = 2.0
CLEARING_SECONDS = 60.0  # what the flow engine waits is 120 s
_PAUSE_SECONDS = 0.0005


class LockedElsewhere(OSError):
    """Another process holds the file for longer than anyone should."""


def log_path(folder: Path, name: str) -> Path:
    """``name``: one of ``LOGS``; nothing else ever becomes part of a path."""
    if name not in LOGS:
        raise KeyError(name)
    return folder / f"{name}.log"


@contextmanager
def locked(path: Path, *, or_raise: bool = False) -> Iterator[int]:
    """A descriptor, open for appending and locked, of the file that ``path`` names now.

    A lock that cannot be had (a stopped process, a disk without locks) holds up no writer for
    more than ``LOCK_SECONDS``: it then writes without. ``or_raise``: ``LockedElsewhere`` instead.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        # Opened anew each time: a forked process would share the lock of an inherited descriptor.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not _lock(descriptor, deadline) and or_raise:
                raise LockedElsewhere(f"{path.name} is locked")
            if is_current(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


@contextmanager
def clearing_lock(folder: Path) -> Iterator[None]:
    """One clearing at a time: two would each save the same lines. Raises ``LockedElsewhere``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _lock(descriptor, time.monotonic() + CLEARING_SECONDS):
            raise LockedElsewhere("the logs are being cleared")
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        except OSError:  # a file system without locks
            return False
        else:
            return True


def is_current(descriptor: int, path: Path) -> bool:
    """Whether ``path`` names the open file, and not one that took its place."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def rotated_pieces(path: Path) -> list[Path]:
    """``etl.log.1``, ``etl.log.2`` …: the newest first."""
    pieces = [piece for piece in path.parent.glob(f"{path.name}.*") if piece.suffix[1:].isdecimal()]
    return sorted(pieces, key=lambda piece: int(piece.suffix[1:]))


def rotate(path: Path, copies: int) -> None:
    """Renames the file to its first piece, the pieces to the next; for who holds the lock.

    The file itself comes last: until then nobody can be in a second rotation.
    """
    pieces = [path.with_name(f"{path.name}.{number}") for number in range(1, copies + 1)]
    free = next((place for place, piece in enumerate(pieces) if not piece.exists()), copies - 1)
    for place in range(free, 0, -1):
        pieces[place - 1].replace(pieces[place])
    path.replace(pieces[0])


def write_line(descriptor: int, line: bytes, size: int) -> None:
    """All of the line or nothing of it; for who holds the lock on a file of ``size`` bytes."""
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, size)  # the disk is full
