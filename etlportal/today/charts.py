"""The start page's pictures: plain figures in, ``Chart`` out. No query, no clock.

Figures that are None could not be read, as MySQL does not answer. Each picture has a table with
what it shows.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from etlportal.lists.columns import EMPTY
from etlportal.lists.drawing import BASELINE, Chart, Drawing, Key, Plot, Table, decimal, whole
from etlportal.today.runs import CELLS, Cell, Kind
from etlportal.today.strip import MachineStrip, State
from etlportal.today.window import Window
from production.figures import StopCount

MOST_MACHINES = 40
MOST_EVENTS = 100
MOST_STOPS = 10

WIDE, HALF = 1000.0, 600.0


def hours_words(seconds: Any) -> str:
    """26:03:00: hours, however many, minutes and seconds."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{whole(hours)}:{minute:02}:{second:02}"


def away_chart(title: str, *, wide: bool = False) -> Chart:
    return Chart(title, empty=_("MySQL non risponde: dati non disponibili."), wide=wide)


# --- What each machine did ----------------------------------------------------------------

STRIP_LEFT, STRIP_ROW, STRIP_BAR, AXIS = 120.0, 24.0, 18.0, 22.0


def machines_chart(strips: Sequence[MachineStrip] | None, window: Window, url: str) -> Chart:
    """A row for each machine, hours from left to right."""
    title = _("Che cosa hanno fatto le macchine")
    if strips is None:
        return away_chart(title, wide=True)
    # Those that sent something are never the ones left out.
    shown = sorted(strips, key=lambda strip: not strip.has_data)[:MOST_MACHINES]
    shown = [strip for strip in strips if strip in shown]
    if not shown:
        return Chart(title, empty=_("Nessun macchinario in anagrafica."), wide=True)
    left_out = len(strips) - len(shown)
    note = ngettext("E %(n)s altro macchinario.", "E altri %(n)s macchinari.", left_out)
    return Chart(
        title,
        strips_drawing(shown, window),
        [_totals_table(shown), _events_table(shown, window)],
        [Key(state, state, state.label) for state in reversed(State)],
        note=note % {"n": left_out} if left_out else "",
        wide=True,
        url=url,
    )


def strips_drawing(strips: Sequence[MachineStrip], window: Window) -> Plot:
    label = _("Macchinari: %(all)s, di cui %(silent)s senza dati. I numeri sono nelle tabelle.")
    silent = sum(not strip.has_data for strip in strips)
    height, label = AXIS + len(strips) * STRIP_ROW, label % {"all": len(strips), "silent": silent}
    plot = Plot(WIDE, height, label, left=STRIP_LEFT)
    x = plot.along(window.start, window.end)
    for moment in window.slots[:-1]:
        hour = window.local(moment).hour
        plot.line("grid" if hour else "axis-day", [(x(moment), 14), (x(moment), plot.height)])
        plot.text("tick", x(moment), 11, f"{hour:02}")
    for row, strip in enumerate(strips):
        top = AXIS + row * STRIP_ROW
        plot.row(top + STRIP_BAR / 2, strip.name)
        boxes = [
            (part, (x(part.start), top, x(part.end) - x(part.start), STRIP_BAR))
            for part in strip.segments
        ]
        plot.blocks(State.WORKED, (box for part, box in boxes if part.state == State.WORKED))
        for part, box in boxes:
            if part.state != State.WORKED:
                times = f"{window.clock(part.start)}–{window.clock(part.end)}"
                hint = f"{strip.name} · {part.words} · {times}"
                plot.rect(part.state, *box, title=hint, pattern=part.state)
    return plot


def _totals_table(strips: Sequence[MachineStrip]) -> Table:
    states = [State.WORKED, State.STOPPED, State.ANOMALOUS, State.NO_DATA]
    return Table(
        [_("Macchinario"), *(state.label for state in states), _("Operazioni senza fine")],
        [
            [
                f"{strip.name} {strip.kind}".strip(),
                *(hours_words(strip.time_in(state).total_seconds()) for state in states),
                whole(strip.open_operations),
            ]
            for strip in strips
        ],
        title=_("Quanto tempo"),
    )


def _events_table(strips: Sequence[MachineStrip], window: Window) -> Table:
    worth = (State.STOPPED, State.ANOMALOUS)
    events = [(part, one) for one in strips for part in one.segments if part.state in worth]
    events.sort(key=lambda event: event[0].start, reverse=True)
    more = max(0, len(events) - MOST_EVENTS)
    moment = window.day_and_clock
    return Table(
        [_("Dalle"), _("Alle"), _("Macchinario"), _("Che cosa")],
        [
            [moment(part.start), moment(part.end), strip.name, part.words]
            for part, strip in events[:MOST_EVENTS]
        ],
        title=_("Fermi e anomalie, dal più recente"),
        note=_("E altri %(n)s.") % {"n": whole(more)} if more else "",
    )


# --- Production per hour ------------------------------------------------------------------

BARS_HEIGHT, BARS_TOP, BARS_BOTTOM = 220.0, 18.0, 20.0


def hours_chart(pieces: Sequence[Fraction] | None, window: Window, url: str) -> Chart:
    """A bar for each hour; the one in course is hatched, as it is not over."""
    title = _("Pezzi finiti ogni ora")
    if pieces is None:
        return away_chart(title)
    if not any(pieces):
        return Chart(title, empty=_("Nessun pezzo finito in questo periodo."), url=url)
    rows = [[_hour(window, i), decimal(made)] for i, made in enumerate(pieces)]
    return Chart(
        title,
        hours_drawing(pieces, window),
        [Table([_("Ora"), _("Pezzi finiti")], rows, note=_in_all(pieces))],
        [Key("bar", "", _("ora finita")), Key("bar-part", "bar-part", _("ora in corso"))],
        note=_in_all(pieces),
        url=url,
    )


def hours_drawing(pieces: Sequence[Fraction], window: Window) -> Plot:
    plot, y = Plot.of_pieces(
        HALF, BARS_HEIGHT, _in_all(pieces), float(max(pieces)), top=BARS_TOP, bottom=BARS_BOTTOM
    )
    x = plot.along(0, len(pieces))
    step = x(1) - x(0)
    for i, made in enumerate(pieces):
        middle, told = x(i + 0.5), decimal(made)
        hour = window.local(window.slots[i]).hour
        if hour % 3 == 0:
            plot.text("tick", middle, BARS_HEIGHT - 5, f"{hour:02}", anchor="middle")
        if made:
            in_course = window.slots[i] <= window.until < window.slots[i + 1]
            kind, pattern = ("bar-part", "bar-part") if in_course else ("bar", "")
            box = x(i) + 1.5, y(made), step - 3, y(0) - y(made)
            plot.rect(kind, *box, title=f"{_hour(window, i)}: {told}", pattern=pattern)
            if len(told) * 5.5 <= step:
                plot.text("value", middle, y(made) - BASELINE, told, anchor="middle")
    return plot


def _hour(window: Window, i: int) -> str:
    return f"{window.day_and_clock(window.slots[i])}–{window.clock(window.slots[i + 1])}"


def _in_all(pieces: Sequence[Fraction]) -> str:
    return _("In tutto %(pieces)s pezzi finiti.") % {"pieces": decimal(sum(pieces))}


# --- The last runs ------------------------------------------------------------------------

CELL, CELL_GAP, CELLS_HEIGHT = 20.0, 2.0, 44.0
SIGNS = dict(zip(Kind, "✓!✕…–", strict=True))


def runs_chart(cells: Sequence[Cell], window: Window, url: str) -> Chart:
    """The last cells in a row; the newest is the last one."""
    title = _("Ultimi trasferimenti")
    if not cells:
        return Chart(title, empty=_("Nessun trasferimento finora."), wide=True, url=url)
    rows = []
    for cell in reversed(cells):
        run = cell.run
        counters = [run.caricati, run.in_errore, run.rimanenti] if run else []
        shown = [whole(counter) for counter in counters] or [EMPTY] * 3
        rows.append([window.day_and_clock(cell.when), cell.kind.label, *shown])
    headers = [_("Quando"), _("Esito"), _("Caricati"), _("In errore"), _("Rimanenti")]
    return Chart(
        title,
        runs_drawing(cells, window),
        [Table(headers, rows)],
        [Key(f"run-{kind}", "", kind.label, SIGNS[kind]) for kind in Kind],
        wide=True,
        url=url,
    )


def runs_drawing(cells: Sequence[Cell], window: Window) -> Drawing:
    counts = [(kind, sum(cell.kind == kind for cell in cells)) for kind in Kind]
    label = ", ".join(f"{kind.label}: {number}" for kind, number in counts if number)
    drawing = Drawing(WIDE, CELLS_HEIGHT, label)
    left, side = (WIDE - CELLS * CELL) / 2, CELL - CELL_GAP
    for i, cell in enumerate(cells):
        x, when = left + i * CELL, window.day_and_clock(cell.when)
        hint = f"{when} · {cell.kind.label}"
        drawing.rect(f"cell run-{cell.kind}", x + 1, 1, side, side + 4, title=hint)
        drawing.text(f"sign sign-{cell.kind}", x + CELL / 2, 17, SIGNS[cell.kind], anchor="middle")
        if i % 6 == 0:
            drawing.text("tick", x + 1, 38, when)
    return drawing


# --- Why machines stood still -------------------------------------------------------------

PARETO_LEFT, PARETO_RIGHT, PARETO_ROW, PARETO_BAR = 190.0, 120.0, 26.0, 16.0


def stops_chart(stops: Sequence[StopCount] | None, title: str, url: str) -> Chart:
    """Types of stop by lost time, the longest first, with what they add up to."""
    if stops is None:
        return away_chart(title)
    timed = [stop for stop in stops if stop.secondi > 0]
    if not timed:
        return Chart(title, empty=_("Nessun fermo con una durata in questo periodo."), url=url)
    rows = []
    for stop, share in zip(timed, cumulative(timed), strict=True):
        lost, part = hours_words(stop.secondi), f"{decimal(100 * share)} %"
        rows.append([stop.codice, whole(stop.numero), lost, part, whole(stop.senza_durata)])
    headers = [_("Fermo"), _("Volte"), _("Tempo perso"), _("Quota cumulata"), _("Senza durata")]
    return Chart(
        title,
        stops_drawing(timed),
        [Table(headers, rows)],
        [Key("bar-stop", "stopped", _("tempo perso")), Key("sum", "", _("quota cumulata"), "●")],
        url=url,
    )


def cumulative(stops: Sequence[StopCount]) -> list[Fraction]:
    """Of the whole time, the part of each stop and of those before it; the last is 1."""
    total = sum(Fraction(stop.secondi) for stop in stops)
    return [so_far / total for so_far in accumulate(Fraction(stop.secondi) for stop in stops)]


def stops_drawing(stops: Sequence[StopCount]) -> Plot:
    """The bars and the line share a scale, which ends at the whole of the time."""
    shown = stops[:MOST_STOPS]
    longest = {"stop": stops[0].codice, "time": hours_words(stops[0].secondi)}
    label = _("Il fermo più lungo: %(stop)s, %(time)s.") % longest
    height = len(shown) * PARETO_ROW + 4
    plot = Plot(HALF, height, label, left=PARETO_LEFT, right=PARETO_RIGHT)
    part = plot.along(0, 1)
    total = sum(Fraction(stop.secondi) for stop in stops)
    points = []
    for row, (stop, share) in enumerate(zip(shown, cumulative(stops), strict=False)):
        y, lost = row * PARETO_ROW + 4, hours_words(stop.secondi)
        middle = y + PARETO_BAR / 2
        plot.row(middle, stop.codice)
        box = PARETO_LEFT, y, part(Fraction(stop.secondi) / total) - PARETO_LEFT, PARETO_BAR
        plot.rect("bar-stop", *box, title=f"{stop.codice}: {lost}", pattern="stopped")
        ends = f"{lost} · {whole(float(100 * share))} %"
        plot.text("value", HALF - 4, middle + BASELINE, ends, anchor="end")
        points.append((part(share), middle))
    plot.line("sum-line", points)
    for x, y in points:
        plot.dot("sum", x, y, 3)
    return plot
