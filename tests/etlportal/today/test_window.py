"""The window in plant time: 24 hours up to now, and days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlportal.today.page import window_asked
from etlportal.today.window import Window, last_hours, whole_day

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 23, 5, 40, tzinfo=UTC)


def local_hours(window: Window) -> list[int]:
    return [window.local(slot).hour for slot in window.slots[:-1]]


def test_the_last_24_hours_end_with_the_hour_in_course() -> None:
    window = last_hours(NOW, ROME)
    assert local_hours(window) == [*range(7, 24), *range(7)]
    assert (window.until, window.end) == (NOW, datetime(2026, 11, 23, 6, tzinfo=UTC))


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 3, 29), [0, 1, *range(3, 24)]),
        (date(2026, 10, 25), [0, 1, 2, 2, *range(3, 24)]),
        (date(2026, 11, 22), [*range(24)]),
    ],
)
def test_a_day_has_the_hours_that_its_clock_shows(day: date, hours: list[int]) -> None:
    window = whole_day(day, NOW + timedelta(days=365), ROME)
    assert local_hours(window) == hours
    assert window.until == window.end
    assert window.local(window.start).date() == day
    assert window.local(window.end).time().isoformat() == "00:00:00"


def test_the_hour_that_comes_twice_is_in_the_last_24_hours_twice() -> None:
    after = datetime(2026, 10, 25, 5, 30, tzinfo=UTC)  # 6:30 at the plant
    assert local_hours(last_hours(after, ROME)) == [*range(8, 24), 0, 1, 2, 2, 3, 4, 5, 6]


def test_today_ends_now_and_is_not_over() -> None:
    window = whole_day(date(2026, 11, 23), NOW, ROME)
    assert window.until == NOW
    assert len(window.slots) == 25


seconds_after = st.integers(-(10**8), 10**8).map(lambda n: NOW + timedelta(seconds=n))


@given(seconds_after)
def test_any_window_holds_now_in_its_last_hour(now: datetime) -> None:
    window = last_hours(now, ROME)
    assert window.slots[-2] <= now < window.end
    assert window.end - window.start == timedelta(hours=24)
    assert window.local(window.start).minute == 0


@pytest.mark.parametrize("giorno", ["", "ieri", "2026-02-30", "1999-12-31", "2026-11-24", "9" * 50])
def test_what_is_no_day_of_the_past_means_the_last_24_hours(giorno: str) -> None:
    assert window_asked(giorno, NOW).day is None


def test_a_day_can_be_asked_for() -> None:
    assert window_asked("2026-10-25", NOW).day == date(2026, 10, 25)
    assert window_asked("2026-11-23", NOW).until == NOW
