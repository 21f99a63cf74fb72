"""The same work again after a failure that passes."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from django.db import close_old_connections

from ingestion.runs.failures import Failure, classify

logger = logging.getLogger("etl")

T = TypeVar("T")

MAX_TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
# A run's end is written again after these: PostgreSQL may restart meanwhile. Two minutes, less
# than after which the run is taken for dead.
CLOSING_PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60)


def growing_pauses() -> Iterator[float]:
    """Seconds between ``MAX_TRIES`` tries; random, so that two rivals do not meet again."""
    for attempt in range(MAX_TRIES - 1):
        yield FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311


def retry(
    work: Callable[[], T],
    pauses: Iterable[float],
    told: str,
    *,
    log_extra: dict[str, Any] | None = None,
    before_again: Callable[[], None] = lambda: None,
) -> T:
    """``work()``, again from its start on fresh connections after each failure that passes.

    ``pauses``: seconds before each new try; after the last the failure is raised. ``told``: of
    the failure, in the log. ``before_again`` is called before each new try, and may raise.
    """
    for attempt, pause in enumerate(pauses, start=1):
        try:
            return work()
        except Exception as error:
            if classify(error) is not Failure.PASSING:
                raise
            name = type(error).__name__
            logger.warning("%s, try %s: %s", told, attempt, name, extra=log_extra)
        close_old_connections()
        time.sleep(pause)
        before_again()
    return work()


def retry_at_the_end(work: Callable[[], T]) -> T:
    """``retry`` for what a run does when its own work is over: for two minutes."""
    return retry(work, CLOSING_PAUSES_SECONDS, "the run's end waits")
