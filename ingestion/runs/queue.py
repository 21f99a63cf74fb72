"""Runs from the queue to their start, and those closed because nobody works on them any more.

Starting is a compare-and-set that the database decides. A run whose process is gone is closed as
INTERROTTA by the next one that wants to start, or by who asks how it goes.
"""

import os
import socket
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import JOBS
from ingestion.runs.lease import LeaseLost

Stato = EsecuzioneEtl.Stato

TASK = "ingestion.runs.running.run_queued"
MAX_STARTS = 5

# Runs that a task of the queue will start; the others are started by who made them.
QUEUED_BY = {EsecuzioneEtl.Origine.API, EsecuzioneEtl.Origine.ADMIN}

# A queued run older than this is not joined by new requests: its task may have been lost.
JOINABLE_FOR = timedelta(minutes=2)
# A queued run older than this never started: the worker was down.
LOST_AFTER = timedelta(hours=1)


def create(tipo: str, origine: str, *, avviata_da: str = "", request_id: str = "") -> EsecuzioneEtl:
    return EsecuzioneEtl.objects.create(
        tipo=tipo, origine=origine, avviata_da=avviata_da, request_id=request_id
    )


def enqueue(
    tipo: str, origine: str, *, avviata_da: str = "", request_id: str = ""
) -> EsecuzioneEtl:
    """A queued run that will start after the caller's transaction commits.

    Joins a run that waits already: it cannot start before our commit, because we hold its
    row lock, so it will see what we stored.
    """
    joinable = EsecuzioneEtl.objects.select_for_update().filter(
        tipo=tipo,
        stato=Stato.IN_CODA,
        origine__in=QUEUED_BY,
        creata_il__gt=timezone.now() - JOINABLE_FOR,
    )
    with transaction.atomic(using="default"):
        if waiting := joinable.order_by("pk").first():
            return waiting
        run = create(tipo, origine, avviata_da=avviata_da, request_id=request_id)
        run.refresh_from_db()
        put_in_queue(run)
    return run


def put_in_queue(run: EsecuzioneEtl) -> None:
    """A task that will start the run; with the caller's transaction it is written, or not."""
    async_task(TASK, run.pk, task_name=f"{run.tipo}-{run.pk}")


# --- Starting -------------------------------------------------------------------------------


class RunAlreadyActive(Exception):
    """Another run of this kind is in course; ``active`` is that run."""

    def __init__(self, active: EsecuzioneEtl) -> None:
        super().__init__(f"run {active.pk} is active")
        self.active = active


def start_when_free(run: EsecuzioneEtl, dead_after: timedelta, patience: timedelta) -> None:
    """``start``, waiting at most ``patience`` for the active run to end."""
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return start(run, dead_after, timezone.now())
        except RunAlreadyActive:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def start(run: EsecuzioneEtl, dead_after: timedelta, now: datetime) -> None:
    """IN_CODA → IN_CORSO. Raises ``RunAlreadyActive`` while another run of the kind lives."""
    for attempt in range(1, MAX_STARTS + 1):
        active = active_run(run.tipo)
        if active and is_dead(active, dead_after, now):
            close_dead(active, now)
        try:
            started = _take_lease(run, now)
            break
        except IntegrityError as error:
            if active := active_run(run.tipo):
                raise RunAlreadyActive(active) from error
            if attempt == MAX_STARTS:  # not a run that ended in this very moment
                raise
    if not started:
        raise LeaseLost
    run.refresh_from_db()


def _take_lease(run: EsecuzioneEtl, now: datetime) -> int:
    """Raises ``IntegrityError`` when another run has it."""
    with transaction.atomic(using="default"):
        return EsecuzioneEtl.objects.filter(pk=run.pk, stato=Stato.IN_CODA).update(
            stato=Stato.IN_CORSO, iniziata_il=now, battito_il=now, processo=this_process()
        )


def active_run(tipo: str) -> EsecuzioneEtl | None:
    return EsecuzioneEtl.objects.filter(tipo=tipo, stato=Stato.IN_CORSO).first()


def living_run(tipo: str, dead_after: timedelta) -> EsecuzioneEtl | None:
    """The run in course; one whose process died keeps nobody from starting another."""
    active = active_run(tipo)
    return None if active and is_dead(active, dead_after, timezone.now()) else active


# --- The dead and the lost ------------------------------------------------------------------


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(run: EsecuzioneEtl, dead_after: timedelta, now: datetime) -> bool:
    """By its process, when it ran on this host; else by the age of its heartbeat."""
    host, _, pid = run.processo.rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _process_exists(int(pid)):
        return True
    return run.battito_il is None or run.battito_il < now - dead_after


def _process_exists(pid: int) -> bool:
    """False for one that ended and is kept in the process table until its parent asks: in a
    container without an init process, for ever (seen on Linux only).
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return status.rpartition(")")[2].split()[0] != "Z"
    return True


def close_dead(run: EsecuzioneEtl, now: datetime) -> None:
    """Closes a run whose process died, with what its job does then; not one that beat again."""
    still_dead = EsecuzioneEtl.objects.filter(
        pk=run.pk, stato=Stato.IN_CORSO, battito_il=run.battito_il
    )
    told = (
        "Il processo si è fermato prima della fine; i record rimasti saranno presi dalla "
        "prossima esecuzione."
    )
    with transaction.atomic(using="default"):
        if still_dead.update(stato=Stato.INTERROTTA, finita_il=now, messaggio=told):
            JOBS[run.tipo].after_death(run)


def close_lost(tipo: str, now: datetime) -> int:
    """Closes queued runs that never started; returns how many."""
    told = "Mai partita: il worker era fermo. I record restano in attesa."
    return EsecuzioneEtl.objects.filter(
        creata_il__lt=now - LOST_AFTER, tipo=tipo, stato=Stato.IN_CODA
    ).update(stato=Stato.INTERROTTA, finita_il=now, messaggio=told)


def close_if_gone(run: EsecuzioneEtl, dead_after: timedelta, now: datetime) -> None:
    """Closes this run if its process died, or if it never started: who follows it must not wait
    for ever.
    """
    if run.stato == Stato.IN_CORSO and is_dead(run, dead_after, now):
        close_dead(run, now)
    elif run.stato == Stato.IN_CODA and run.creata_il < now - LOST_AFTER:
        close_lost(run.tipo, now)
    else:
        return
    run.refresh_from_db()
