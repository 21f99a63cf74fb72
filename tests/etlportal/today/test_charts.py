"""The geometry of the pictures equals the numbers, and the tables say the same."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from etlportal.lists.drawing import Drawing, nice_ceiling, shortened
from etlportal.today import charts
from etlportal.today.runs import Cell, Kind
from etlportal.today.strip import State, machine_strips
from etlportal.today.window import HOUR, last_hours, whole_day
from production.figures import StopCount
from tests.etlportal.today.rows import NOON, make_run, make_work
from tests.etlportal.today.shapes import boxes, points, root_of, texts
from tests.etlportal.today.test_window import ROME

WINDOW = last_hours(NOON + timedelta(minutes=30), ROME)
ROUNDING = 0.011  # a coordinate has two decimals, a width is a difference of two


@pytest.fixture(autouse=True)
def italian():
    with translation.override("it"):
        yield


# --- Machines -------------------------------------------------------------------------------

minutes = st.integers(0, 26 * 60)
works = st.lists(
    st.builds(
        lambda machine, begun, lasted, fermo, anomala: make_work(
            macchinario=machine,
            inizio=WINDOW.start + timedelta(minutes=begun - 60),
            fine=WINDOW.start + timedelta(minutes=begun - 60 + lasted),
            fermo=fermo,
            anomala=anomala,
        ),
        st.sampled_from(["CNC01", "FRG01", None]),
        minutes,
        st.integers(1, 300),
        st.sampled_from([None, "PAUSA"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(works)
def test_the_widths_of_each_state_are_its_minutes(rows) -> None:
    strips = machine_strips([("CNC01", "Tornio"), ("FRG01", "")], rows, WINDOW)
    drawing = charts.strips_drawing(strips, WINDOW)
    found = boxes(drawing)
    unit = (drawing.width - charts.STRIP_LEFT) / (24 * 60)  # of one minute
    for row, strip in enumerate(strips):
        y = charts.AXIS + row * charts.STRIP_ROW
        for state in State:
            drawn = [box.width for box in found if (box.kind, box.y) == (state, y)]
            wanted = strip.time_in(state).total_seconds() / 60 * unit
            assert sum(drawn) == pytest.approx(wanted, abs=ROUNDING * (len(drawn) + 1))
    until = charts.STRIP_LEFT + (WINDOW.until - WINDOW.start).total_seconds() / 60 * unit
    assert max(box.x + box.width for box in found) == pytest.approx(until, abs=ROUNDING)


def test_no_data_has_its_own_texture_and_so_have_all_states_but_plain_work() -> None:
    hours = [NOON - n * HOUR for n in range(1, 5)]
    rows = [
        make_work(inizio=hours[0], fine=hours[0] + HOUR),
        make_work(inizio=hours[1], fine=hours[0], fermo="PAUSA"),
        make_work(inizio=hours[2], fine=hours[1], anomala=True),
    ]
    strips = machine_strips([("FRG01", "")], rows, WINDOW)
    found = boxes(charts.strips_drawing(strips, WINDOW))
    assert {(box.kind, box.pattern) for box in found} == {
        ("worked", ""),
        ("stopped", "stopped"),
        ("anomalous", "anomalous"),
        ("no-data", "no-data"),
    }
    assert "FRG01 · Fermo PAUSA · 11:00–12:00" in [box.title for box in found]


def test_the_tables_of_the_machines_say_times_and_moments() -> None:
    rows = [make_work(inizio=NOON - 2 * HOUR, fine=NOON - HOUR, fermo="PAUSA")]
    chart = charts.machines_chart(machine_strips([("FRG01", "Maglio")], rows, WINDOW), WINDOW, "x")
    totals, events = chart.tables
    assert totals.rows == [["FRG01 Maglio", "0:00:00", "1:00:00", "0:00:00", "22:30:00", "0"]]
    assert events.rows == [["23/11 11:00", "23/11 12:00", "FRG01", "Fermo PAUSA"]]


def test_with_many_machines_those_with_data_are_shown() -> None:
    machines = [(f"M{n:03}", "") for n in range(100)]
    strips = machine_strips(machines, [make_work(macchinario="M099", inizio=NOON - HOUR)], WINDOW)
    chart = charts.machines_chart(strips, WINDOW, "")
    assert len(chart.tables[0].rows) == charts.MOST_MACHINES
    assert chart.tables[0].rows[-1][0] == "M099"
    assert chart.note == "E altri 60 macchinari."


def test_a_plant_without_machines_says_so() -> None:
    assert charts.machines_chart([], WINDOW, "").drawing is None


def test_a_long_name_is_cut_in_the_picture_and_whole_in_the_table() -> None:
    strips = machine_strips([("M" * 50, "")], [], WINDOW)
    chart = charts.machines_chart(strips, WINDOW, "")
    (name,) = texts(charts.strips_drawing(strips, WINDOW), "label")
    assert name.endswith("M…")
    assert len(name) < 15
    assert chart.tables[0].rows[0][0] == "M" * 50


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (11, 22, 24)])
def test_the_axis_has_the_hours_of_the_day(month: int, day: int, hours: int) -> None:
    window = whole_day(NOON.date().replace(month=month, day=day), NOON, ROME)
    strips = machine_strips([("FRG01", "")], [], window)
    labels = texts(charts.strips_drawing(strips, window), "tick")
    assert len(labels) == hours
    assert labels.count("02") == {23: 0, 24: 1, 25: 2}[hours]


# --- Production -----------------------------------------------------------------------------

pieces = (
    st.lists(st.integers(0, 10**13), min_size=24, max_size=24)
    .filter(any)
    .map(lambda found: [Fraction(number, 3600) for number in found])
)


@given(pieces)
def test_the_bars_are_as_high_as_the_pieces(made) -> None:
    drawing = charts.hours_drawing(made, WINDOW)
    bars = [box for box in boxes(drawing) if box.kind.startswith("bar")]
    top = nice_ceiling(float(max(made)))
    room = drawing.height - charts.BARS_TOP - charts.BARS_BOTTOM
    wanted = [float(number) / top * room for number in made if number]
    assert [bar.height for bar in bars] == pytest.approx(wanted, abs=ROUNDING)
    assert all(bar.y + bar.height == pytest.approx(drawing.height - 20, abs=0.02) for bar in bars)


def test_the_hour_in_course_is_hatched() -> None:
    drawing = charts.hours_drawing([Fraction(3)] * 24, WINDOW)
    bars = [box for box in boxes(drawing) if box.kind.startswith("bar")]
    assert [bar.pattern for bar in bars] == [""] * 23 + ["bar-part"]


def test_fractions_of_pieces_are_said_in_the_readers_language() -> None:
    made = [Fraction(1, 3), Fraction(12_345), *[Fraction(0)] * 22]
    chart = charts.hours_chart(made, WINDOW, "")
    assert chart.tables[0].rows[0] == ["22/11 14:00–15:00", "0,3"]
    assert chart.tables[0].rows[1][1] == "12.345"
    assert chart.note == "In tutto 12.345,3 pezzi finiti."
    with translation.override("en"):
        assert charts.hours_chart(made, WINDOW, "").tables[0].rows[1][1] == "12,345"


def test_hours_without_pieces_say_so() -> None:
    assert charts.hours_chart([Fraction(0)] * 24, WINDOW, "").drawing is None


@given(st.floats(0.001, 10**15))
def test_an_axis_ends_a_little_above_its_greatest_number(value: float) -> None:
    top = nice_ceiling(value)
    assert value <= top <= max(1, value * 2.5 * 1.000001)


# --- Runs -----------------------------------------------------------------------------------


def make_cells() -> list[Cell]:
    return [
        Cell(NOON, Kind.OK, make_run(caricati=1234)),
        Cell(NOON + HOUR, Kind.MISSED),
        Cell(NOON + 2 * HOUR, Kind.FAILED, make_run()),
    ]


def test_each_run_is_a_cell_with_a_sign_in_order() -> None:
    drawing = charts.runs_drawing(make_cells(), WINDOW)
    found = boxes(drawing)
    assert [box.kind for box in found] == ["cell run-ok", "cell run-missed", "cell run-failed"]
    assert [box.x for box in found] == sorted(box.x for box in found)
    assert texts(drawing, "sign") == ["✓", "–", "✕"]
    assert len(set(charts.SIGNS.values())) == len(Kind)


def test_the_table_of_the_runs_begins_with_the_newest() -> None:
    (table,) = charts.runs_chart(make_cells(), WINDOW, "").tables
    assert table.rows[1] == ["23/11 14:00", "ora saltata", "—", "—", "—"]
    assert table.rows[2] == ["23/11 13:00", "riuscito", "1.234", "0", "0"]


# --- Stops ----------------------------------------------------------------------------------

stops = st.lists(
    st.builds(
        lambda n, seconds: StopCount(f"F{n}", "pianificato", 1, Decimal(seconds), 0),
        st.integers(0, 10**6),
        st.decimals("0.000001", "1e9", places=6),
    ),
    min_size=1,
    max_size=20,
)


@given(stops)
def test_bars_and_line_of_the_pareto_are_parts_of_the_whole(rows) -> None:
    drawing = charts.stops_drawing(rows)
    shown = rows[: charts.MOST_STOPS]
    room = drawing.width - charts.PARETO_LEFT - charts.PARETO_RIGHT
    total = sum(row.secondi for row in rows)
    widths = [box.width for box in boxes(drawing)]
    assert widths == pytest.approx([float(r.secondi / total) * room for r in shown], abs=ROUNDING)
    ends = [x - charts.PARETO_LEFT for x, _y in points(drawing, "sum-line")]
    wanted = [float(share) * room for share in charts.cumulative(rows)][: len(shown)]
    assert ends == pytest.approx(wanted, abs=ROUNDING)
    assert charts.cumulative(rows)[-1] == 1


def test_long_times_are_hours_in_every_language() -> None:
    assert charts.hours_words(90_061.4) == "25:01:01"


def test_the_table_of_the_stops() -> None:
    rows = [
        StopCount("UTENSILE", "non_pianificato", 3, Decimal(5400), 1),
        StopCount("PAUSA", "pianificato", 1, Decimal(1800), 0),
        StopCount("ALTRO", "non_pianificato", 2, Decimal(0), 2),
    ]
    (table,) = charts.stops_chart(rows, "Fermi", "").tables
    assert table.rows == [
        ["UTENSILE", "3", "1:30:00", "75 %", "1"],
        ["PAUSA", "1", "0:30:00", "100 %", "0"],
    ]


# --- All ------------------------------------------------------------------------------------


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    drawing = Drawing(10, 10, '"><script>')
    drawing.text("label", 1, 1, "<b>&")
    drawing.rect("bar", 0, 0, 1, 1, title="</title><script>")
    root = root_of(drawing)
    assert root.get("aria-label") == '"><script>'
    assert [mark.tag for mark in root.iter()] == ["svg", "text", "rect", "title"]
    assert "style" not in str(drawing)


def test_coordinates_have_a_point_in_every_language() -> None:
    drawing = Drawing(10, 10, "")
    drawing.rect("bar", 1.234, 0, 1.5, 1000)
    assert 'x="1.23" y="0" width="1.5" height="1000"' in str(drawing)


def test_short_texts_stay_whole() -> None:
    assert shortened("FRG01", 50) == "FRG01"
    assert shortened("FRG0123", 50) == "FRG0…"
