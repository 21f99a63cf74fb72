"""The orders job, from its start to its end: chunk after chunk until nothing is uncounted."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.failures import Failure, classify
from ingestion.runs.job import Ending, Work
from ingestion.runs.lease import Lease
from orders.counting import chunk
from orders.counting.chunk import ALIAS, CountingTally
from orders.counting.completion import complete
from orders.models import Ordine

Stato = EsecuzioneEtl.Stato


@dataclass(frozen=True)
class CountingOptions:
    """``grezzi``: the stock holds blanks, of which each piece made draws one."""

    grezzi: bool = False
    chunk_size: int = 1000


class Counting(Work):
    """Counts what is uncounted; what it could not count waits."""

    def __init__(self, options: CountingOptions) -> None:
        self.options = options
        self.tally: CountingTally = CountingTally()

    def do(self, lease: Lease) -> Ending:
        run, grezzi, size = lease.run, self.options.grezzi, self.options.chunk_size
        while True:
            lease.beat()
            try:
                done = lease.retry(partial(chunk.count_next, run, grezzi, size))
                size = min(2 * size, self.options.chunk_size)
            except Exception as error:
                if classify(error) is not Failure.DATA:
                    raise
                # Bad data: halve the chunk down to the row, and set that row aside.
                if size > 1:
                    size //= 2
                    continue
                done = chunk.set_aside_next(run, error)
            lease.add(done)
            if not done.letti:
                return self._finished()

    def _finished(self) -> Ending:
        tally = self.tally
        completed = len(tally.ordini_completati)
        messaggio = (
            f"{tally.caricati} operazioni contate, {tally.pezzi_attribuiti} pezzi agli ordini, "
            f"{completed} {'ordine completato' if completed == 1 else 'ordini completati'}."
        )
        stato = Stato.OK
        if tally.in_errore:
            messaggio += f" {tally.in_errore} messe da parte come non attribuibili: vedere etl.log."
            stato = Stato.PARZIALE
        return Ending(stato, messaggio, f"orders run ended {asdict(tally)}")

    def stopped(self, stato: str, reason: str) -> Ending:
        messaggio = f"{reason} Le operazioni non contate restano in attesa."
        return Ending(stato, messaggio, f"orders run ended {asdict(self.tally)}")


class _Undo(Exception):
    """Takes back a dry run."""


def preview(options: CountingOptions) -> CountingTally:
    """What a run would do now: it is done in one transaction, which is then undone."""
    tally = CountingTally()
    now = timezone.now()
    with suppress(_Undo), transaction.atomic(using=ALIAS):
        while operations := chunk.take(options.chunk_size):
            tally.add(chunk.count_chunk(operations, 0, options.grezzi, now))
        tally.ordini_completati += complete(Ordine.objects.waiting(), now)
        raise _Undo
    return tally
