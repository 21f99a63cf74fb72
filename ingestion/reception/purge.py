"""The purge: loaded raw rows past their days go, and the books still balance (docs/affidabilita.md,
"Ordine dei commit").

In small transactions, each of which deletes rows and writes how many in the same moment: a purge
that is killed is taken up by the next one where it stood. PENDING and ERROR rows are never
deleted, nor a batch of which one row is left.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet, Sum
from django.utils import timezone
from django_q.models import Success

from ingestion.models import Eliminazione, EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception.idempotency import KEPT_FOR
from ingestion.runs.job import Ending, Work
from ingestion.runs.lease import Lease, Tally

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato


@dataclass(frozen=True)
class PurgeOptions:
    """``raw_days``: of loaded rows and of the queue's successes; ``run_days``: of ended runs."""

    raw_days: int
    run_days: int
    chunk_size: int = 2000


class Old(NamedTuple):
    """What is past its days at one moment; the batches also where rows of them are left."""

    rows: QuerySet[RawOperazione]
    batches: QuerySet[LottoRicevuto]
    runs: QuerySet[EsecuzioneEtl]
    tasks: QuerySet[Success]

    @classmethod
    def at(cls, now: datetime, options: PurgeOptions) -> "Old":
        before = now - timedelta(days=options.raw_days)
        # A raw row names its run; and lateness counts from the last success of each kind.
        named = RawOperazione.objects.filter(esecuzione=OuterRef("pk"))
        kept = EsecuzioneEtl.objects.succeeded().values("tipo").annotate(last=Max("pk"))
        ended = EsecuzioneEtl.objects.filter(finita_il__lt=now - timedelta(days=options.run_days))
        return cls(
            RawOperazione.objects.filter(
                stato=RawOperazione.Stato.PROCESSED, elaborato_il__lt=before
            ),
            # A batch row also answers a request that is sent again.
            LottoRicevuto.objects.filter(ricevuto_il__lt=min(before, now - KEPT_FOR)),
            ended.filter(~Exists(named)).exclude(pk__in=kept.values("last")),
            Success.objects.filter(stopped__lt=before),
        )


@dataclass
class PurgeTally(Tally):
    record: int = 0
    lotti: int = 0
    esecuzioni: int = 0
    lavori: int = 0

    def columns(self) -> dict[str, Any]:
        return {"dettagli": asdict(self)}


class Purge(Work):
    """Deletes what is past its days; one that was stopped is taken up by the next."""

    def __init__(self, options: PurgeOptions) -> None:
        self.options = options
        self.tally: PurgeTally = PurgeTally()

    def do(self, lease: Lease) -> Ending:
        logger.info("purge started", extra=lease.run.log_extra())
        # The limits are taken once: a long purge does not chase the clock.
        now = timezone.now()
        size, today = self.options.chunk_size, timezone.localdate(now)
        old = Old.at(now, self.options)
        steps: dict[str, Callable[[], int]] = {
            "record": lambda: _delete_rows(old.rows, today, size),
            "lotti": lambda: _delete_batches(old.batches, today, size),
            "esecuzioni": lambda: _delete_chunk(old.runs, size),
            "lavori": lambda: _delete_chunk(old.tasks, size),
        }
        for counter, delete_some in steps.items():
            while deleted := lease.retry(delete_some):
                lease.add(PurgeTally(**{counter: deleted}))
                lease.beat()
        return self._ending(Stato.OK, "")

    def stopped(self, stato: str, reason: str) -> Ending:
        return self._ending(Stato.ERRORE, "Pulizia interrotta: la prossima la riprende. ")

    def _ending(self, stato: str, told: str) -> Ending:
        tally = self.tally
        told += (
            f"Eliminati {tally.record} record, {tally.lotti} lotti, {tally.esecuzioni} esecuzioni."
        )
        return Ending(stato, told, f"purge ended {stato} {asdict(tally)}")


def preview(options: PurgeOptions) -> PurgeTally:
    """What a purge would delete now, writing nothing."""
    old = Old.at(timezone.now(), options)
    # Batches that this very purge would empty count too.
    left = RawOperazione.objects.filter(lotto=OuterRef("pk")).exclude(pk__in=old.rows.values("pk"))
    return PurgeTally(
        record=old.rows.count(),
        lotti=old.batches.filter(~Exists(left)).count(),
        esecuzioni=old.runs.count(),
        lavori=old.tasks.count(),
    )


def _delete_rows(old: QuerySet[RawOperazione], today: date, size: int) -> int:
    """Rows that somebody is setting back to PENDING in this moment are passed over."""
    with transaction.atomic(using="default"):
        rows = list(
            old.order_by("elaborato_il")
            .select_for_update(skip_locked=True)
            .values_list("pk", "lotto_id")[:size]
        )
        if not rows:
            return 0
        RawOperazione.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
        batches_by_count: defaultdict[int, list[UUID]] = defaultdict(list)
        for lotto, count in Counter(lotto for _, lotto in rows if lotto).items():
            batches_by_count[count].append(lotto)
        for count, lotti in batches_by_count.items():
            batches = LottoRicevuto.objects.filter(pk__in=lotti)
            batches.update(eliminati=F("eliminati") + count)
        senza_lotto = sum(lotto is None for _, lotto in rows)
        _note(today, record=len(rows), senza_lotto=senza_lotto)
    return len(rows)


def _note(today: date, **counts: int) -> None:
    Eliminazione.objects.get_or_create(giorno=today)
    Eliminazione.objects.filter(giorno=today).update(
        **{name: F(name) + count for name, count in counts.items()}
    )


def _delete_batches(old: QuerySet[LottoRicevuto], today: date, size: int) -> int:
    """Emptied ones; one whose books do not balance stays, for ``verifica`` to tell."""
    rows = RawOperazione.objects.filter(lotto=OuterRef("pk"))
    emptied = old.filter(~Exists(rows), record=F("eliminati")).order_by("ricevuto_il")
    with transaction.atomic(using="default"):
        pks = list(emptied.values_list("pk", flat=True)[:size])
        if not pks:
            return 0
        batches = LottoRicevuto.objects.filter(pk__in=pks)
        deleted = batches.aggregate(all=Sum("eliminati"))["all"]
        batches.delete()
        _note(today, lotti=len(pks), dei_lotti=deleted)
    return len(pks)


def _delete_chunk(old: "QuerySet[EsecuzioneEtl] | QuerySet[Success]", size: int) -> int:
    pks = list(old.order_by("pk").values_list("pk", flat=True)[:size])
    if pks:
        old.filter(pk__in=pks).delete()
    return len(pks)
