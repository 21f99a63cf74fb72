"""From a queued run to its end: what every job of the portal does around its own work."""

from collections.abc import Callable
from datetime import timedelta
from logging import Logger

from django.db import close_old_connections
from django.utils import timezone

from ingestion import runs
from ingestion.models import EsecuzioneEtl

# A run waits so long for the active one, then lets the worker go: the queue stops a task that
# takes longer than its timeout, the waiting included.
PATIENCE = timedelta(minutes=2)

Work = Callable[..., EsecuzioneEtl]
"""``work(run, patience=…)`` starts the run, does the job and returns the closed run."""


def start_or_give_way(run: EsecuzioneEtl, dead_after: timedelta, patience: timedelta) -> None:
    """Starts the run; raises ``runs.RunAlreadyActive`` when another of its kind is in course for
    longer than ``patience``.

    A run that somebody follows (API, admin) then goes back to the queue's end: the active one
    may have begun before its records came. The others are closed; the next one does their work.
    """
    close_old_connections()
    try:
        runs.start_when_free(run, dead_after, patience)
    except runs.RunAlreadyActive as busy:
        if run.origine in runs.QUEUED_BY:
            runs.put_in_queue(run)
            raise
        told = f"È già in corso l'esecuzione {busy.active.pk}, che fa lo stesso lavoro."
        runs.finish(run, EsecuzioneEtl.Stato.INTERROTTA, told)
        raise


def run_queued(run_id: int, work: Work, logger: Logger) -> str:
    """The queue's task for a run made by an endpoint or by the admin; returns how it ended."""
    close_old_connections()
    run = EsecuzioneEtl.objects.get(pk=run_id)
    if run.stato != EsecuzioneEtl.Stato.IN_CODA:
        return f"run {run_id} is {run.stato}"
    return _work_and_log(run, work, logger)


def run_scheduled(tipo: str, work: Work, logger: Logger) -> str:
    """The timetable's task: a run of its own, after closing queued ones that never started."""
    close_old_connections()
    runs.close_lost(tipo, timezone.now())
    run = runs.create(tipo, EsecuzioneEtl.Origine.PIANIFICATA, avviata_da="orario")
    return _work_and_log(run, work, logger)


def _work_and_log(run: EsecuzioneEtl, work: Work, logger: Logger) -> str:
    try:
        run = work(run, patience=PATIENCE)
    except runs.RunAlreadyActive as busy:
        run.refresh_from_db()
        logger.warning("%s %s: run %s is active", run.tipo, run.pk, busy.active.pk)
    except runs.LeaseLost:  # somebody started or closed it before we could
        run.refresh_from_db()
    logger.info("%s %s: %s", run.tipo, run.origine, run.stato, extra=runs.marks(run))
    return run.stato
