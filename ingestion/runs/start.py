"""Who may start, and who is dead.

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

from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import JOBS
from ingestion.runs.lease import LeaseLost

Stato = EsecuzioneEtl.Stato

MAX_STARTS = 5


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
    if active is None or is_dead(active, dead_after, timezone.now()):
        return None
    return active


# --- The dead -------------------------------------------------------------------------------


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
    with transaction.atomic(using="default"):
        closed = EsecuzioneEtl.objects.filter(
            pk=run.pk, stato=Stato.IN_CORSO, battito_il=run.battito_il
        ).update(
            stato=Stato.INTERROTTA,
            finita_il=now,
            messaggio="Il processo si è fermato prima della fine; i record rimasti saranno "
            "presi dalla prossima esecuzione.",
        )
        if closed:
            JOBS[run.tipo].after_death(run)
