"""The life of a run, from the queue to its end."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.failures import stopped_because
from ingestion.runs.job import JOBS, Job, Work
from ingestion.runs.lease import Lease, LeaseLost, Progress, finish
from ingestion.runs.queue import (
    QUEUED_BY,
    RunAlreadyActive,
    close_lost,
    create,
    put_in_queue,
    start_when_free,
)

logger = logging.getLogger("etl")
periodic = logging.getLogger("periodic")

Stato = EsecuzioneEtl.Stato

# A run waits so long for the active one, then lets the worker go: the queue stops a task that
# takes longer than its timeout, the waiting included.
PATIENCE = timedelta(minutes=2)


def run_queued(run_id: int) -> str:
    """The queue's task for a run made by an endpoint or by the admin; returns how it ended."""
    close_old_connections()
    run = EsecuzioneEtl.objects.get(pk=run_id)
    if run.stato != Stato.IN_CODA:
        return f"run {run_id} is {run.stato}"
    return _carry_out_and_log(run)


def run_scheduled(kind: str) -> str:
    """The timetable's task: a run of its own, after closing queued ones that never started."""
    close_old_connections()
    close_lost(kind, timezone.now())
    run = create(kind, EsecuzioneEtl.Origine.PIANIFICATA, avviata_da="orario")
    return _carry_out_and_log(run)


def _carry_out_and_log(run: EsecuzioneEtl) -> str:
    try:
        run = carry_out(run, JOBS[run.tipo], patience=PATIENCE)
    except RunAlreadyActive as busy:
        run.refresh_from_db()
        periodic.warning("%s %s: run %s is active", run.tipo, run.pk, busy.active.pk)
    except LeaseLost:  # somebody started or closed it before we could
        run.refresh_from_db()
    periodic.info("%s %s: %s", run.tipo, run.origine, run.stato, extra=run.log_extra())
    return run.stato


def carry_out(
    run: EsecuzioneEtl,
    job: Job,
    work: Work | None = None,
    *,
    patience: timedelta = timedelta(0),
    on_progress: Progress | None = None,
) -> EsecuzioneEtl:
    """Starts a queued run, does the job's work (or ``work``) and closes the run.

    What goes wrong in the work (a database away, a full disk, bad rows) is not raised: the run
    says it. Raises ``RunAlreadyActive`` when another run of the kind is in course for longer than
    ``patience``, and ``LeaseLost`` when somebody else started or closed this one.
    """
    close_old_connections()
    work = work or job.work()  # first: a setting that it cannot read must not leave a run IN_CORSO
    try:
        start_when_free(run, settings.RUN_DEAD_AFTER, patience)
    except RunAlreadyActive as busy:
        # A run that somebody follows (API, admin) goes back to the queue's end: the active one may
        # have begun before its records came. The others are closed; the next does their work.
        if run.origine in QUEUED_BY:
            put_in_queue(run)
        else:
            told = f"È già in corso l'esecuzione {busy.active.pk}, che fa lo stesso lavoro."
            finish(run, Stato.INTERROTTA, told)
        raise
    return do_work(run, work, on_progress)


def do_work(run: EsecuzioneEtl, work: Work, on_progress: Progress | None = None) -> EsecuzioneEtl:
    """Does the work of a run that is IN_CORSO, and closes the run, however the work ends."""
    try:
        ending = work.do(Lease(run, work.tally, on_progress))
    except LeaseLost:
        logger.error("%s stopped: another run took over", run.tipo, extra=run.log_extra())
        run.refresh_from_db()
        return run
    except Exception as error:
        stato, reason = stopped_because(error)
        logger.error(
            "run stopped: %s",
            type(error).__name__,
            exc_info=error if stato == Stato.ERRORE else None,
            extra=run.log_extra(),
        )
        close_old_connections()
        ending = work.stopped(stato, reason)
    finish(run, ending.stato, ending.messaggio, **work.tally.columns())
    logger.info(ending.logged, extra=run.log_extra())
    return run
