"""Numbers as machines, flows and Italian spreadsheets write them (domain.md, "Numbers")."""

import re
from decimal import Decimal
from math import isinf
from typing import Any

from ingestion.transfer.records import Unreadable
from ingestion.transfer.text import present

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ITALIAN = re.compile(r"[+-]?(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]+")


def read_number(text: str | None) -> Decimal | Unreadable | None:
    """The exact value of "1054.5", "1.4e1", "12,5" or "1.054,50"; None = missing.

    "1.054" is a plain JSON number, hence 1.054. Units, other separators, words and numbers
    that the DOUBLE columns cannot hold (1e400, 1e-400) are unreadable.
    """
    written = present(text)
    if written is None:
        return None
    if not _PLAIN.fullmatch(written):
        if not _ITALIAN.fullmatch(written):
            return Unreadable(written)
        written = written.replace(".", "").replace(",", ".")
    try:
        number = Decimal(written)
    except ArithmeticError:  # an exponent of twenty digits
        return Unreadable(written)
    double = float(written)
    if isinf(double) or (number and not double):
        return Unreadable(written)
    return number


def read_integer(text: str | None) -> int | Unreadable | None:
    """The whole number in "3", "3.0" or "3,0"; None = missing, "3.5" is unreadable."""
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
