"""Date-times as the plant's senders write them (docs/regole.md, "Date e ore"), read to UTC.

Arithmetic is on UTC only: Python subtracts and compares two date-times of one zone by their
wall clocks, which is wrong across a clock change.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from production.reading import Unreadable, present
from production.vocabulary import gettext_noop as _

PLANT_TIME_ZONE = ZoneInfo("Europe/Rome")
FIRST_YEAR = 2000
SERIAL_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet knows no zone

UNKNOWN_FORM = _("non è una data con ora riconoscibile")
TOO_OLD = _("è precedente all'anno 2000")
SKIPPED_HOUR = _("cade nell'ora che il passaggio all'ora legale salta")


class DoubleHour(NamedTuple):
    """A plant time that the clock shows twice in autumn: both moments, in UTC."""

    first: datetime
    second: datetime

    def not_before(self, start: datetime | None) -> datetime:
        """The first moment, or the second if the first comes before ``start``."""
        return self.second if start is not None and self.first < start else self.first


_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
_OFFSET = r"[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?"
_ISO = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_TIME})(?: ?({_OFFSET}))?")
_ITALIAN = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4}) ([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)")
_SERIAL = re.compile(r"([0-9]{5,7})(?:[.,]([0-9]{1,20}))?")


def read_timestamp(text: str | None) -> datetime | DoubleHour | Unreadable | None:
    """The moment in UTC, to the microsecond; None = missing.

    Without an offset the text is plant time: an hour that the clock shows twice is returned
    as a ``DoubleHour``, one that it skips is unreadable.
    """
    written = present(text)
    if written is None:
        return None
    try:
        moment = _read(written)
        if moment is None:
            return Unreadable(written, UNKNOWN_FORM)
        if moment.year < FIRST_YEAR:
            return Unreadable(written, TOO_OLD)
        if moment.tzinfo is not None:
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # month 13; the year 10000 once in UTC
        return Unreadable(written, UNKNOWN_FORM)
    return plant_to_utc(moment) or Unreadable(written, SKIPPED_HOUR)


def plant_to_utc(local: datetime) -> datetime | DoubleHour | None:
    """A naive plant time in UTC; None if the clock never shows it."""
    before = _offset(local.replace(fold=0))
    after = _offset(local.replace(fold=1))
    first = (local - before).replace(tzinfo=UTC)
    if before == after:
        return first
    if before < after:  # the offset grows in spring: the hour in between is skipped
        return None
    return DoubleHour(first, (local - after).replace(tzinfo=UTC))


def _offset(local: datetime) -> timedelta:
    return PLANT_TIME_ZONE.utcoffset(local) or timedelta()


def utc_to_plant(moment: datetime) -> datetime:
    """The naive plant time of a moment, as MySQL stores it."""
    return moment.astimezone(PLANT_TIME_ZONE).replace(tzinfo=None, fold=0)


def _read(written: str) -> datetime | None:
    """As it is written, with or without an offset; None if it has none of the three forms."""
    if match := _ISO.fullmatch(written):
        # fromisoformat takes more forms than docs/regole.md does, and cuts decimals after the sixth
        return datetime.fromisoformat(match[1] + (match[2] or "").upper())
    if match := _ITALIAN.fullmatch(written):
        day, month, year, time = match.groups()
        return datetime.fromisoformat(f"{year}-{month}-{day}T{time}")
    if match := _SERIAL.fullmatch(written):
        # Days since 1899-12-30, to the nearest second: five decimals of a day are 0.9 s, so that
        # 10:00:00 is sent as 45646.41667, which is 10:00:00.288 to the letter.
        days = Decimal(f"{match[1]}.{match[2] or 0}")
        seconds = (days * 86_400).to_integral_value(ROUND_HALF_UP)
        return SERIAL_DAY_ZERO + timedelta(seconds=int(seconds))
    return None
