"""The stretch of time that the pictures of the machines show, in hours of plant time; pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """``slots``: the starts of its hours and, last, its end, in UTC; ``until`` is where what
    happened ends: now, or the end of a day that is over. ``day``: None for the last 24 hours.
    """

    slots: tuple[datetime, ...]
    until: datetime
    zone: tzinfo
    day: date | None = None

    @property
    def start(self) -> datetime:
        return self.slots[0]

    @property
    def end(self) -> datetime:
        return self.slots[-1]

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def clock(self, moment: datetime) -> str:
        return f"{self.local(moment):%H:%M}"

    def day_and_clock(self, moment: datetime) -> str:
        return f"{self.local(moment):%d/%m %H:%M}"


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> Window:
    """The hour in course and those before it, ``hours`` in all."""
    current = now.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    first = current - (hours - 1) * HOUR
    return Window(_hours(first, first + hours * HOUR), now.astimezone(UTC), zone)


def whole_day(day: date, now: datetime, zone: tzinfo) -> Window:
    """A day of plant time: 23 hours in spring and 25 in autumn, when the clock changes."""
    start, end = (
        datetime.combine(day + timedelta(days=later), time.min, zone).astimezone(UTC)
        for later in (0, 1)
    )
    return Window(_hours(start, end), max(start, min(now.astimezone(UTC), end)), zone, day)


def _hours(start: datetime, end: datetime) -> tuple[datetime, ...]:
    return tuple(start + n * HOUR for n in range(round((end - start) / HOUR) + 1))
