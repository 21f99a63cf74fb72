"""The orders job, from its start to its end: chunk after chunk until nothing is uncounted."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from django.db import close_old_connections, transaction
from django.utils import timezone

from ingestion import runs
from ingestion.models import EsecuzioneEtl
from ingestion.runs.failures import Failure, classify
from orders.counting import chunk
from orders.counting.chunk import ALIAS, Tally
from orders.counting.completion import complete
from orders.models import Ordine

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato


@dataclass(frozen=True)
class Options:
    """``grezzi``: the stock holds blanks, of which each piece made draws one."""

    grezzi: bool = False
    chunk_size: int = 1000


def update_orders(
    run: EsecuzioneEtl, options: Options, on_progress: Callable[[Tally], None] | None = None
) -> EsecuzioneEtl:
    """Counts what is uncounted, for a run that is IN_CORSO, and closes the run.

    Never raises for what a plant must expect; the run says it, and what was not counted waits.
    """
    tally = Tally()
    size = options.chunk_size
    try:
        while True:
            runs.beat(run, **tally.columns())
            try:
                done = runs.persistently(run, partial(chunk.count_next, run, options.grezzi, size))
                size = min(2 * size, options.chunk_size)
            except Exception as error:
                if classify(error) is not Failure.DATA:
                    raise
                # Bad data: halve the chunk down to the row, and set that row aside.
                if size > 1:
                    size //= 2
                    continue
                done = chunk.set_aside_next(run, error)
            tally.add(done)
            if on_progress:
                on_progress(tally)
            if not done.letti:
                break
    except runs.LeaseLost:
        logger.error("orders run stopped: another took over", extra=runs.marks(run))
        run.refresh_from_db()
        return run
    except Exception as error:  # noqa: BLE001 - whatever happens, the run row must tell it
        return _close_stopped(run, tally, error)
    return _close_finished(run, tally)


class _Undo(Exception):
    """Takes back a dry run."""


def preview(options: Options) -> Tally:
    """What a run would do now: it is done in one transaction, which is then undone."""
    tally = Tally()
    now = timezone.now()
    with suppress(_Undo), transaction.atomic(using=ALIAS):
        while operations := chunk.take(options.chunk_size):
            tally.add(chunk.count_chunk(operations, 0, options.grezzi, now))
        tally.ordini_completati += complete(Ordine.objects.waiting(), now)
        raise _Undo
    return tally


def _close_finished(run: EsecuzioneEtl, tally: Tally) -> EsecuzioneEtl:
    completed = len(tally.ordini_completati)
    messaggio = (
        f"{tally.caricati} operazioni contate, {tally.pezzi_attribuiti} pezzi agli ordini, "
        f"{completed} {'ordine completato' if completed == 1 else 'ordini completati'}."
    )
    if tally.in_errore:
        messaggio += f" {tally.in_errore} messe da parte come non attribuibili: vedere etl.log."
    stato = Stato.PARZIALE if tally.in_errore else Stato.OK
    runs.finish(run, stato, messaggio, **tally.columns())
    logger.info("orders run ended %s", asdict(tally), extra=runs.marks(run))
    return run


def _close_stopped(run: EsecuzioneEtl, tally: Tally, error: Exception) -> EsecuzioneEtl:
    close_old_connections()
    stato, reason = runs.stopped_because(error, run)
    runs.finish(
        run,
        stato,
        f"{reason} Le operazioni non contate restano in attesa.",
        **tally.columns(),
    )
    return run
