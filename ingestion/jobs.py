"""The jobs of this app: what the queue, the timetable and the commands carry out."""

from functools import partial

from django.conf import settings

from ingestion.models import EsecuzioneEtl
from ingestion.reception import purge
from ingestion.runs.job import Job, register
from ingestion.runs.running import run_queued, run_scheduled
from ingestion.transfer import outcomes, pipeline
from ingestion.watch.verification import Verification
from production.fields import Limits


def transfer_options(limit: int | None = None) -> pipeline.TransferOptions:
    """The transfer's options from the settings; ``limit``: at most so many rows."""
    limits = Limits.of_settings(settings.PLAUSIBILITY_LIMITS)
    return pipeline.TransferOptions(limits, settings.TRANSFER_BATCH_SIZE, limit)


def purge_options() -> purge.PurgeOptions:
    return purge.PurgeOptions(raw_days=settings.RAW_GIORNI, run_days=settings.ESECUZIONI_GIORNI)


TRANSFER = register(
    Job(
        kind=EsecuzioneEtl.Tipo.TRANSFER,
        schedule="trasferimento orario",
        cron="5 * * * *",
        work=lambda: pipeline.Transfer(transfer_options()),
        after_death=outcomes.blame_rows_in_hand,
    )
)
PURGE = register(
    Job(
        kind=EsecuzioneEtl.Tipo.PULIZIA,
        schedule="pulizia giornaliera",
        # Not between 02 and 03, an hour that some days lack and others have twice.
        cron="20 4 * * *",
        work=lambda: purge.Purge(purge_options()),
    )
)
VERIFICATION = register(
    Job(
        kind=EsecuzioneEtl.Tipo.VERIFICA,
        schedule="verifica oraria",
        cron="40 * * * *",
        work=Verification,
    )
)

# Named by tasks and schedules that an earlier version put in the queue's tables.
run_transfer = run_queued
scheduled_transfer = partial(run_scheduled, TRANSFER.kind)
scheduled_purge = partial(run_scheduled, PURGE.kind)
scheduled_verification = partial(run_scheduled, VERIFICATION.kind)
