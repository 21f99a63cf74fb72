"""What each machine did at each moment of a window, out of operations that may overlap; pure."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.today.window import Window
from production.figures import WorkedOperation


class State(TextChoices):
    """From the one that hides least to the one that is shown above all others.

    There is no "idle": where no operation was sent, nobody knows what the machine did.
    """

    NO_DATA = "no-data", _("Senza dati")
    WORKED = "worked", _("Lavoro")
    STOPPED = "stopped", _("Fermo")
    ANOMALOUS = "anomalous", _("Anomalia")


GRAVEST_FIRST = (State.ANOMALOUS, State.STOPPED, State.WORKED)


class Segment(NamedTuple):
    """``stops``: codes of the stops in it, by name, where it is STOPPED."""

    start: datetime
    end: datetime
    state: State
    stops: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return f"{self.state.label} {', '.join(self.stops)}".strip()


class MachineStrip(NamedTuple):
    """``segments`` fill the window up to its ``until`` without gap. ``code`` None: not known.

    ``open_operations`` began in the window and have no end: they fill no time.
    """

    code: str | None
    kind: str
    segments: list[Segment]
    open_operations: int

    @property
    def name(self) -> str:
        return self.code or gettext("Sconosciuto")

    def time_in(self, state: State) -> timedelta:
        parts = (part.end - part.start for part in self.segments if part.state == state)
        return sum(parts, timedelta(0))

    @property
    def has_data(self) -> bool:
        has_parts = any(part.state != State.NO_DATA for part in self.segments)
        return self.open_operations > 0 or has_parts


def machine_strips(
    machines: Iterable[tuple[str, str]], works: Iterable[WorkedOperation], window: Window
) -> list[MachineStrip]:
    """One for each machine (code, type), with or without data; last, work on an unknown one."""
    by_machine: dict[str | None, list[WorkedOperation]] = {}
    for work in works:
        by_machine.setdefault(work.macchinario, []).append(work)
    kinds: dict[str | None, str] = dict(machines)
    codes = [*kinds, *sorted(code for code in by_machine if code and code not in kinds)]
    codes += [None] if None in by_machine else []
    strips = []
    for code in codes:
        done = by_machine.get(code, [])
        unended = [work for work in done if work.fine is None]
        begun_within = sum(window.start <= work.inizio < window.until for work in unended)
        parts = segments(done, window.start, window.until)
        strips.append(MachineStrip(code, kinds.get(code, ""), parts, begun_within))
    return strips


def segments(works: Iterable[WorkedOperation], start: datetime, end: datetime) -> list[Segment]:
    """[start, end) cut where the state changes; the gravest state of those that overlap."""
    changes: list[tuple[datetime, int, State, str | None]] = [(end, 0, State.NO_DATA, None)]
    for work in works:
        first, last = max(work.inizio, start), min(work.fine or work.inizio, end)
        if first < last:
            stopped = State.STOPPED if work.fermo else State.WORKED
            state = State.ANOMALOUS if work.anomala else stopped
            changes += [(first, 1, state, work.fermo), (last, -1, state, work.fermo)]
    active: Counter[State] = Counter()
    stops: Counter[str] = Counter()
    found: list[Segment] = []
    at = start
    for moment, step, state, stop in sorted(changes, key=lambda change: change[0]):
        if moment > at:
            shown = next((one for one in GRAVEST_FIRST if active[one] > 0), State.NO_DATA)
            names = tuple(sorted(name for name in stops if stops[name] > 0))
            names = names if shown == State.STOPPED else ()
            if found and found[-1][2:] == (shown, names):  # nothing changes: it goes on
                found[-1] = found[-1]._replace(end=moment)
            else:
                found.append(Segment(at, moment, shown, names))
            at = moment
        active[state] += step
        if stop:
            stops[stop] += step
    return found
