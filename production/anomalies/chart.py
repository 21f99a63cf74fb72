"""The value of an anomaly among the last ones of its piece, with the limits that it has."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from etlportal.lists.columns import EMPTY, plant_time
from etlportal.lists.drawing import BASELINE, Chart, Key, Plot, Table
from production.anomalies.reason import shown
from production.fields import IMPLAUSIBLE, MEASURES, Limits, Measure
from production.models import AnomaliaOperazione, Operazione, Pezzo
from production.reading import Unreadable

SHOWN = 50
# Operations looked at to find so many that were measured: a sensor may be silent for long.
LOOKED_AT = 1000
WIDTH, HEIGHT = 1000.0, 240.0
ROOM = {"left": 70.0, "right": 20.0, "top": 16.0, "bottom": 24.0}
MARGIN = Decimal("0.12")  # of the values' span, left free above and below
FARTHEST = 3  # a value farther off than so many spans is drawn at the edge


class Point(NamedTuple):
    """An operation and its value in the measure's unit; None: it has none that can be drawn."""

    id_operazione: int
    inizio: Any
    valore: Decimal | None


def chart(row: AnomaliaOperazione, limits: Limits) -> Chart | None:
    """None for an anomaly that is about no measure. ``limits``: plausibility (settings)."""
    measure = MEASURES.get(row.anomalia_id)
    if measure is None:
        return None
    title = _("%(label)s: le ultime lavorazioni del pezzo") % {"label": _(measure.label)}
    pezzo = row.operazione.pezzo
    if pezzo is None:
        return Chart(title, empty=_("L'operazione non ha un pezzo con cui confrontarla."))
    points = last_points(row, measure)
    if not any(point.valore is not None for point in points):
        return Chart(title, empty=_("Nessun valore da disegnare per questo pezzo."))
    own = next(point for point in points if point.id_operazione == row.operazione_id)
    lines = _limits_of(row, measure, pezzo, limits)
    unread = _("Il valore ricevuto non è un numero: non si disegna.")
    return Chart(
        title,
        _drawing(own, measure, points, lines),
        [_table(own, measure, points)],
        [
            Key("point", "", _("altre lavorazioni"), "●"),
            Key("point-own", "", _("questa anomalia"), "◆"),
            *(key for key, _value in lines),
        ],
        note=unread if own.valore is None else "",
        wide=True,
    )


def last_points(row: AnomaliaOperazione, measure: Measure) -> list[Point]:
    """The piece's last values, at most ``SHOWN``, oldest first, that of the anomaly with them.

    The newest of all if it is among them, else those up to it.
    """
    operazione = row.operazione
    own = Point(operazione.pk, operazione.timestamp_inizio, value_of(row, measure))
    of_piece = Operazione.objects.filter(pezzo=operazione.pezzo_id)
    newest = _measured(of_piece, measure, SHOWN)
    if not newest or newest[-1].id_operazione > operazione.pk:
        newest = _measured(of_piece.filter(pk__lte=operazione.pk), measure, SHOWN)
    others = [point for point in newest if point.id_operazione != operazione.pk]
    found = sorted([*others, own], key=lambda point: -point.id_operazione)[:SHOWN]
    return found[::-1]


def value_of(row: AnomaliaOperazione, measure: Measure) -> Decimal | None:
    """What is stored; of a value that could not be true, what was received, if it is a number."""
    stored = measure.stored(row.operazione)
    if stored is None and row.anomalia_id in IMPLAUSIBLE:
        value = measure.read(row.valore_ricevuto)
        return None if value is None or isinstance(value, Unreadable) else Decimal(value)
    return stored


def _measured(rows: Any, measure: Measure, number: int) -> list[Point]:
    """The newest measured operations, newest first."""
    keys = list(rows.order_by("-pk").values_list("pk", flat=True)[:LOOKED_AT])
    found = (
        Operazione.objects.filter(pk__in=keys, **{f"{measure.column}__isnull": False})
        .order_by("-pk")
        .values_list("pk", "timestamp_inizio", measure.column)[:number]
    )
    return [Point(pk, inizio, measure.in_unit(value)) for pk, inizio, value in found]


def _limits_of(
    row: AnomaliaOperazione, measure: Measure, pezzo: Pezzo, limits: Limits
) -> list[tuple[Key, Decimal]]:
    """Those of the piece; those of plausibility too, where the anomaly is about them."""
    ranges = [("limit", _("limite del pezzo: %(value)s"), measure.allowed(pezzo))]
    if row.anomalia_id in IMPLAUSIBLE or measure.specification is None:
        words = _("limite di plausibilità: %(value)s")
        ranges.append(("limit-plausible", words, measure.plausible(limits)))
    return [
        (Key(kind, "", words % {"value": shown(value, measure.unit)}, "┅"), value)
        for kind, words, both in ranges
        for value in both
        if value is not None
    ]


def _table(own: Point, measure: Measure, points: Sequence[Point]) -> Table:
    rows = []
    for point in reversed(points):
        pk, value = point.id_operazione, EMPTY
        if point.valore is not None:
            value = shown(point.valore, measure.unit)
        url = reverse("admin:production_operazione_change", args=[pk])
        link = format_html('<a href="{}">{}</a>', url, pk)
        rows.append([link, plant_time(point.inizio), value, _("sì") if point is own else ""])
    headers = [_("Operazione"), _("Inizio"), _(measure.label), _("Questa anomalia")]
    return Table(headers, rows)


# --- The drawing --------------------------------------------------------------------------


def _drawing(
    own: Point,
    measure: Measure,
    points: Sequence[Point],
    limits: Sequence[tuple[Key, Decimal]],
) -> Plot:
    low, high = axis(points, own, [value for _key, value in limits])
    plot = Plot(WIDTH, HEIGHT, _label(own, measure, points), **ROOM)
    decimals = 0 if high - low >= 20 else 1 if high - low >= 2 else 2
    y = plot.upwards(low, high, lambda value: shown(round(value, decimals)))
    for key, value in limits:
        if low <= value <= high:
            plot.across(key.kind, y(value))
    x = plot.along(len(points) - SHOWN, len(points))  # the newest at the right edge
    for place, point in enumerate(points):
        if point.valore is None:
            continue
        left, top = x(place + 0.5), y(min(max(point.valore, low), high))
        hint = f"{point.id_operazione}: {shown(point.valore, measure.unit)}"
        if point is not own:
            plot.dot("point", left, top, 3.5, title=hint)
            continue
        # Larger and of another shape than the dots: colour alone says nothing.
        corners = ((0, -8), (8, 0), (0, 8), (-8, 0), (0, -8))
        plot.line("point-own", [(left + across, top + down) for across, down in corners])
        plot.dot("point-own-core", left, top, 2.5, title=hint)
        # An arrow where it lies beyond the edge at which it is drawn.
        arrow = "↑ " if point.valore > high else "↓ " if point.valore < low else ""
        aside, anchor = (-12, "end") if left > plot.width - plot.right - 90 else (12, "start")
        sign = f"{arrow}{shown(point.valore)}"
        plot.text("value", left + aside, top + BASELINE, sign, anchor=anchor)
    return plot


def axis(points: Sequence[Point], own: Point, limits: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """The values at the bottom and at the top: all but a value of the anomaly that is far off."""
    shown = [point.valore for point in points if point.valore is not None and point is not own]
    shown += limits
    if own.valore is not None:
        span = max(shown) - min(shown) if shown else Decimal(0)
        reach = max(span, Decimal(1)) * FARTHEST
        if not shown or min(shown) - reach <= own.valore <= max(shown) + reach:
            shown.append(own.valore)
    low, high = min(shown), max(shown)
    margin = (high - low) * MARGIN or max(abs(high), Decimal(1)) * MARGIN
    return low - margin, high + margin


def _label(own: Point, measure: Measure, points: Sequence[Point]) -> str:
    values = [point.valore for point in points if point.valore is not None and point is not own]
    value = None if own.valore is None else shown(own.valore, measure.unit)
    told = {"label": _(measure.label), "value": value or _("valore non leggibile")}
    if not values:
        return _("%(label)s di questa anomalia: %(value)s.") % told
    least, most = (shown(value, measure.unit) for value in (min(values), max(values)))
    return _(
        "%(label)s di questa anomalia: %(value)s; delle altre %(number)s lavorazioni, da "
        "%(least)s a %(most)s."
    ) % {**told, "number": len(values), "least": least, "most": most}
