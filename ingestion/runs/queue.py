"""Runs that wait in the queue: made, joined, and closed when their task was lost."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import EsecuzioneEtl
from ingestion.runs.start import close_dead, is_dead

Stato = EsecuzioneEtl.Stato

TASK = "ingestion.runs.running.run_queued"

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
    async_task(TASK, run.pk, task_name=f"{run.tipo}-{run.pk}")


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
