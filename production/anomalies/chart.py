"""The value of an anomaly among the last ones of its piece, with the limits that it has."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from etlportal.lists.drawing import Chart, Drawing, Key, Table
from etlportal.lists.pages import EMPTY, plant_time
from production.anomalies.measures import IMPLAUSIBLE, MEASURES, Measure, Range, number_in, readable
from production.models import AnomaliaOperazione, Operazione, Pezzo

SHOWN = 50
# Operations looked at to find so many that were measured: a sensor may be silent for long.
LOOKED_AT = 1000
WIDTH, HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 1000.0, 240.0, 16.0, 24.0, 70.0, 20.0
MARGIN = Decimal("0.12")  # of the values' span, left free above and below
FARTHEST = 3  # a value farther off than so many spans is drawn at the edge


class Point(NamedTuple):
    """An operation and its value in the measure's unit; None: it has none that can be drawn."""

    id_operazione: int
    inizio: Any
    valore: Decimal | None


def chart(row: AnomaliaOperazione, limits: Mapping[str, Any]) -> Chart | None:
    """None for an anomaly that is about no measure. ``limits``: plausibility (settings)."""
    measure = MEASURES.get(row.anomalia_id)
    if measure is None:
        return None
    title = _("%(label)s: le ultime lavorazioni del pezzo") % {"label": measure.label}
    pezzo = row.operazione.pezzo
    if pezzo is None:
        return Chart(title, empty=_("L'operazione non ha un pezzo con cui confrontarla."))
    points = last_points(row, measure)
    if not any(point.valore is not None for point in points):
        return Chart(title, empty=_("Nessun valore da disegnare per questo pezzo."))
    return _drawn(title, row, measure, points, _limits_of(row, measure, pezzo, limits))


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
        return number_in(row.valore_ricevuto)
    return stored


def _measured(rows: Any, measure: Measure, number: int) -> list[Point]:
    """The newest measured operations, newest first."""
    keys = list(rows.order_by("-pk").values_list("pk", flat=True)[:LOOKED_AT])
    found = (
        Operazione.objects.filter(pk__in=keys, **{f"{measure.path}__isnull": False})
        .order_by("-pk")
        .values_list("pk", "timestamp_inizio", measure.path)[:number]
    )
    return [Point(pk, inizio, measure.read(value)) for pk, inizio, value in found]


class _Limit(NamedTuple):
    kind: str
    words: str
    value: Decimal


def _limits_of(
    row: AnomaliaOperazione, measure: Measure, pezzo: Pezzo, limits: Mapping[str, Any]
) -> list[_Limit]:
    """Those of the piece; those of plausibility too, where the anomaly is about them."""
    of_piece = measure.piece_range(pezzo)
    found = _both("limit", _("limite del pezzo: %(value)s"), of_piece, measure)
    if row.anomalia_id in IMPLAUSIBLE or measure.piece is None:
        words = _("limite di plausibilità: %(value)s")
        found += _both("limit-plausible", words, measure.plausible_range(limits), measure)
    return found


def _both(kind: str, words: str, limits: Range, measure: Measure) -> list[_Limit]:
    return [
        _Limit(kind, words % {"value": measure.shown(value)}, value)
        for value in limits
        if value is not None
    ]


# --- The drawing --------------------------------------------------------------------------


def _drawn(
    title: str,
    row: AnomaliaOperazione,
    measure: Measure,
    points: Sequence[Point],
    limits: Sequence[_Limit],
) -> Chart:
    own = next(point for point in points if point.id_operazione == row.operazione_id)
    legend = [
        Key("point", "", _("altre lavorazioni"), "●"),
        Key("point-own", "", _("questa anomalia"), "◆"),
        *(Key(limit.kind, "", limit.words, "┅") for limit in limits),
    ]
    note = (
        "" if own.valore is not None else _("Il valore ricevuto non è un numero: non si disegna.")
    )
    headers = [_("Operazione"), _("Inizio"), str(measure.label), _("Questa anomalia")]
    drawing = _drawing(own, measure, points, limits)
    rows = [_table_row(point, measure, point is own) for point in reversed(points)]
    return Chart(title, drawing.svg(), [Table(headers, rows)], legend, note=note, wide=True)


def _table_row(point: Point, measure: Measure, own: bool) -> list[Any]:
    url = reverse("admin:production_operazione_change", args=[point.id_operazione])
    return [
        format_html('<a href="{}">{}</a>', url, point.id_operazione),
        plant_time(point.inizio),
        EMPTY if point.valore is None else measure.shown(point.valore),
        _("sì") if own else "",
    ]


def _drawing(
    own: Point, measure: Measure, points: Sequence[Point], limits: Sequence[_Limit]
) -> Drawing:
    low, high = axis(points, own, [limit.value for limit in limits])
    drawing = Drawing(WIDTH, HEIGHT, _label(own, measure, points))
    floor = HEIGHT - BOTTOM

    def y(value: Decimal) -> float:
        inside = min(max(value, low), high)
        return floor - float((inside - low) / (high - low)) * (floor - TOP)

    for value in (low, (low + high) / 2, high):
        drawing.line("grid", [(LEFT, y(value)), (WIDTH - RIGHT, y(value))])
        drawing.text("tick", LEFT - 6, y(value) + 4, _tick(value, high - low), anchor="end")
    for limit in limits:
        if low <= limit.value <= high:
            drawing.line(limit.kind, [(LEFT, y(limit.value)), (WIDTH - RIGHT, y(limit.value))])
    step = (WIDTH - RIGHT - LEFT) / SHOWN
    start = WIDTH - RIGHT - step * len(points)
    for place, point in enumerate(points):
        if point.valore is None:
            continue
        x = start + (place + 0.5) * step
        hint = f"{point.id_operazione}: {measure.shown(point.valore)}"
        if point is own:
            _diamond(drawing, x, y(point.valore), hint, _sign(point.valore, low, high))
        else:
            drawing.dot("point", x, y(point.valore), 3.5, title=hint)
    return drawing


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
    margin = (high - low) * MARGIN or Decimal(1)
    return low - margin, high + margin


def _sign(value: Decimal, low: Decimal, high: Decimal) -> str:
    """An arrow where the value lies beyond the edge at which it is drawn."""
    if value > high:
        return f"↑ {readable(value)}"
    return f"↓ {readable(value)}" if value < low else readable(value)


def _diamond(drawing: Drawing, x: float, y: float, hint: str, sign: str) -> None:
    """Larger and of another shape than the dots: colour alone says nothing."""
    drawing.line("point-own", [(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y), (x, y - 8)])
    drawing.dot("point-own-core", x, y, 2.5, title=hint)
    at_right = x > WIDTH - RIGHT - 90
    drawing.text(
        "value", x - 12 if at_right else x + 12, y + 4, sign, anchor="end" if at_right else "start"
    )


def _tick(value: Decimal, span: Decimal) -> str:
    return readable(round(value, 0 if span >= 20 else 1 if span >= 2 else 2))


def _label(own: Point, measure: Measure, points: Sequence[Point]) -> str:
    values = [point.valore for point in points if point.valore is not None and point is not own]
    told = _("valore non leggibile") if own.valore is None else measure.shown(own.valore)
    if not values:
        return _("%(label)s di questa anomalia: %(value)s.") % {
            "label": measure.label,
            "value": told,
        }
    return _(
        "%(label)s di questa anomalia: %(value)s; delle altre %(number)s lavorazioni, da "
        "%(least)s a %(most)s."
    ) % {
        "label": measure.label,
        "value": told,
        "number": len(values),
        "least": measure.shown(min(values)),
        "most": measure.shown(max(values)),
    }
