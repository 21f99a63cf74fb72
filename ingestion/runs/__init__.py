"""Runs of the portal's jobs: queueing, the one-at-a-time lease, heartbeat and end.

The run row is the lease: a partial unique constraint lets one run of a kind be IN_CORSO, so
starting one is a compare-and-set that the database decides. A run whose process is gone is
closed as INTERROTTA by the next one that wants to start, or by who asks how it goes. Correctness
never rests on this (unique keys do), only tidiness: see docs/adr/0006-run-row-is-the-lease.md.
"""

import logging
import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from django.db import IntegrityError, close_old_connections, transaction
from django.db.models import F
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.failures import Failure, classify, mysql_code

logger = logging.getLogger("etl")

T = TypeVar("T")
Stato = EsecuzioneEtl.Stato

FAILED = {Stato.ERRORE, Stato.INTERROTTA}
ENDED = {Stato.OK, Stato.PARZIALE, *FAILED}

# The queue's task for each kind of run, named by path: runs know no job.
JOB_BY_TIPO = {
    EsecuzioneEtl.Tipo.TRANSFER: "ingestion.jobs.run_transfer",
    EsecuzioneEtl.Tipo.ORDINI: "orders.jobs.run_update",
}

MAX_TRIES = 5
MAX_STARTS = 5
FIRST_PAUSE_SECONDS = 0.2
# A run's end is written again after these: PostgreSQL may restart meanwhile. Two minutes, less
# than after which the run is taken for dead.
CLOSING_PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60)

# Runs that a task of the queue will start; the others are started by who made them.
QUEUED_BY = {EsecuzioneEtl.Origine.API, EsecuzioneEtl.Origine.ADMIN}

# A queued run older than this is not joined by new requests: its task may have been lost.
JOINABLE_FOR = timedelta(minutes=2)
# A queued run older than this never started: the worker was down.
LOST_AFTER = timedelta(hours=1)


@dataclass
class Tally:
    """Counters of a run; letti = caricati + gia_presenti + in_errore + rimanenti."""

    letti: int = 0
    caricati: int = 0
    gia_presenti: int = 0
    in_errore: int = 0
    rimanenti: int = 0
    anomalie: int = 0

    def add(self, other: Self) -> None:
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)


class RunAlreadyActive(Exception):
    """Another run of this kind is in course; ``active`` is that run."""

    def __init__(self, active: EsecuzioneEtl) -> None:
        super().__init__(f"run {active.pk} is active")
        self.active = active


class LeaseLost(Exception):
    """This run was taken for dead and closed by another; it must stop."""


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
    with transaction.atomic(using="default"):
        waiting = (
            EsecuzioneEtl.objects.select_for_update()
            .filter(
                tipo=tipo,
                stato=Stato.IN_CODA,
                origine__in=QUEUED_BY,
                creata_il__gt=timezone.now() - JOINABLE_FOR,
            )
            .order_by("pk")
            .first()
        )
        if waiting:
            return waiting
        run = create(tipo, origine, avviata_da=avviata_da, request_id=request_id)
        run.refresh_from_db()
        put_in_queue(run)
    return run


def put_in_queue(run: EsecuzioneEtl) -> None:
    """A task that will start the run; with the caller's transaction it is written, or not."""
    job = JOB_BY_TIPO[EsecuzioneEtl.Tipo(run.tipo)]
    async_task(job, run.pk, task_name=f"{run.tipo}-{run.pk}")


def active_run(tipo: str) -> EsecuzioneEtl | None:
    return EsecuzioneEtl.objects.filter(tipo=tipo, stato=Stato.IN_CORSO).first()


def living_run(tipo: str, dead_after: timedelta) -> EsecuzioneEtl | None:
    """The run in course; one whose process died keeps nobody from starting another."""
    active = active_run(tipo)
    if active is None or is_dead(active, dead_after, timezone.now()):
        return None
    return active


def start(run: EsecuzioneEtl, dead_after: timedelta, now: datetime) -> None:
    """IN_CODA → IN_CORSO. Raises ``RunAlreadyActive`` while another run of the kind lives."""
    for attempt in range(1, MAX_STARTS + 1):
        active = active_run(run.tipo)
        if active and is_dead(active, dead_after, now):
            close_dead(active, now)
        try:
            started = _claim(run, now)
            break
        except IntegrityError as error:
            if active := active_run(run.tipo):
                raise RunAlreadyActive(active) from error
            if attempt == MAX_STARTS:  # not a run that ended in this very moment
                raise
    if not started:
        raise LeaseLost
    run.refresh_from_db()


def _claim(run: EsecuzioneEtl, now: datetime) -> bool:
    """Takes the lease; raises ``IntegrityError`` when another run has it."""
    with transaction.atomic(using="default"):
        claimed = EsecuzioneEtl.objects.filter(pk=run.pk, stato=Stato.IN_CODA).update(
            stato=Stato.IN_CORSO, iniziata_il=now, battito_il=now, processo=this_process()
        )
    return bool(claimed)


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


def beat(run: EsecuzioneEtl, **progress: Any) -> None:
    """Heartbeat with the counters so far; raises ``LeaseLost`` if the run was closed meanwhile."""
    alive = EsecuzioneEtl.objects.filter(pk=run.pk, stato=Stato.IN_CORSO).update(
        battito_il=timezone.now(), **progress
    )
    if not alive:
        raise LeaseLost


def finish(run: EsecuzioneEtl, stato: str, messaggio: str, **counters: int) -> None:
    """Closes the run, unless another took over; waits for PostgreSQL, if it is away."""

    def close() -> None:
        EsecuzioneEtl.objects.filter(pk=run.pk, stato__in=[Stato.IN_CODA, Stato.IN_CORSO]).update(
            stato=stato,
            messaggio=messaggio,
            finita_il=timezone.now(),
            batch_da=None,
            batch_a=None,
            **counters,
        )
        run.refresh_from_db()

    patiently(close)


def patiently(work: Callable[[], T]) -> T:
    """``work()`` of a run's end, again after each passing failure for two minutes."""
    for pause in CLOSING_PAUSES_SECONDS:
        try:
            return work()
        except Exception as error:
            if classify(error) is not Failure.PASSING:
                raise
            logger.warning("the run's end waits: %s", type(error).__name__)
        close_old_connections()
        time.sleep(pause)
    return work()


def persistently(run: EsecuzioneEtl, work: Callable[[], T]) -> T:
    """``work()``, again from its start on fresh connections after each passing failure."""
    for attempt in range(1, MAX_TRIES + 1):
        try:
            return work()
        except Exception as error:
            if classify(error) is not Failure.PASSING or attempt == MAX_TRIES:
                raise
            logger.warning(
                "passing failure, try %s: %s",
                attempt,
                type(error).__name__,
                extra=marks(run),
            )
        close_old_connections()
        time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        beat(run)
    raise AssertionError("unreachable")


STOPPED_BECAUSE = {
    Failure.PASSING: "Il database di produzione (MySQL) non risponde.",
    Failure.DATA: "Il database ha rifiutato i dati.",
    Failure.RESOURCE: "Il disco o una tabella del database è pieno.",
    Failure.UNKNOWN: "Errore interno: vedere etl.log.",
}


def stopped_because(error: Exception, run: EsecuzioneEtl) -> tuple[str, str]:
    """How a run that could not go on ends: (state, Italian sentence); logs the error.

    Only what nobody foresaw is an ERRORE: the rest will pass, and the rows wait.
    """
    failure = classify(error)
    unknown = failure is Failure.UNKNOWN
    logger.error(
        "run stopped: %s",
        type(error).__name__,
        exc_info=error if unknown else None,
        extra=marks(run),
    )
    close_old_connections()
    told = STOPPED_BECAUSE[failure]
    if failure is Failure.PASSING and mysql_code(error) is None:
        told = "Un database ha smesso di rispondere."  # PostgreSQL's errors have no such number
    return (Stato.ERRORE if unknown else Stato.PARZIALE), told


def marks(run: EsecuzioneEtl) -> dict[str, Any]:
    """``extra`` of a log line about the run: its number, and the request that asked for it."""
    return {"esecuzione": run.pk, "request_id": run.request_id or "-"}


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(run: EsecuzioneEtl, dead_after: timedelta, now: datetime) -> bool:
    """By its process, when it ran on this host; else by the age of its heartbeat."""
    host, _, pid = run.processo.rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _process_exists(int(pid)):
        return True
    return run.battito_il is None or run.battito_il < now - dead_after


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Ended, but kept in the process table until its parent asks: in a container without an
    init process, for ever. Linux only; elsewhere never.
    """
    with suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return status.rpartition(")")[2].split()[0] == "Z"
    return False


def close_dead(run: EsecuzioneEtl, now: datetime) -> None:
    """Closes a dead run, and counts a try for each row of the batch it died in.

    Those rows are then transferred one by one, so that a row that kills its process is found.
    """
    with transaction.atomic(using="default"):
        closed = EsecuzioneEtl.objects.filter(
            pk=run.pk, stato=Stato.IN_CORSO, battito_il=run.battito_il
        ).update(
            stato=Stato.INTERROTTA,
            finita_il=now,
            messaggio="Il processo si è fermato prima della fine; i record rimasti saranno "
            "presi dalla prossima esecuzione.",
        )
        if closed and run.batch_da is not None:
            _blame_rows(run)


def _blame_rows(run: EsecuzioneEtl) -> None:
    """A batch of several rows held none that was tried before: those go one by one."""
    rows = RawOperazione.objects.filter(
        stato=RawOperazione.Stato.PENDING, id_operazione__range=(run.batch_da, run.batch_a)
    )
    if run.batch_da != run.batch_a:
        rows = rows.filter(tentativi=0)
    rows.update(tentativi=F("tentativi") + 1)


def close_lost(tipo: str, now: datetime) -> int:
    """Closes queued runs that never started; returns how many."""
    return EsecuzioneEtl.objects.filter(
        creata_il__lt=now - LOST_AFTER, tipo=tipo, stato=Stato.IN_CODA
    ).update(
        stato=Stato.INTERROTTA,
        finita_il=now,
        messaggio="Mai partita: il worker era fermo. I record restano in attesa.",
    )


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


def as_json(run: EsecuzioneEtl) -> dict[str, Any]:
    """A run as every answer shows it (contract.md): no nulls, "" or 0 where not yet known."""
    duration = (run.finita_il or timezone.now()) - run.iniziata_il if run.iniziata_il else None
    return {
        "id": run.pk,
        "tipo": run.tipo,
        "origine": run.origine,
        "avviata_da": run.avviata_da,
        "stato": run.stato,
        "iniziata_il": iso(run.iniziata_il),
        "finita_il": iso(run.finita_il),
        "durata_s": round(duration.total_seconds(), 3) if duration else 0.0,
        "letti": run.letti,
        "caricati": run.caricati,
        "gia_presenti": run.gia_presenti,
        "in_errore": run.in_errore,
        "anomalie": run.anomalie,
        "rimanenti": run.rimanenti,
        "messaggio": run.messaggio,
    }


def iso(moment: datetime | None) -> str:
    """ISO 8601 in UTC with ``Z``; "" for never."""
    if moment is None:
        return ""
    return moment.astimezone(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
