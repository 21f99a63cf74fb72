"""An order's burn-down and a stock row's level against the ledgers, and their pictures."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from etlportal.lists.drawing import nice_ceiling
from orders import figures, services
from orders.admin import charts
from orders.figures import Level
from orders.models import Magazzino, MovimentoMagazzino, Ordine, PezzoOrdine
from tests.etlportal.today.shapes import points
from tests.orders import builders

pytestmark = pytest.mark.django_db(databases=["default", "production"])

START = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


# --- Orders ---------------------------------------------------------------------------------


def test_an_order_burns_down_at_the_end_of_each_operation(plant: None, update) -> None:
    order = Ordine.objects.get(pk=8)
    Ordine.objects.filter(pk=8).update(data_inizio=date(2026, 11, 1))
    order.refresh_from_db()
    builders.make_riga(8, "PZC01", 5)
    for hour in (3, 1, 2, 1):
        builders.make_forgiature(1, timestamp_fine=START + hour * HOUR)
    update()
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert figures.burn_down(order) == [
        (midnight, 5),
        (START + HOUR, 3),
        (START + 2 * HOUR, 2),
        (START + 3 * HOUR, 1),
    ]


def test_what_staff_drew_and_returned_is_in_it_and_nothing_twice(plant: None, update) -> None:
    builders.make_scorta("PZC01", 4)
    order = Ordine.objects.create(data_inizio=date(2026, 11, 1))
    builders.make_riga(order.pk, "PZC01", 10)
    services.confirm_order(order.pk, user="anna", now=START, draws_stock=True)
    builders.make_forgiature(3, ordine_id=order.pk, timestamp_fine=START + HOUR)
    update()
    later = START + 5 * HOUR
    services.cancel_order(order.pk, reason="errore", user="anna", now=later, returns_stock=True)
    order.refresh_from_db()
    levels = [level.pezzi for level in figures.burn_down(order)]
    assert levels == [10, 6, 3, 10]
    left = PezzoOrdine.objects.get(ordine=order).quantita_rimanente
    assert levels[-1] == left


def test_an_order_of_another_program_begins_with_what_it_had_left(plant: None, update) -> None:
    builders.make_riga(8, "PZC01", 10, quantita_rimanente=7)
    builders.make_forgiature(2, timestamp_fine=START)
    update()
    assert [level.pezzi for level in figures.burn_down(Ordine.objects.get(pk=8))] == [7, 5]


def test_an_order_without_lines_or_without_any_date_has_no_picture(plant: None) -> None:
    order = Ordine.objects.get(pk=9)
    assert figures.burn_down(order) == []
    builders.make_riga(9, "PZC01", 10)
    assert figures.burn_down(order) == []
    assert charts.burn_down_chart([], START).drawing is None


# --- Stock ----------------------------------------------------------------------------------


def test_the_level_after_each_movement(plant: None) -> None:
    rng = random.Random(3)
    row = builders.make_scorta("PZC01", 500)
    for _ in range(40):
        MovimentoMagazzino.objects.create(
            magazzino=row,
            quantita=rng.randint(-9, 9),
            causa=MovimentoMagazzino.Causa.RETTIFICA,
            creato_il=START + rng.randint(0, 20) * HOUR,
        )
    since = START + 5 * HOUR
    moved = list(MovimentoMagazzino.objects.values_list("creato_il", "quantita"))
    after = sorted({when for when, _n in moved if when > since})
    wanted = [
        (moment, 500 - sum(n for when, n in moved if when > moment)) for moment in [since, *after]
    ]
    assert len(after) > 10
    assert figures.stock_levels(row, since) == wanted


def test_stock_that_nothing_moved_is_level(plant: None) -> None:
    row = builders.make_scorta("PZC01", 12)
    assert figures.stock_levels(row, START) == [(START, 12)]


# --- Pictures -------------------------------------------------------------------------------

levels = st.lists(
    st.tuples(st.integers(0, 10**7), st.integers(0, 2**40)),
    min_size=1,
    max_size=30,
    unique_by=lambda pair: pair[0],
).map(lambda rows: [Level(START + timedelta(seconds=s), n) for s, n in sorted(rows)])


@settings(deadline=None)  # a busy machine is no failure
@given(levels, st.none() | st.integers(0, 10**9))
def test_the_line_passes_through_every_level(rows: list[Level], minimum: int | None) -> None:
    now = START + timedelta(seconds=2 * 10**7)
    drawing = charts.steps_drawing(rows, now, minimum)
    line = points(drawing, "level")
    top = nice_ceiling(max([*(row.pezzi for row in rows), minimum or 0]))
    room = charts.HEIGHT - charts.TOP - charts.BOTTOM
    floor = charts.HEIGHT - charts.BOTTOM
    wanted = [floor - row.pezzi / top * room for row in rows]
    # Each level is a point where the step ends; the last one goes on to now.
    assert [y for _x, y in line[::2]] == pytest.approx(wanted, abs=0.01)
    assert line[-1][1] == line[-2][1]
    assert line[-1][0] == pytest.approx(charts.WIDTH - 8, abs=0.01)
    span, left = (now - rows[0].dal).total_seconds(), line[0][0]
    xs = [left + (r.dal - rows[0].dal).total_seconds() / span * (992 - left) for r in rows]
    assert [x for x, _y in line[::2]] == pytest.approx(xs, abs=0.02)
    if minimum is not None:
        (y, _same) = (y for _x, y in points(drawing, "limit"))
        assert y == pytest.approx(floor - minimum / top * room, abs=0.01)


def test_a_long_history_is_thinned_and_keeps_its_ends() -> None:
    rows = [Level(START + n * HOUR, n) for n in range(10_000)]
    found = figures.thinned(rows)
    assert len(found) <= figures.MOST_LEVELS
    assert (found[0], found[-1]) == (rows[0], rows[-1])
    assert set(found) <= set(rows)


def test_the_table_of_a_level_begins_with_the_newest() -> None:
    chart = charts.stock_chart([Level(START, 1234), Level(START + HOUR, 5)], START + HOUR, 30, 10)
    assert chart.tables[0].rows == [["01/11/2026 08:00", "5"], ["01/11/2026 07:00", "1.234"]]
    assert chart.legend[1].words == "scorta minima: 10"


def test_the_pages_of_an_order_and_of_stock_have_their_picture(
    admin_client: Client, plant: None
) -> None:
    Ordine.objects.filter(pk=8).update(data_inizio=timezone.localdate())
    builders.make_riga(8, "PZC01", 5)
    row = builders.make_scorta("PZC01", 7, scorta_minima=3)
    order = admin_client.get("/admin/orders/ordine/8/change/")
    stock = admin_client.get(f"/admin/orders/magazzino/{row.pk}/change/")
    for page, title in ((order, "Pezzi ancora da fare"), (stock, "Livello della scorta")):
        assert str(page.context["chart"].drawing) in page.text
        assert title in page.text
    assert Magazzino.objects.get(pk=row.pk).scorta_minima == 3
