"""Pictures on the pages of an order and of a stock row: levels in, ``Chart`` out. No query."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from etlportal.lists.drawing import Chart, Key, Plot, Table, whole
from orders.figures import Level

WIDTH, HEIGHT, TOP, BOTTOM, RIGHT = 1000.0, 220.0, 12.0, 24.0, 8.0
TICKS = 6
MOST_ROWS = 100


def stock_chart(levels: Sequence[Level], now: datetime, days: int, minimum: int | None) -> Chart:
    legend = [Key("level", "", _("disponibili"), "━")]
    if minimum is not None:
        legend.append(Key("limit", "", _("scorta minima: %(n)s") % {"n": whole(minimum)}, "┅"))
    return Chart(
        _("Livello della scorta, ultimi %(n)s giorni") % {"n": days},
        steps_drawing(levels, now, minimum),
        [_newest_first(levels, _("Disponibili"))],
        legend,
        wide=True,
    )


def burn_down_chart(levels: Sequence[Level], now: datetime, *, closed: bool = False) -> Chart:
    """``closed``: nothing more happens to the order, so that it ends at its last change."""
    title = _("Pezzi ancora da fare")
    if not levels:
        return Chart(title, empty=_("Ordine senza righe o senza date: nulla da disegnare."))
    return Chart(
        title,
        steps_drawing(levels, levels[-1].dal if closed and len(levels) > 1 else now, None),
        [_newest_first(levels, _("Pezzi da fare"))],
        [Key("level", "", _("pezzi da fare"), "━")],
        wide=True,
    )


def _newest_first(levels: Sequence[Level], header: str) -> Table:
    rows = [
        [date_format(timezone.localtime(level.dal), "d/m/Y H:i"), whole(level.pezzi)]
        for level in levels[: -MOST_ROWS - 1 : -1]
    ]
    more = len(levels) - MOST_ROWS
    note = _("E altri %(n)s cambiamenti prima.") % {"n": whole(more)} if more > 0 else ""
    return Table([_("Dal"), header], rows, note=note)


def steps_drawing(levels: Sequence[Level], now: datetime, minimum: int | None) -> Plot:
    """A line of steps from the first level to ``now``; dashed, the minimum."""
    first_last = {"first": whole(levels[0].pezzi), "last": whole(levels[-1].pezzi)}
    label = _("Da %(first)s a %(last)s pezzi.") % first_last
    most = max(minimum or 0, *(level.pezzi for level in levels))
    plot, y = Plot.of_pieces(WIDTH, HEIGHT, label, most, top=TOP, bottom=BOTTOM, right=RIGHT)
    start, end = levels[0].dal, max(now, levels[-1].dal)  # an operation may end a little later
    x = plot.along(start, max(end, start + timedelta(seconds=1)))
    step = (end - start) / TICKS
    form = "d/m" if step > timedelta(days=1) else "d/m H:i"
    for n in range(TICKS):
        moment = start + n * step
        plot.text("tick", x(moment), HEIGHT - 6, date_format(timezone.localtime(moment), form))
    if minimum is not None:
        plot.across("limit", y(minimum))
    points = [(x(start), y(levels[0].pezzi))]
    for level in levels[1:]:
        points += [(x(level.dal), points[-1][1]), (x(level.dal), y(level.pezzi))]
    plot.line("level", [*points, (x(end), points[-1][1])])
    return plot
