"""The job that brings orders and stock up to date."""

from functools import partial

from django.conf import settings

from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import Job, register
from ingestion.runs.running import run_queued, run_scheduled
from orders.counting.run import Counting, CountingOptions


def counting_options() -> CountingOptions:
    return CountingOptions(grezzi=settings.MAGAZZINO_CONTENUTO == "grezzi")


COUNTING = register(
    Job(
        kind=EsecuzioneEtl.Tipo.ORDINI,
        schedule="ordini orario",
        cron="10 * * * *",  # after the transfer
        work=lambda: Counting(counting_options()),
    )
)

# Named by tasks and schedules that an earlier version put in the queue's tables.
run_update = run_queued
scheduled_update = partial(run_scheduled, COUNTING.kind)
