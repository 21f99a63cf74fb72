"""Pictures on the pages of an order and of a stock row: levels in, ``Chart`` out. No query."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from etlportal.lists.drawing import Chart, Drawing, Key, Table, nice_ceiling
from orders.figures import Level

WIDTH, HEIGHT, TOP, BOTTOM = 1000.0, 220.0, 12.0, 24.0
TICKS = 6
MOST_ROWS = 100


def whole(number: float) -> str:
    return number_format(number, 0, force_grouping=True)


def stock_chart(levels: Sequence[Level], now: datetime, days: int, minimum: int | None) -> Chart:
    title = _("Livello della scorta, ultimi %(n)s giorni") % {"n": days}
    legend = [Key("level", "", _("disponibili"), "━")]
    if minimum is not None:
        legend.append(Key("limit", "", _("scorta minima: %(n)s") % {"n": whole(minimum)}, "┅"))
    headers = [_("Dal"), _("Disponibili")]
    return _steps_chart(title, levels, now, headers, legend, minimum)


def burn_down_chart(levels: Sequence[Level], now: datetime, *, closed: bool = False) -> Chart:
    """``closed``: nothing more happens to the order, so that it ends at its last change."""
    title = _("Pezzi ancora da fare")
    if not levels:
        return Chart(title, empty=_("Ordine senza righe o senza date: nulla da disegnare."))
    legend = [Key("level", "", _("pezzi da fare"), "━")]
    end = levels[-1].dal if closed and len(levels) > 1 else now
    return _steps_chart(title, levels, end, [_("Dal"), _("Pezzi da fare")], legend, None)


def _steps_chart(
    title: str,
    levels: Sequence[Level],
    now: datetime,
    headers: list[Any],
    legend: list[Key],
    minimum: int | None,
) -> Chart:
    newest = [[_moment(level.dal), whole(level.pezzi)] for level in reversed(levels)]
    more = len(newest) - MOST_ROWS
    note = _("E altri %(n)s cambiamenti prima.") % {"n": whole(more)} if more > 0 else ""
    drawing = steps_drawing(levels, now, minimum)
    return Chart(
        title, drawing.svg(), [Table(headers, newest[:MOST_ROWS], note=note)], legend, wide=True
    )


def steps_drawing(levels: Sequence[Level], now: datetime, minimum: int | None) -> Drawing:
    """A line of steps from the first level to ``now``; dashed, the minimum."""
    top = nice_ceiling(max([*(level.pezzi for level in levels), minimum or 0]))
    left = 12 + 7 * len(whole(top))
    drawing = Drawing(WIDTH, HEIGHT, _label(levels))
    start, now = levels[0].dal, max(now, levels[-1].dal)  # an operation may end a little later
    length = max((now - start).total_seconds(), 1.0)
    floor, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP

    def x(moment: datetime) -> float:
        return left + (moment - start).total_seconds() / length * (WIDTH - 8 - left)

    def y(pieces: float) -> float:
        return floor - pieces / top * room

    for part in (0.0, 0.5, 1.0):
        drawing.line("grid", [(left, y(top * part)), (WIDTH - 8, y(top * part))])
        drawing.text("tick", left - 6, y(top * part) + 4, _axis(top * part), anchor="end")
    _time_axis(drawing, start, now, x)
    if minimum is not None:
        drawing.line("limit", [(left, y(minimum)), (WIDTH - 8, y(minimum))])
    points = [(x(start), y(levels[0].pezzi))]
    for level in levels[1:]:
        points += [(x(level.dal), points[-1][1]), (x(level.dal), y(level.pezzi))]
    drawing.line("level", [*points, (x(now), points[-1][1])])
    return drawing


def _time_axis(drawing: Drawing, start: datetime, end: datetime, x: Any) -> None:
    step = (end - start) / TICKS
    form = "d/m" if step > timedelta(days=1) else "d/m H:i"
    for n in range(TICKS):
        moment = start + n * step
        text = date_format(timezone.localtime(moment), form)
        drawing.text("tick", x(moment), HEIGHT - 6, text)


def _axis(value: float) -> str:
    return whole(value) if float(value).is_integer() else number_format(value, 1)


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "d/m/Y H:i")


def _label(levels: Sequence[Level]) -> str:
    return _("Da %(first)s a %(last)s pezzi.") % {
        "first": whole(levels[0].pezzi),
        "last": whole(levels[-1].pezzi),
    }
