"""Text as received: what counts as missing, and how it is shown in notes and anomaly rows."""

import json
import re
from typing import Any

# How spreadsheets and flows write "no value" (domain.md), compared trimmed and case folded.
# "#N/D" is how an Italian spreadsheet writes #N/A.
MISSING_WORDS = frozenset({"", "null", "n/d", "#n/a", "#n/d"})
SHOWN_LENGTH = 500

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def present(text: str | None) -> str | None:
    """The trimmed text (no-break spaces too), or None if it says that there is no value."""
    if text is None:
        return None
    trimmed = text.strip()
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
