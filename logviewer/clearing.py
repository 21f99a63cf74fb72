"""Clearing logs, with a backup, while others write: no line lost, no backup overwritten.

What is there is compressed first, beside the writers; then, holding the lock that every writer
asks for, what came meanwhile; only then are the files removed. So whatever fails before, the
log stays as it was.
"""

import gzip
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from etlportal.audit.record import Actor, record
from logviewer import files

CATCH_UP_BYTES = 256 * 1024  # what may be left to compress while the writers wait
ABANDONED_SECONDS = 24 * 3600


class Cleared(NamedTuple):
    """A log that is empty now. ``byte``: what was removed; ``backup``: in the folder, or ""."""

    file: str
    byte: int
    backup: str


class AuditRefused(Exception):
    """The audit trail could not be written; nothing was cleared."""


class ClearFailed(Exception):
    """Some logs could not be cleared, and are as they were; ``cleared`` are those that could."""

    def __init__(self, failed: list[str], cleared: list[Cleared]) -> None:
        super().__init__(", ".join(failed))
        self.failed = failed
        self.cleared = cleared


def clear_logs(folder: Path, names: Sequence[str], *, backup: bool, by: Actor) -> list[Cleared]:
    """Clears the logs of these names (of ``files.LOGS``), after saying so in the audit trail.

    Raises ``AuditRefused`` or ``ClearFailed``.
    """
    try:
        details = {"file": list(names), "backup": backup}
        record("registri.svuotati", by, ", ".join(names), details)
    except Exception as error:
        raise AuditRefused from error
    cleared: list[Cleared] = []
    failed: list[str] = []
    for name in names:
        try:
            cleared.append(clear(files.log_path(folder, name), name, backup=backup))
        except OSError:
            failed.append(name)
    if failed:
        raise ClearFailed(failed, cleared)
    return cleared


def clear(path: Path, name: str, *, backup: bool) -> Cleared:
    """Empties one log and its rotated pieces; raises ``OSError`` with nothing removed."""
    if not path.parent.is_dir():
        return Cleared(name, 0, "")
    with ExitStack() as stack:
        stack.enter_context(files.clearing_lock(path.parent))
        if size(path) == 0:
            return Cleared(name, 0, "")
        copy = stack.enter_context(_Copy(path)) if backup else None
        if copy:
            copy.catch_up(path)
        stack.enter_context(files.locked(path, or_raise=True))  # nobody writes from here on
        pieces = [*reversed(files.rotated_pieces(path)), path]
        removed = size(path)
        backup_name = copy.publish(pieces, name) if copy else ""
        for piece in pieces:
            piece.unlink(missing_ok=True)
    return Cleared(name, removed, backup_name)


def size(path: Path) -> int:
    """Bytes of a log and its rotated pieces; 0 without a file."""
    total = 0
    for piece in (path, *files.rotated_pieces(path)):
        with suppress(FileNotFoundError):
            total += piece.stat().st_size
    return total


class _Copy:
    """A compressed copy in the making, under a name that nobody takes for a backup.

    Files are known by inode: one that is rotated meanwhile goes on where it was left.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.parent / files.BACKUPS
        self.folder.mkdir(exist_ok=True)
        for part in self.folder.glob(".*.part"):  # of processes that were killed while copying
            if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                part.unlink(missing_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=".part", dir=self.folder
        )
        self.part = Path(name)
        self.raw = os.fdopen(descriptor, "wb")
        self.gzip = gzip.GzipFile(fileobj=self.raw, mode="wb", filename="", compresslevel=6)
        self.read: dict[tuple[int, int], BinaryIO] = {}

    def __enter__(self) -> "_Copy":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.read.values():
            file.close()
        self.raw.close()
        self.part.unlink(missing_ok=True)

    def catch_up(self, path: Path) -> None:
        """Copies until little is left; a log that grows faster than this ends after some turns."""
        for _ in range(5):
            if self._add([*reversed(files.rotated_pieces(path)), path]) < CATCH_UP_BYTES:
                break
        self.gzip.flush()
        os.fsync(self.raw.fileno())

    def publish(self, pieces: Sequence[Path], name: str) -> str:
        """Completes the copy and gives it its name; for who holds the lock."""
        self._add(pieces)
        self.gzip.close()
        self.raw.flush()
        os.fchmod(self.raw.fileno(), pieces[-1].stat().st_mode & 0o777)
        os.fsync(self.raw.fileno())
        final = _free_name(self.folder, name)
        self.part.replace(final)
        return f"{files.BACKUPS}/{final.name}"

    def _add(self, pieces: Sequence[Path]) -> int:
        """Copies what is new in the pieces, the oldest first; how many bytes."""
        added = 0
        for piece in pieces:
            try:
                opened = piece.open("rb")
            except FileNotFoundError:  # rotated in this moment: met again in the next turn
                continue
            status = os.fstat(opened.fileno())
            file = self.read.setdefault((status.st_dev, status.st_ino), opened)
            if file is not opened:
                opened.close()
            before = file.tell()
            shutil.copyfileobj(file, self.gzip, 256 * 1024)
            added += file.tell() - before
        return added


def _free_name(folder: Path, name: str) -> Path:
    """A name that no backup has, taken with an empty file: another process cannot get it too."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in count(1):
        suffix = f"-{number}" if number > 1 else ""
        path = folder / f"{name}.{stamp}{suffix}.log.gz"
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
    return path


def backups(folder: Path) -> list[Path]:
    """The backups, the newest first."""
    found = [path for path in (folder / files.BACKUPS).glob("*.log.gz") if path.is_file()]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
