"""Log files made for a test: lines as the portal writes them, at chosen times."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

from logviewer.files import rotated_pieces
from logviewer.lines import utc_text

NOON = datetime(2024, 12, 20, 12, 0, tzinfo=UTC)


def line(message, level="INFO", run="-", request="-", at=NOON):
    return f"{utc_text(at)} {level} run={run} req={request} {message}"


def write(path: Path, lines) -> Path:
    path.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    return path


def numbered(count, first=0, **fields):
    """Lines "n0", "n1" …, a second apart."""
    return [
        line(f"n{number}", at=NOON + timedelta(seconds=number), **fields)
        for number in range(first, first + count)
    ]


def everything(path: Path) -> list[str]:
    """The lines in the log, its pieces and its backups, in no order."""
    files = [file for file in (path, *rotated_pieces(path)) if file.exists()]
    texts = [file.read_text() for file in files]
    for backup in (path.parent / "backup").glob(f"{path.stem}.*.gz"):
        texts.append(gzip.decompress(backup.read_bytes()).decode())
    return [each for text in texts for each in text.splitlines()]
