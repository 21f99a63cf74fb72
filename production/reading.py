"""Text as received: what counts as missing, which number it says, how much of it is shown.

The one reader of rules, pages and charts (docs/regole.md, "Lettura").
"""

import json
import re
from decimal import Decimal
from math import isinf
from typing import Any, NamedTuple

# How spreadsheets and flows write "no value" (docs/regole.md, "Valori mancanti"), compared trimmed
# and case folded. "#N/D" is how an Italian spreadsheet writes #N/A.
MISSING_WORDS = frozenset({"", "null", "n/d", "#n/a", "#n/d"})
LONGEST_MISSING_WORD = 4
SHOWN_LENGTH = 500
MAX_PLAIN_DIGITS = 18
MAX_ELEMENTS = 100  # of a list inside a record; no machine declares more at once

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_FORM = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ITALIAN_FORM = re.compile(r"[+-]?(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]+")


class Unreadable(NamedTuple):
    """A field whose text is not of its type; ``motivo`` says in Italian why, if there is more
    to say than that.
    """

    testo: str
    motivo: str = ""


def present(text: str | None) -> str | None:
    """The trimmed text (no-break spaces too), or None if it says that there is no value."""
    if text is None:
        return None
    trimmed = text.strip()
    if len(trimmed) > LONGEST_MISSING_WORD:  # as most are
        return trimmed
    return None if trimmed.casefold() in MISSING_WORDS else trimmed


def read_word(text: str | None) -> str | None:
    """A word that is compared without regard to case: trimmed and case folded; None = missing."""
    word = present(text)
    return None if word is None else word.casefold()


def shorten(text: str, length: int = SHOWN_LENGTH) -> str:
    """At most ``length`` characters, the last one "…" if any were cut, that every database
    can store: U+0000 and lone surrogates are shown as U+FFFD.
    """
    shown = text if len(text) <= length else text[: length - 1] + "…"
    return _UNSTORABLE.sub("\ufffd", shown)


def as_text(value: Any) -> str:
    """A JSON value as it was sent; whatever cannot be written as JSON is named by its type."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__})"


def read_number(text: str | None) -> Decimal | Unreadable | None:
    """The exact value of "1054.5", "1.4e1", "12,5" or "1.054,50"; None = missing.

    "1.054" is a plain JSON number, hence 1.054. Units, other separators, words and numbers
    that the DOUBLE columns cannot hold (1e400, 1e-400) are unreadable.
    """
    written = present(text)
    if written is None:
        return None
    if not _PLAIN_FORM.fullmatch(written):
        if not _ITALIAN_FORM.fullmatch(written):
            return Unreadable(written)
        written = written.replace(".", "").replace(",", ".")
    try:
        number = Decimal(written)
    except ArithmeticError:  # an exponent of twenty digits
        return Unreadable(written)
    if -300 < number.adjusted() < 300:
        return number
    double = float(written)
    return Unreadable(written) if isinf(double) or (number and not double) else number


def read_integer(text: str | None) -> int | Unreadable | None:
    """The whole number in "3", "3.0" or "3,0"; None = missing, "3.5" is unreadable."""
    if text is not None and len(text) < MAX_PLAIN_DIGITS and text.isascii() and text.isdigit():
        return int(text)  # what flows send: without the detour over a Decimal
    number = read_number(text)
    if not isinstance(number, Decimal):
        return number
    return int(number) if number == number.to_integral_value() else Unreadable(str(text))


def as_integer(value: Any) -> int | None:
    """The whole number that a JSON value stands for: 3, 3.0, "3"; None if it is none.

    Like every number here it must fit a double; a boolean is no number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**308 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        number = read_integer(value)
        return number if isinstance(number, int) else None
    return None
