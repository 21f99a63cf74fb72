"""The cells of the last transfers: a run is a cell, and so is an hour without any."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlportal.today.runs import CELLS, Kind, cells
from etlportal.today.window import HOUR
from tests.etlportal.today.rows import NOON, make_run

AT_FIVE = timedelta(minutes=5)


def hourly(*hours: int, **fields) -> list:
    """Transfers at minute 5, so many hours before noon."""
    return [make_run(inizio=NOON - hour * HOUR + AT_FIVE, **fields) for hour in hours]


def kinds(runs: list, now: datetime) -> list[Kind]:
    return [cell.kind for cell in cells(runs, now)]


def test_an_empty_plant_has_no_cells_and_missed_nothing() -> None:
    assert cells([], NOON) == []


@pytest.mark.parametrize(
    ("stato", "kind"),
    [
        ("OK", Kind.OK),
        ("PARZIALE", Kind.PARTIAL),
        ("ERRORE", Kind.FAILED),
        ("INTERROTTA", Kind.FAILED),
        ("IN_CORSO", Kind.RUNNING),
        ("IN_CODA", Kind.RUNNING),
    ],
)
def test_each_outcome_has_its_kind(stato: str, kind: Kind) -> None:
    assert kinds(hourly(0, stato=stato), NOON + AT_FIVE) == [kind]


def test_a_missed_hour_is_a_cell_in_its_place() -> None:
    found = cells(hourly(4, 3, 0), NOON + AT_FIVE)
    assert [cell.kind for cell in found] == [Kind.OK, Kind.OK, Kind.MISSED, Kind.MISSED, Kind.OK]
    assert [cell.when for cell in found if cell.run is None] == [NOON - 2 * HOUR, NOON - HOUR]


def test_the_hour_in_course_is_missed_when_its_run_is_overdue() -> None:
    runs = hourly(1)
    assert kinds(runs, NOON + timedelta(minutes=14)) == [Kind.OK]
    assert kinds(runs, NOON + timedelta(minutes=15)) == [Kind.OK, Kind.MISSED]


def test_an_hour_in_which_a_long_run_worked_is_not_missed() -> None:
    long = make_run(inizio=NOON - 3 * HOUR, fine=NOON - HOUR)
    assert kinds([long, *hourly(0)], NOON + AT_FIVE) == [Kind.OK, Kind.OK]


def test_a_run_outside_the_timetable_is_a_cell_of_its_own() -> None:
    runs = [*hourly(1), make_run(inizio=NOON - timedelta(minutes=20)), *hourly(0)]
    assert kinds(runs, NOON + AT_FIVE) == [Kind.OK] * 3


def test_a_plant_that_stood_still_for_years_costs_no_more() -> None:
    found = cells([make_run(inizio=NOON - timedelta(days=3650))], NOON)
    assert [cell.kind for cell in found] == [Kind.MISSED] * CELLS


@given(st.sets(st.integers(0, 100), min_size=1, max_size=48))
def test_cells_are_the_hours_since_the_first_run(hours: set[int]) -> None:
    found = cells(hourly(*sorted(hours, reverse=True)), NOON + timedelta(minutes=20))
    wanted = [(NOON - hour * HOUR, hour in hours) for hour in range(max(hours), -1, -1)][-CELLS:]
    assert [(cell.when.replace(minute=0), cell.kind == Kind.OK) for cell in found] == wanted
