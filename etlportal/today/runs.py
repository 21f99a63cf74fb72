"""The last transfers as a row of cells, in which an hour without any is a cell too; pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from etlportal.today.window import HOUR
from ingestion.models import EsecuzioneEtl
from ingestion.watch.figures import RunFigure

Stato = EsecuzioneEtl.Stato
CELLS = 48
# The timetable runs it at minute 5 (ingestion/runs/timetable.py); until then and a little longer an
# hour is not missed yet.
DUE_WITHIN = timedelta(minutes=15)
FARTHEST = timedelta(days=14)  # no hour is looked for further back


class Kind(StrEnum):
    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    RUNNING = "running"
    MISSED = "missed"


KIND_OF = {
    Stato.OK: Kind.OK,
    Stato.PARZIALE: Kind.PARTIAL,
    Stato.ERRORE: Kind.FAILED,
    Stato.INTERROTTA: Kind.FAILED,
    Stato.IN_CORSO: Kind.RUNNING,
    Stato.IN_CODA: Kind.RUNNING,
}


class Cell(NamedTuple):
    """``run`` None for a missed hour, which ``when`` is the start of."""

    when: datetime
    kind: Kind
    run: RunFigure | None = None


def cells(runs: Sequence[RunFigure], now: datetime, most: int = CELLS) -> list[Cell]:
    """The last ``most`` cells, oldest first; before the first of ``runs`` nothing is missed."""
    if not runs:
        return []
    of_runs = [Cell(run.inizio, KIND_OF[Stato(run.stato)], run) for run in runs]
    missed = [Cell(hour, Kind.MISSED) for hour in _missed_hours(runs, now)]
    return sorted([*of_runs, *missed], key=lambda cell: cell.when)[-most:]


def _missed_hours(runs: Sequence[RunFigure], now: datetime) -> list[datetime]:
    """Starts of whole hours, from the first run on, in which no transfer began or worked."""
    first = max(_hour_of(min(run.inizio for run in runs)), _hour_of(now) - FARTHEST)
    covered = {hour for run in runs for hour in _hours_between(_hour_of(run.inizio), run.fine)}
    return [hour for hour in _hours_between(first, now - DUE_WITHIN) if hour not in covered]


def _hours_between(first: datetime, last: datetime) -> list[datetime]:
    return [first + n * HOUR for n in range(max(0, int((last - first) / HOUR) + 1))]


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
