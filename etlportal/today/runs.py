"""The last transfers as a row of cells, in which an hour without any is a cell too; pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from etlportal.today.window import HOUR
from ingestion.models import EsecuzioneEtl
from ingestion.watch.figures import RunFigure

Stato = EsecuzioneEtl.Stato
CELLS = 48
# The timetable runs it at minute 5 (ingestion/jobs.py); until then and a little longer an
# hour is not missed yet.
DUE_WITHIN = timedelta(minutes=15)
FARTHEST = timedelta(days=14)  # no hour is looked for further back


class Kind(TextChoices):
    OK = "ok", _("riuscito")
    PARTIAL = "partial", _("parziale")
    FAILED = "failed", _("fallito")
    RUNNING = "running", _("in corso o in coda")
    MISSED = "missed", _("ora saltata")


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
    """The last ``most`` cells, oldest first; before the first of ``runs`` nothing is missed.

    Missed is each whole hour, until the last that was due, in which no transfer began or worked.
    """
    if not runs:
        return []
    first = max(_hour_of(min(run.inizio for run in runs)), _hour_of(now) - FARTHEST)
    covered = {hour for run in runs for hour in _hours_between(_hour_of(run.inizio), run.fine)}
    due = _hours_between(first, now - DUE_WITHIN)
    missed = [Cell(hour, Kind.MISSED) for hour in due if hour not in covered]
    of_runs = [Cell(run.inizio, KIND_OF[Stato(run.stato)], run) for run in runs]
    return sorted([*of_runs, *missed], key=lambda cell: cell.when)[-most:]


def _hours_between(first: datetime, last: datetime) -> list[datetime]:
    return [first + n * HOUR for n in range(max(0, int((last - first) / HOUR) + 1))]


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
