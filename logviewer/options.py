"""What may be asked of the logs, as text from an address, a form or a command line."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from logviewer.files import LOGS
from logviewer.lines import LEVELS
from logviewer.reader import DEFAULT_LINES, MAX_LINES, Wanted

YES_OR_NO = {
    **dict.fromkeys(("1", "true", "si", "sì"), True),
    **dict.fromkeys(("0", "false", "no"), False),
}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "g": "days"}
LONGEST_AGE = timedelta(days=36_500)

_AGE = re.compile(r"(\d{1,9})([smhdg])", re.ASCII)
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$", re.ASCII)


class BadOption(ValueError):
    """An option that cannot be taken: its name, and an Italian sentence that says what to write."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence


def read_wanted(given: Mapping[str, str]) -> Wanted:
    """Which lines: ``lines``, ``level``, ``since``, ``esecuzione``, ``q``; empty is not given,
    but for the number of lines.
    """
    return Wanted(
        lines=read_lines(given.get("lines", str(DEFAULT_LINES))),
        level=read_level(given.get("level", "")),
        since=read_since(given.get("since", "")),
        run=read_run(given.get("esecuzione", "")),
        text=given.get("q", "")[:200],
    )


def read_lines(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LINES):
        raise BadOption("lines", f"lines deve essere un numero intero da 1 a {MAX_LINES}.")
    return int(text)


def read_level(text: str) -> str | None:
    level = text.strip(" ").upper()
    if not level:
        return None
    if level not in LEVELS:
        raise BadOption("level", f"level può essere: {', '.join(LEVELS)}.")
    return level


def read_since(text: str) -> datetime | None:
    """A time (without offset: plant time), or how long ago: 30m, 2h, 1d."""
    text = text.strip(" ")
    if not text:
        return None
    now = timezone.now()
    if age := _AGE.fullmatch(text):
        back = timedelta(**{UNITS[age[2]]: min(int(age[1]), int(LONGEST_AGE.total_seconds()))})
        return now - min(back, LONGEST_AGE)
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadOption(
            "since", "since deve essere una data ISO 8601, oppure da quanto tempo: 30m, 2h, 1d."
        ) from None


def read_run(text: str) -> int | None:
    text = text.strip(" ")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadOption("esecuzione", "esecuzione deve essere il numero di un'esecuzione.")
    return int(text)


def read_names(given: Sequence[str]) -> list[str]:
    """The names of logs in ``etl,mysql`` or several texts, each once; none given: all.

    All are checked: one that is unknown, or looks like a path, refuses the whole.
    """
    if not given:
        return list(LOGS)
    names = []
    for name in (part.strip(" ") for text in given for part in text.split(",")):
        known = name.removesuffix(".log")
        if known not in LOGS:
            raise BadOption("file", f"file può essere: {', '.join(LOGS)}. Nulla è stato svuotato.")
        if known not in names:
            names.append(known)
    return names


def read_backup(text: str) -> bool:
    if not text:
        return True
    try:
        return YES_OR_NO[text.strip(" ").casefold()]
    except KeyError:
        raise BadOption("backup", "backup può essere: 1, 0, true, false, si, no.") from None
