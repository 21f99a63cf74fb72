"""What the queue and the timetable call. Each job is one run, from its row to its end."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings

from ingestion.models import EsecuzioneEtl
from ingestion.reception import purge
from ingestion.runs import queue as run_queue
from ingestion.transfer import pipeline
from ingestion.transfer.records import Limits
from ingestion.watch import verification

logger = logging.getLogger("periodic")


def transfer_options(limit: int | None = None) -> pipeline.Options:
    """The transfer's options from the settings; ``limit``: at most so many rows."""
    values: dict[str, Any] = settings.PLAUSIBILITY_LIMITS
    limits = Limits(
        peso_max=values["peso_max"],
        temperatura_min=values["temperatura_min"],
        temperatura_max=values["temperatura_max"],
        pezzi_ora_max=values["pezzi_ora_max"],
        durata_max=timedelta(hours=float(values["durata_max_ore"])),
        tolleranza_futuro=timedelta(minutes=values["tolleranza_futuro_minuti"]),
    )
    return pipeline.Options(limits, settings.TRANSFER_BATCH_SIZE, limit)


def transfer_now(
    run: EsecuzioneEtl,
    *,
    limit: int | None = None,
    patience: timedelta = timedelta(0),
    on_progress: pipeline.Progress | None = None,
) -> EsecuzioneEtl:
    """Starts a queued run and transfers; the one function behind all four doors.

    Raises ``runs.RunAlreadyActive`` when another transfer is in course for longer than
    ``patience`` (what becomes of the run: ``run_queue.start_or_give_way``).
    """
    options = transfer_options(limit)
    run_queue.start_or_give_way(run, settings.RUN_DEAD_AFTER, patience)
    return pipeline.transfer(run, options, on_progress)


def run_transfer(run_id: int) -> str:
    """The queue's task for a run made by an endpoint or by the admin."""
    return run_queue.run_queued(run_id, transfer_now, logger)


def scheduled_transfer() -> str:
    """The hourly task (minute 5)."""
    return run_queue.run_scheduled(EsecuzioneEtl.Tipo.TRANSFER, transfer_now, logger)


def purge_options() -> purge.Options:
    return purge.Options(raw_days=settings.RAW_GIORNI, run_days=settings.ESECUZIONI_GIORNI)


def purge_now(
    run: EsecuzioneEtl,
    *,
    patience: timedelta = timedelta(0),
    on_progress: purge.Progress | None = None,
) -> EsecuzioneEtl:
    """Starts a queued run and purges; schedule and command call it.

    Raises ``runs.RunAlreadyActive`` when another purge is in course for longer than ``patience``.
    """
    run_queue.start_or_give_way(run, settings.RUN_DEAD_AFTER, patience)
    return purge.purge(run, purge_options(), on_progress)


def scheduled_purge() -> str:
    """The daily task."""
    return run_queue.run_scheduled(EsecuzioneEtl.Tipo.PULIZIA, purge_now, logger)


def verify_now(run: EsecuzioneEtl, *, patience: timedelta = timedelta(0)) -> EsecuzioneEtl:
    """Starts a queued run and checks the invariants. Raises as ``purge_now``."""
    run_queue.start_or_give_way(run, settings.RUN_DEAD_AFTER, patience)
    return verification.verify(run)


def scheduled_verification() -> str:
    """The hourly task (minute 40)."""
    return run_queue.run_scheduled(EsecuzioneEtl.Tipo.VERIFICA, verify_now, logger)
