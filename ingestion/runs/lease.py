"""The lease that a run holds while it is IN_CORSO: its work beats, retries and adds up by it.

The run row is the lease: a partial unique constraint lets one run of a kind be IN_CORSO.
Correctness never rests on it (unique keys do), only tidiness: see
docs/adr/0006-run-row-is-the-lease.md.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

from django.db import close_old_connections
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.failures import Failure, classify

logger = logging.getLogger("etl")

T = TypeVar("T")
Stato = EsecuzioneEtl.Stato

MAX_TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
# A run's end is written again after these: PostgreSQL may restart meanwhile. Two minutes, less
# than after which the run is taken for dead.
CLOSING_PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60)


class LeaseLost(Exception):
    """This run was taken for dead and closed by another; it must stop."""


@dataclass
class Tally:
    """What a run has done so far. Each kind of run is a dataclass of its own counters."""

    def add(self, other: Self) -> None:
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)

    def columns(self) -> dict[str, Any]:
        """As columns of the run's row."""
        return asdict(self)


@dataclass
class RowTally(Tally):
    """The counters that every run has; letti = caricati + gia_presenti + in_errore + rimanenti."""

    letti: int = 0
    caricati: int = 0
    gia_presenti: int = 0
    in_errore: int = 0
    rimanenti: int = 0
    anomalie: int = 0


Progress = Callable[[Any], None]
"""Called with the tally so far after each step of the work."""


class Lease:
    def __init__(
        self, run: EsecuzioneEtl, tally: Tally, on_progress: Progress | None = None
    ) -> None:
        self.run = run
        self.tally = tally
        self.on_progress = on_progress

    def beat(self, **columns: Any) -> None:
        """Writes heartbeat and tally so far; raises ``LeaseLost`` if the run was closed."""
        alive = EsecuzioneEtl.objects.filter(pk=self.run.pk, stato=Stato.IN_CORSO).update(
            battito_il=timezone.now(), **self.tally.columns(), **columns
        )
        if not alive:
            raise LeaseLost

    def retry(self, work: Callable[[], T]) -> T:
        """``work()``, ``MAX_TRIES`` times at most while its failures pass."""
        pauses = [  # random, so that two rivals do not meet again
            FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311
            for attempt in range(MAX_TRIES - 1)
        ]
        extra = self.run.log_extra()
        return retry(work, pauses, "passing failure", log_extra=extra, before_again=self.beat)

    def add(self, done: Tally) -> None:
        self.tally.add(done)
        if self.on_progress:
            self.on_progress(self.tally)


def retry(
    work: Callable[[], T],
    pauses: Iterable[float],
    told: str,
    *,
    log_extra: dict[str, Any] | None = None,
    before_again: Callable[[], None] = lambda: None,
) -> T:
    """``work()``, again from its start on fresh connections after each failure that passes.

    ``pauses``: seconds before each new try; after the last the failure is raised. ``told``: of
    the failure, in the log. ``before_again`` is called before each new try, and may raise.
    """
    for attempt, pause in enumerate(pauses, start=1):
        try:
            return work()
        except Exception as error:
            if classify(error) is not Failure.PASSING:
                raise
            name = type(error).__name__
            logger.warning("%s, try %s: %s", told, attempt, name, extra=log_extra)
        close_old_connections()
        time.sleep(pause)
        before_again()
    return work()


def retry_at_the_end(work: Callable[[], T]) -> T:
    """``retry`` for what a run does when its own work is over: for two minutes."""
    return retry(work, CLOSING_PAUSES_SECONDS, "the run's end waits")


def finish(run: EsecuzioneEtl, stato: str, messaggio: str, **columns: Any) -> None:
    """Closes the run, unless another took over; waits for PostgreSQL, if it is away."""

    def close() -> None:
        EsecuzioneEtl.objects.filter(pk=run.pk, stato__in=[Stato.IN_CODA, Stato.IN_CORSO]).update(
            stato=stato,
            messaggio=messaggio,
            finita_il=timezone.now(),
            batch_da=None,
            batch_a=None,
            **columns,
        )
        run.refresh_from_db()

    retry_at_the_end(close)
