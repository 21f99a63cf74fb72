"""What the queue and the timetable call to bring orders and stock up to date."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings

from ingestion.models import EsecuzioneEtl
from ingestion.runs import queue as run_queue
from orders.counting.run import Options, Tally, update_orders

logger = logging.getLogger("periodic")


def counting_options() -> Options:
    return Options(grezzi=settings.MAGAZZINO_CONTENUTO == "grezzi")


def update_now(
    run: EsecuzioneEtl,
    *,
    patience: timedelta = timedelta(0),
    on_progress: Callable[[Tally], None] | None = None,
) -> EsecuzioneEtl:
    """Starts a queued run and counts; the one function behind all four doors.

    Raises ``runs.RunAlreadyActive`` when another update is in course for longer than ``patience``.
    """
    run_queue.start_or_give_way(run, settings.RUN_DEAD_AFTER, patience)
    return update_orders(run, counting_options(), on_progress)


def run_update(run_id: int) -> str:
    """The queue's task for a run made by an endpoint or by the admin."""
    return run_queue.run_queued(run_id, update_now, logger)


def scheduled_update() -> str:
    """The hourly task (minute 10, after the transfer)."""
    return run_queue.run_scheduled(EsecuzioneEtl.Tipo.ORDINI, update_now, logger)
