"""What a machine did, second by second, against a reckoning that looks at each second alone."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etlportal.today.strip import State, machine_strips, segments
from etlportal.today.window import last_hours
from production.figures import WorkedOperation
from tests.etlportal.today.rows import NOON, make_work
from tests.etlportal.today.test_window import ROME

START, LENGTH = NOON, 120  # the property tests look at so many seconds
END = START + timedelta(seconds=LENGTH)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


works = st.lists(
    st.builds(
        lambda begun, lasted, fermo, anomala: make_work(
            inizio=at(begun),
            fine=None if lasted is None else at(begun + lasted),
            fermo=fermo,
            anomala=anomala,
        ),
        st.integers(-60, 150),
        st.none() | st.integers(0, 90),
        st.sampled_from([None, None, "PAUSA", "UTENSILE"]),
        st.booleans(),
    ),
    max_size=8,
)


def state_at(second: int, rows: list[WorkedOperation]) -> State:
    """By the definition: the gravest state of the operations that are in course."""
    running = [row for row in rows if row.fine and row.inizio <= at(second) < row.fine]
    if any(row.anomala for row in running):
        return State.ANOMALOUS
    if any(row.fermo for row in running):
        return State.STOPPED
    return State.WORKED if running else State.NO_DATA


@given(works)
def test_each_second_has_the_gravest_state_of_its_operations(rows: list[WorkedOperation]) -> None:
    found = segments(rows, START, END)
    seconds = [
        part.state for part in found for _ in range(int((part.end - part.start).total_seconds()))
    ]
    assert seconds == [state_at(second, rows) for second in range(LENGTH)]


@given(works)
def test_segments_fill_the_window_and_neighbours_differ(rows: list[WorkedOperation]) -> None:
    found = segments(rows, START, END)
    assert [found[0].start, *(part.end for part in found)] == [
        *(part.start for part in found),
        END,
    ]
    for one, next_one in pairwise(found):
        assert (one.state, one.stops) != (next_one.state, next_one.stops)


def test_a_stop_has_its_name_and_an_anomaly_hides_it() -> None:
    stop = make_work(inizio=at(0), fine=at(60), fermo="PAUSA")
    other = make_work(inizio=at(30), fine=at(90), fermo="UTENSILE")
    bad = make_work(inizio=at(80), fine=at(90), anomala=True)
    found = segments([stop, other, bad], START, END)
    assert [(part.state, part.stops) for part in found] == [
        (State.STOPPED, ("PAUSA",)),
        (State.STOPPED, ("PAUSA", "UTENSILE")),
        (State.STOPPED, ("UTENSILE",)),
        (State.ANOMALOUS, ()),
        (State.NO_DATA, ()),
    ]


def test_without_operations_nothing_is_known_and_nothing_is_called_idle() -> None:
    assert [part.state for part in segments([], START, END)] == [State.NO_DATA]
    assert "idle" not in {state.name.lower() for state in State}


def test_every_machine_has_a_strip_and_unknown_ones_come_last() -> None:
    window = last_hours(NOON, ROME)
    rows = [
        make_work(macchinario=None, inizio=NOON - timedelta(hours=1)),
        make_work(macchinario="NUOVA", inizio=NOON - timedelta(hours=2), fine=None),
        make_work(macchinario="CNC01", inizio=NOON - timedelta(hours=3), fine=NOON),
    ]
    strips = machine_strips([("CNC01", "Tornio"), ("FRG01", "Maglio")], rows, window)
    assert [strip.code for strip in strips] == ["CNC01", "FRG01", "NUOVA", None]
    assert strips[0].time_in(State.WORKED) == timedelta(hours=3)
    assert [strip.has_data for strip in strips] == [True, False, True, True]
    assert [strip.open_operations for strip in strips] == [0, 0, 1, 0]
    for strip in strips:
        total = sum((strip.time_in(state) for state in State), timedelta(0))
        assert total == window.until - window.start
