"""The start page's pictures: plain figures in, ``Chart`` out. No query, no clock.

Colour never says anything alone: states have a pattern, cells a sign, bars a number; and each
picture has a table with what it shows.
"""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from etlportal.lists.drawing import Chart, Drawing, Key, Table, nice_ceiling, shortened
from etlportal.lists.pages import EMPTY
from etlportal.today.runs import CELLS, Cell, Kind
from etlportal.today.strip import MachineStrip, Segment, State
from etlportal.today.window import Window
from production.figures import StopCount

MOST_MACHINES = 40
MOST_EVENTS = 100
MOST_STOPS = 10

WIDE, HALF = 1000.0, 600.0
STRIP_LEFT, STRIP_ROW, STRIP_BAR, AXIS = 120.0, 24.0, 18.0, 22.0


def words_of(state: State) -> str:
    return {
        State.WORKED: _("Lavoro"),
        State.STOPPED: _("Fermo"),
        State.ANOMALOUS: _("Anomalia"),
        State.NO_DATA: _("Senza dati"),
    }[state]


def whole(value: float) -> str:
    return number_format(value, 0, force_grouping=True)


def decimal(value: Fraction) -> str:
    """At most one decimal: 1.234, 0,3."""
    rounded = round(float(value), 1)
    return number_format(rounded, 0 if rounded.is_integer() else 1, force_grouping=True)


def hours_words(seconds: Any) -> str:
    """26:03:00: hours, however many, minutes and seconds."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{number_format(hours, 0, force_grouping=True)}:{minute:02}:{second:02}"


# --- What each machine did ----------------------------------------------------------------


def machines_chart(strips: Sequence[MachineStrip], window: Window, url: str) -> Chart:
    """A row for each machine, hours from left to right."""
    title = _("Che cosa hanno fatto le macchine")
    # Those that sent something are never the ones left out.
    shown = sorted(strips, key=lambda strip: not strip.has_data)[:MOST_MACHINES]
    shown = [strip for strip in strips if strip in shown]
    if not shown:
        return Chart(title, empty=_("Nessun macchinario in anagrafica."), wide=True)
    left_out = len(strips) - len(shown)
    note = ngettext("E %(n)s altro macchinario.", "E altri %(n)s macchinari.", left_out)
    return Chart(
        title,
        strips_drawing(shown, window).svg(),
        [_totals_table(shown), _events_table(shown, window)],
        [Key(state, state, words_of(state)) for state in reversed(State)],
        note=note % {"n": left_out} if left_out else "",
        wide=True,
        url=url,
    )


def strips_drawing(strips: Sequence[MachineStrip], window: Window) -> Drawing:
    height = AXIS + len(strips) * STRIP_ROW
    drawing = Drawing(WIDE, height, _strips_label(strips))
    scale = (WIDE - STRIP_LEFT) / (window.end - window.start).total_seconds()

    def x(moment: datetime) -> float:
        return STRIP_LEFT + (moment - window.start).total_seconds() * scale

    for hour in window.slots[:-1]:
        local = window.local(hour)
        drawing.line("axis-day" if local.hour == 0 else "grid", [(x(hour), 14), (x(hour), height)])
        drawing.text("tick", x(hour), 11, f"{local.hour:02}")
    for row, strip in enumerate(strips):
        top = AXIS + row * STRIP_ROW
        name = shortened(strip.code or _("Sconosciuto"), STRIP_LEFT - 12)
        drawing.text("label", STRIP_LEFT - 8, top + 13, name, anchor="end")
        worked = [part for part in strip.segments if part.state == State.WORKED]
        drawing.blocks(
            State.WORKED, ((x(s.start), top, x(s.end) - x(s.start), STRIP_BAR) for s in worked)
        )
        for part in strip.segments:
            if part.state != State.WORKED:
                box = (x(part.start), top, x(part.end) - x(part.start), STRIP_BAR)
                hint = _segment_words(strip, part, window)
                drawing.rect(part.state, *box, title=hint, pattern=part.state)
    return drawing


def _strips_label(strips: Sequence[MachineStrip]) -> str:
    silent = sum(not strip.has_data for strip in strips)
    return _("Macchinari: %(all)s, di cui %(silent)s senza dati. I numeri sono nelle tabelle.") % {
        "all": len(strips),
        "silent": silent,
    }


def _segment_words(strip: MachineStrip, part: Segment, window: Window) -> str:
    times = f"{_clock(part.start, window)}–{_clock(part.end, window)}"
    what = " ".join([words_of(part.state), ", ".join(part.stops)]).strip()
    return f"{strip.code or _('Sconosciuto')} · {what} · {times}"


def _clock(moment: datetime, window: Window) -> str:
    return f"{window.local(moment):%H:%M}"


def _totals_table(strips: Sequence[MachineStrip]) -> Table:
    states = [State.WORKED, State.STOPPED, State.ANOMALOUS, State.NO_DATA]
    return Table(
        [_("Macchinario"), *(words_of(state) for state in states), _("Operazioni senza fine")],
        [
            [
                f"{strip.code or _('Sconosciuto')} {strip.kind}".strip(),
                *(hours_words(strip.time_in(state).total_seconds()) for state in states),
                whole(strip.open_operations),
            ]
            for strip in strips
        ],
        title=_("Quanto tempo"),
    )


def _events_table(strips: Sequence[MachineStrip], window: Window) -> Table:
    events = sorted(
        (
            (part.start, strip, part)
            for strip in strips
            for part in strip.segments
            if part.state in (State.STOPPED, State.ANOMALOUS)
        ),
        key=lambda event: event[0],
        reverse=True,
    )
    rows: list[list[Any]] = [
        [
            _moment(part.start, window),
            _moment(part.end, window),
            strip.code or _("Sconosciuto"),
            " ".join([words_of(part.state), ", ".join(part.stops)]).strip(),
        ]
        for _start, strip, part in events[:MOST_EVENTS]
    ]
    more = len(events) - len(rows)
    return Table(
        [_("Dalle"), _("Alle"), _("Macchinario"), _("Che cosa")],
        rows,
        title=_("Fermi e anomalie, dal più recente"),
        note=_("E altri %(n)s.") % {"n": whole(more)} if more else "",
    )


def _moment(moment: datetime, window: Window) -> str:
    return f"{window.local(moment):%d/%m %H:%M}"


# --- Production per hour ------------------------------------------------------------------

BARS_HEIGHT, BARS_TOP, BARS_BOTTOM = 220.0, 18.0, 20.0


def hours_chart(pieces: Sequence[Fraction], window: Window, url: str) -> Chart:
    """A bar for each hour; the one in course is hatched, as it is not over."""
    total = sum(pieces, Fraction(0))
    title = _("Pezzi finiti ogni ora")
    if not total:
        return Chart(title, empty=_("Nessun pezzo finito in questo periodo."), url=url)
    return Chart(
        title,
        hours_drawing(pieces, window).svg(),
        [
            Table(
                [_("Ora"), _("Pezzi finiti")],
                [[_hour(window, i), decimal(made)] for i, made in enumerate(pieces)],
                note=_in_all(total),
            )
        ],
        [Key("bar", "", _("ora finita")), Key("bar-part", "bar-part", _("ora in corso"))],
        note=_in_all(total),
        url=url,
    )


def hours_drawing(pieces: Sequence[Fraction], window: Window) -> Drawing:
    top = nice_ceiling(float(max(pieces)))
    left = 10 + 7 * len(whole(top))
    drawing = Drawing(HALF, BARS_HEIGHT, _in_all(sum(pieces, Fraction(0))))
    floor, room = BARS_HEIGHT - BARS_BOTTOM, BARS_HEIGHT - BARS_BOTTOM - BARS_TOP
    for part in (0.0, 0.5, 1.0):
        y = floor - room * part
        drawing.line("grid", [(left, y), (HALF, y)])
        drawing.text("tick", left - 5, y + 4, decimal(Fraction(top * part)), anchor="end")
    step = (HALF - left) / len(pieces)
    for i, made in enumerate(pieces):
        x, height = left + i * step, float(made) / top * room
        local = window.local(window.slots[i])
        if local.hour % 3 == 0:
            drawing.text("tick", x + step / 2, BARS_HEIGHT - 5, f"{local.hour:02}", anchor="middle")
        if made:
            partial = window.slots[i] <= window.until < window.slots[i + 1]
            kind = "bar-part" if partial else "bar"
            hint = f"{_hour(window, i)}: {decimal(made)}"
            pattern = kind if partial else ""
            drawing.rect(
                kind, x + 1.5, floor - height, step - 3, height, title=hint, pattern=pattern
            )
            if len(decimal(made)) * 5.5 <= step:
                middle = x + step / 2
                drawing.text("value", middle, floor - height - 4, decimal(made), anchor="middle")
    return drawing


def _hour(window: Window, i: int) -> str:
    start, end = window.slots[i : i + 2]
    return f"{_moment(start, window)}–{_clock(end, window)}"


def _in_all(total: Fraction) -> str:
    return _("In tutto %(pieces)s pezzi finiti.") % {"pieces": decimal(total)}


# --- The last runs ------------------------------------------------------------------------

CELL, CELL_GAP, CELLS_HEIGHT = 20.0, 2.0, 44.0
SIGNS = {
    Kind.OK: "✓",
    Kind.PARTIAL: "!",
    Kind.FAILED: "✕",
    Kind.RUNNING: "…",
    Kind.MISSED: "–",
}


def cell_words(kind: Kind) -> str:
    return {
        Kind.OK: _("riuscito"),
        Kind.PARTIAL: _("parziale"),
        Kind.FAILED: _("fallito"),
        Kind.RUNNING: _("in corso o in coda"),
        Kind.MISSED: _("ora saltata"),
    }[kind]


def runs_chart(cells: Sequence[Cell], window: Window, url: str) -> Chart:
    """The last cells in a row; the newest is the last one."""
    title = _("Ultimi trasferimenti")
    if not cells:
        return Chart(title, empty=_("Nessun trasferimento finora."), wide=True, url=url)
    return Chart(
        title,
        runs_drawing(cells, window).svg(),
        [
            Table(
                [_("Quando"), _("Esito"), _("Caricati"), _("In errore"), _("Rimanenti")],
                [_cell_row(cell, window) for cell in reversed(cells)],
            )
        ],
        [Key(f"run-{kind}", "", cell_words(kind), SIGNS[kind]) for kind in Kind],
        wide=True,
        url=url,
    )


def _cell_row(cell: Cell, window: Window) -> list[Any]:
    run = cell.run
    counters = [run.caricati, run.in_errore, run.rimanenti] if run else []
    shown = [whole(number) for number in counters] or [EMPTY] * 3
    return [_moment(cell.when, window), cell_words(cell.kind), *shown]


def runs_drawing(cells: Sequence[Cell], window: Window) -> Drawing:
    left = (WIDE - CELLS * CELL) / 2
    drawing = Drawing(WIDE, CELLS_HEIGHT, _runs_label(cells))
    for i, cell in enumerate(cells):
        x, side = left + i * CELL, CELL - CELL_GAP
        hint = f"{_moment(cell.when, window)} · {cell_words(cell.kind)}"
        drawing.rect(f"cell run-{cell.kind}", x + 1, 1, side, side + 4, title=hint)
        drawing.text(f"sign sign-{cell.kind}", x + CELL / 2, 17, SIGNS[cell.kind], anchor="middle")
        if i % 6 == 0:
            drawing.text("tick", x + 1, 38, _moment(cell.when, window))
    return drawing


def _runs_label(cells: Sequence[Cell]) -> str:
    counts = [(kind, sum(cell.kind == kind for cell in cells)) for kind in Kind]
    return ", ".join(f"{cell_words(kind)}: {number}" for kind, number in counts if number)


# --- Why machines stood still -------------------------------------------------------------

PARETO_LEFT, PARETO_RIGHT, PARETO_ROW, PARETO_BAR = 190.0, 120.0, 26.0, 16.0


def stops_chart(stops: Sequence[StopCount], title: str, url: str) -> Chart:
    """Types of stop by lost time, the longest first, with what they add up to."""
    timed = [stop for stop in stops if stop.secondi > 0]
    if not timed:
        return Chart(title, empty=_("Nessun fermo con una durata in questo periodo."), url=url)
    shares = cumulative(timed)
    return Chart(
        title,
        stops_drawing(timed).svg(),
        [
            Table(
                [_("Fermo"), _("Volte"), _("Tempo perso"), _("Quota cumulata"), _("Senza durata")],
                [
                    [
                        stop.codice,
                        whole(stop.numero),
                        hours_words(stop.secondi),
                        f"{decimal(100 * share)} %",
                        whole(stop.senza_durata),
                    ]
                    for stop, share in zip(timed, shares, strict=True)
                ],
            )
        ],
        [Key("bar-stop", "stopped", _("tempo perso")), Key("sum", "", _("quota cumulata"), "●")],
        url=url,
    )


def cumulative(stops: Sequence[StopCount]) -> list[Fraction]:
    """Of the whole time, the part of each stop and of those before it; the last is 1."""
    total = sum(Fraction(stop.secondi) for stop in stops)
    shares, so_far = [], Fraction(0)
    for stop in stops:
        so_far += Fraction(stop.secondi)
        shares.append(so_far / total)
    return shares


def stops_drawing(stops: Sequence[StopCount]) -> Drawing:
    """The bars and the line share a scale, which ends at the whole of the time."""
    total, shares = sum(stop.secondi for stop in stops), cumulative(stops)
    shown = stops[:MOST_STOPS]
    room = HALF - PARETO_LEFT - PARETO_RIGHT
    drawing = Drawing(HALF, len(shown) * PARETO_ROW + 4, _stops_label(stops))
    points = []
    for row, (stop, share) in enumerate(zip(shown, shares, strict=False)):
        y = row * PARETO_ROW + 4
        width = float(stop.secondi / total) * room
        name = shortened(stop.codice, PARETO_LEFT - 10)
        drawing.text("label", PARETO_LEFT - 8, y + 12, name, anchor="end")
        hint = f"{stop.codice}: {hours_words(stop.secondi)}"
        drawing.rect("bar-stop", PARETO_LEFT, y, width, PARETO_BAR, title=hint, pattern="stopped")
        ends = f"{hours_words(stop.secondi)} · {whole(float(100 * share))} %"
        drawing.text("value", HALF - 4, y + 12, ends, anchor="end")
        points.append((PARETO_LEFT + float(share) * room, y + PARETO_BAR / 2))
    drawing.line("sum-line", points)
    for x, y in points:
        drawing.dot("sum", x, y, 3)
    return drawing


def _stops_label(stops: Sequence[StopCount]) -> str:
    longest = stops[0]
    return _("Il fermo più lungo: %(stop)s, %(time)s.") % {
        "stop": longest.codice,
        "time": hours_words(longest.secondi),
    }
