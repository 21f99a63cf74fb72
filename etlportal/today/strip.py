"""What each machine did at each moment of a window, out of operations that may overlap; pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from etlportal.today.window import Window
from production.figures import Work

NOTHING = timedelta(0)


class State(StrEnum):
    """From the one that hides least to the one that is shown above all others.

    There is no "idle": where no operation was sent, nobody knows what the machine did.
    """

    NO_DATA = "no-data"
    WORKED = "worked"
    STOPPED = "stopped"
    ANOMALOUS = "anomalous"


class Segment(NamedTuple):
    """``stops``: codes of the stops in it, by name, where it is STOPPED."""

    start: datetime
    end: datetime
    state: State
    stops: tuple[str, ...] = ()


class MachineStrip(NamedTuple):
    """``segments`` fill the window up to its ``until`` without gap. ``code`` None: not known.

    ``open_operations`` began in the window and have no end: they fill no time.
    """

    code: str | None
    kind: str
    segments: list[Segment]
    open_operations: int

    def time_in(self, state: State) -> timedelta:
        return sum(
            (segment.end - segment.start for segment in self.segments if segment.state == state),
            NOTHING,
        )

    @property
    def has_data(self) -> bool:
        return self.open_operations > 0 or any(
            segment.state != State.NO_DATA for segment in self.segments
        )


def machine_strips(
    machines: Iterable[tuple[str, str]], works: Iterable[Work], window: Window
) -> list[MachineStrip]:
    """One for each machine (code, type), with or without data; last, work on an unknown one."""
    by_machine: dict[str | None, list[Work]] = {}
    for work in works:
        by_machine.setdefault(work.macchinario, []).append(work)
    kinds: dict[str | None, str] = dict(machines)
    codes = [*kinds, *sorted(code for code in by_machine if code and code not in kinds)]
    codes += [None] if None in by_machine else []
    return [
        MachineStrip(
            code,
            kinds.get(code, ""),
            segments(by_machine.get(code, ()), window.start, window.until),
            sum(
                work.fine is None and window.start <= work.inizio < window.until
                for work in by_machine.get(code, ())
            ),
        )
        for code in codes
    ]


def state_of(work: Work) -> State:
    if work.anomala:
        return State.ANOMALOUS
    return State.STOPPED if work.fermo else State.WORKED


def segments(works: Iterable[Work], start: datetime, end: datetime) -> list[Segment]:
    """[start, end) cut where the state changes; the gravest state of those that overlap."""
    changes: list[tuple[datetime, int, State, str | None]] = []
    for work in works:
        first, last = max(work.inizio, start), min(work.fine or work.inizio, end)
        if first < last:
            state = state_of(work)
            changes += [(first, 1, state, work.fermo), (last, -1, state, work.fermo)]
    changes.sort(key=lambda change: change[0])
    return _merged(_sweep(changes, start, end))


def _sweep(
    changes: Sequence[tuple[datetime, int, State, str | None]], start: datetime, end: datetime
) -> list[Segment]:
    active: Counter[State] = Counter()
    stops: Counter[str] = Counter()
    found, at = [], start
    for moment, step, state, stop in [*changes, (end, 0, State.NO_DATA, None)]:
        if moment > at:
            found.append(_segment(at, moment, active, stops))
            at = moment
        active[state] += step
        if stop:
            stops[stop] += step
    return found


def _segment(
    start: datetime, end: datetime, active: Counter[State], stops: Counter[str]
) -> Segment:
    gravest = (State.ANOMALOUS, State.STOPPED, State.WORKED)
    state = next((state for state in gravest if active[state] > 0), State.NO_DATA)
    names = tuple(sorted(stop for stop in stops if stops[stop] > 0))
    return Segment(start, end, state, names if state == State.STOPPED else ())


def _merged(parts: Iterable[Segment]) -> list[Segment]:
    merged: list[Segment] = []
    for part in parts:
        if merged and (merged[-1].state, merged[-1].stops) == (part.state, part.stops):
            merged[-1] = merged[-1]._replace(end=part.end)
        else:
            merged.append(part)
    return merged
