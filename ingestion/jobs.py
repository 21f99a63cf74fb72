"""What the queue and the timetable call. Each job is one run, from its row to its end."""

import logging
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from ingestion import runs
from ingestion.models import EsecuzioneEtl
from ingestion.transfer import pipeline
from ingestion.transfer.records import Limits

logger = logging.getLogger("periodic")

# A queued run waits so long for the active one; shorter than the queue's own timeout.
PATIENCE = timedelta(minutes=10)


def transfer_options(limit: int | None = None) -> pipeline.Options:
    """The transfer's options from the settings; ``limit``: at most so many rows."""
    values = settings.PLAUSIBILITY_LIMITS
    limits = Limits(
        peso_max=Decimal(values["peso_max"]),
        temperatura_min=Decimal(values["temperatura_min"]),
        temperatura_max=Decimal(values["temperatura_max"]),
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
    ``patience``; the run is then closed, saying so.
    """
    close_old_connections()
    dead_after = timedelta(seconds=settings.RUN_DEAD_AFTER_SECONDS)
    try:
        runs.start_when_free(run, dead_after, patience)
    except runs.RunAlreadyActive:
        runs.finish(
            run,
            EsecuzioneEtl.Stato.INTERROTTA,
            "Un altro trasferimento è in corso: i record restano in attesa.",
        )
        raise
    return pipeline.transfer(run, transfer_options(limit), on_progress)


def run_transfer(run_id: int) -> str:
    """The queue's task for a run made by an endpoint or by the admin."""
    close_old_connections()
    run = EsecuzioneEtl.objects.get(pk=run_id)
    if run.stato != EsecuzioneEtl.Stato.IN_CODA:
        return f"run {run_id} is {run.stato}"
    return _transfer_and_log(run)


def scheduled_transfer() -> str:
    """The hourly task (minute 5)."""
    close_old_connections()
    runs.close_lost(EsecuzioneEtl.Tipo.TRANSFER, timezone.now())
    run = runs.create(
        EsecuzioneEtl.Tipo.TRANSFER, EsecuzioneEtl.Origine.PIANIFICATA, avviata_da="orario"
    )
    return _transfer_and_log(run)


def _transfer_and_log(run: EsecuzioneEtl) -> str:
    try:
        run = transfer_now(run, patience=PATIENCE)
    except runs.RunAlreadyActive as busy:
        run.refresh_from_db()
        logger.warning("transfer %s: run %s is active", run.pk, busy.active.pk)
    logger.info(
        "transfer %s: %s", run.origine, run.stato, extra={"esecuzione": run.pk}
    )
    return run.stato
