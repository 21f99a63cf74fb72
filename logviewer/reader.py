"""The end of a log, read from its end: as fast in a file of gigabytes as in a small one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from logviewer.files import is_current, rotated_pieces
from logviewer.lines import LEVELS, escaped, redacted, shortened, utc_text

BLOCK = 64 * 1024
LONGEST_LINE = 64 * 1024  # bytes; of a longer one (not ours) the beginning is kept
SCANNED = 20 * 1024 * 1024  # bytes taken apart into lines, newest first, looking for those wanted
PASSED_OVER = 6  # a block that cannot hold such a line costs so many times less
ANSWERED = 4 * 1024 * 1024  # bytes of lines given back
DEFAULT_LINES = 1000
MAX_LINES = 5000


@dataclass(frozen=True)
class Wanted:
    """Which lines. ``level``: this one and graver ones; ``text``: in any case of letters."""

    lines: int = DEFAULT_LINES
    level: str | None = None
    since: datetime | None = None
    run: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Tail:
    """Lines, the newest last; ``truncated``: there are, or may be, older ones that match."""

    lines: list[str]
    truncated: bool


class Matcher:
    """Judges lines as bytes: most are passed over, and decoding them would cost the most."""

    def __init__(self, wanted: Wanted) -> None:
        levels = LEVELS[LEVELS.index(wanted.level) :] if wanted.level else ()
        self.levels = {level.encode() for level in levels}
        self.since = utc_text(wanted.since).encode() if wanted.since else b""
        self.run = b"" if wanted.run is None else f"run={wanted.run}".encode()
        self.text = wanted.text.casefold()
        self.plain = self.text.encode() if self.text.isascii() else b""

    def __call__(self, line: bytes) -> bool:
        if self.levels and line[25:50].partition(b" ")[0] not in self.levels:
            return False
        if self.since and (line[:24] < self.since or not line[:1].isdigit()):
            return False
        if self.run and line[25:80].split(b" ", 2)[1:2] != [self.run]:
            return False
        if self.plain:
            return self.plain in line.lower()
        return self.text in line.decode(errors="replace").casefold()

    def may_be_in(self, block: bytes) -> bool:
        """Whether a line wanted can be among these bytes; True when only its lines can tell."""
        if self.levels and not any(b" %s run=" % level in block for level in self.levels):
            return False
        if self.run and b" %s " % self.run not in block:
            return False
        return not self.plain or self.plain in block.lower()


def tail(path: Path, wanted: Wanted) -> Tail:
    """The last lines that match, from the file and, before it, its rotated pieces.

    No file: no lines. Raises ``OSError`` for a file that cannot be read.
    """
    matches = Matcher(wanted)
    found: list[bytes] = []
    size, truncated = 0, False
    with ExitStack() as stack:
        newest: dict[tuple[int, int], BinaryIO] = {}
        # A file that is rotated meanwhile is met again under its new name, and taken once.
        for piece in (path, *rotated_pieces(path)):
            with suppress(FileNotFoundError):
                file = stack.enter_context(piece.open("rb"))
                status = os.fstat(file.fileno())
                newest.setdefault((status.st_dev, status.st_ino), file)
        for line in backwards(newest.values(), matches):
            if line is not None and not matches(line):
                continue
            if line is None or len(found) == wanted.lines or size + len(line) > ANSWERED:
                truncated = True
                break
            size += len(line)
            found.append(line)
    return Tail([clean(line) for line in reversed(found)], truncated)


def clean(line: bytes) -> str:
    """What is in the files is ours and clean; what others put there is made so."""
    return redacted(shortened(escaped(line.decode("utf-8", "replace"))))


def backwards(newest_first: Iterable[BinaryIO], matches: Matcher) -> Iterator[bytes | None]:
    """The lines of the files from the last to the first, but for some that are not wanted; None
    where the limit is reached.
    """
    left = SCANNED
    for file in newest_first:
        position = file.seek(0, os.SEEK_END)
        begun = b""  # the part read so far of a line whose beginning is not read yet
        while position:
            if left <= 0:
                yield None
                return
            length = min(BLOCK, position)
            position -= length
            file.seek(position)
            block = file.read(length) + begun
            if matches.may_be_in(block):
                left -= length
                first, *rest = block.split(b"\n")
                yield from filter(None, reversed(rest))
            else:
                left -= length // PASSED_OVER + 1
                first = block.partition(b"\n")[0]
            begun = first[:LONGEST_LINE]
        if begun:
            yield begun


def follow(path: Path) -> Iterator[bytes | None]:
    """Lines as they come, from now on, across rotations; None when there is none for now."""
    file = _open_at(path, os.SEEK_END)
    while True:
        line = file.readline() if file else b""
        if line:
            yield line.rstrip(b"\n")
        elif file is None or not is_current(file.fileno(), path):
            rest = file.readlines() if file else []  # written before the file was renamed
            yield from (each.rstrip(b"\n") for each in rest)
            yield None
            file = _open_at(path, os.SEEK_SET)
        else:
            yield None


def _open_at(path: Path, whence: int) -> BinaryIO | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    file.seek(0, whence)
    return file
