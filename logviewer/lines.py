"""How a log line is written and read: one line an event, nothing in it that could harm.

``2024-12-20T10:00:00.123Z INFO run=12 req=ab12 message`` (docs/contratto.md, "Registri").
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

MAX_CHARACTERS = 8192
SECRET_SHOWN = "***"  # noqa: S105 - what is shown in its place
SHORTEST_SECRET = 8  # a shorter one would be found inside ordinary words

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Controls (C0, DEL, C1), line separators, and marks that turn the direction of the text.
_HARMFUL = (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F))
_HARMFUL += (0x200E, 0x200F, *range(0x2066, 0x206A), 0xFEFF)
ESCAPES = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _HARMFUL}

_SECRET_SHAPES = re.compile(
    r"(?P<dsn>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@]{0,200}:[^\s@]{0,500}(?=@)"
    r"|etl_[0-9a-f]{12}_[\w-]{43}"
    r"|(?P<name>\b(?:x-)?(?:api[_-]?key|password|passwd|pwd|secret(?:_key)?|authorization)\b"
    r"['\"]?\s{0,9}[:=]\s{0,9}(?:bearer\s+|basic\s+)?)(?:'[^']*'|\"[^\"]*\"|[^\s,;&)}\]]+)",
    re.IGNORECASE,
)

_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+)"
    r" run=(?P<run>\S+) req=(?P<req>\S+) (?P<message>.*)"
)


class LogLine(NamedTuple):
    """A line taken apart. A line that is not ours has a message alone; ``run`` None: in no run."""

    time: datetime | None
    level: str
    run: int | None
    request: str
    message: str


def escaped(text: str) -> str:
    """The text on one line, harmful characters shown and not obeyed."""
    return text.translate(ESCAPES)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without what looks like a key, password or DSN."""
    for secret in secrets:
        text = text.replace(secret, SECRET_SHOWN)
    return _SECRET_SHAPES.sub(rf"\g<dsn>\g<name>{SECRET_SHOWN}", text)


def shortened(text: str) -> str:
    """At most ``MAX_CHARACTERS``: a tail of many lines must fit in memory."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def parse(line: str) -> LogLine:
    match = _LINE.fullmatch(line)
    if not match:
        return LogLine(None, "", None, "", line)
    try:
        moment = datetime.fromisoformat(match["time"]).astimezone(UTC)
    except ValueError:
        return LogLine(None, "", None, "", line)
    run = int(match["run"]) if match["run"].isdecimal() else None
    request = "" if match["req"] == "-" else match["req"]
    return LogLine(moment, match["level"], run, request, match["message"])


def utc_text(moment: datetime) -> str:
    """A time as lines have it, so that lines compare with it as text."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )
