"""What a job is: the kind of its runs, when they start, and what they do.

A job is declared once, in its app's ``jobs.py``, and ``register``ed: the queue, the timetable and
whoever closes a dead run find it by its kind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ingestion.models import EsecuzioneEtl
from ingestion.runs.lease import Lease, Tally
from production.vocabulary import TipoEsecuzione


class Ending(NamedTuple):
    """How a run ends: its state, its Italian sentence, and the line of etl.log."""

    stato: str
    messaggio: str
    logged: str


class Work(ABC):
    """The work of one run; ``tally`` is what it has done so far."""

    tally: Tally

    @abstractmethod
    def do(self, lease: Lease) -> Ending:
        """Does the work, for a run that is IN_CORSO. Whatever it raises ends the run."""

    @abstractmethod
    def stopped(self, stato: str, reason: str) -> Ending:
        """How a run ends whose ``do`` raised: ``stato`` and the Italian ``reason`` are what the
        failure says (``failures.stopped_because``).
        """


@dataclass(frozen=True)
class Job:
    """``schedule``: its name in the timetable. ``cron``: when it runs, in plant time.

    ``after_death`` sets right what a run left whose process died; the transaction closes the run.
    """

    kind: TipoEsecuzione
    schedule: str
    cron: str
    work: Callable[[], Work]
    after_death: Callable[[EsecuzioneEtl], None] = lambda run: None


JOBS: dict[str, Job] = {}


def register(job: Job) -> Job:
    JOBS[job.kind] = job
    return job
