"""The purge: loaded raw rows past their days go, and the books still balance (reliability.md).

In small transactions, each of which deletes rows and writes how many in the same moment: a purge
that is killed is taken up by the next one where it stood. PENDING and ERROR rows are never
deleted, nor a batch of which one row is left.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet, Sum
from django.utils import timezone
from django_q.models import Success

from ingestion import runs
from ingestion.models import Eliminazione, EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception.idempotency import KEPT_FOR
from ingestion.watch.health import SUCCEEDED

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato


@dataclass(frozen=True)
class Options:
    """``raw_days``: of loaded rows and of the queue's successes; ``run_days``: of ended runs."""

    raw_days: int
    run_days: int
    chunk_size: int = 2000

    def rows_before(self, now: datetime) -> datetime:
        return now - timedelta(days=self.raw_days)

    def batches_before(self, now: datetime) -> datetime:
        """A batch row also answers a request that is sent again."""
        return min(self.rows_before(now), now - KEPT_FOR)

    def runs_before(self, now: datetime) -> datetime:
        return now - timedelta(days=self.run_days)


@dataclass
class Tally:
    record: int = 0
    lotti: int = 0
    esecuzioni: int = 0
    lavori: int = 0


Progress = Callable[[Tally], None]
Step = Callable[[int], int]
"""``step(size)`` deletes at most so many rows in one transaction; returns how many."""


def purge(
    run: EsecuzioneEtl, options: Options, on_progress: Progress | None = None
) -> EsecuzioneEtl:
    """Deletes what is past its days, for a run that is IN_CORSO, and closes the run.

    Never raises for what a plant must expect; the run says it, and the next purge goes on.
    """
    tally = Tally()
    logger.info("purge started", extra=runs.marks(run))
    try:
        for name, step in _steps(options, timezone.now()).items():
            while deleted := runs.persistently(run, partial(step, options.chunk_size)):
                setattr(tally, name, getattr(tally, name) + deleted)
                runs.beat(run, dettagli=asdict(tally))
                if on_progress:
                    on_progress(tally)
    except runs.LeaseLost:
        logger.error("purge stopped: another run took over", extra=runs.marks(run))
        run.refresh_from_db()
        return run
    except Exception as error:  # noqa: BLE001 - whatever happens, the run row must tell it
        runs.stopped_because(error, run)
        return _close(run, Stato.ERRORE, tally, "Pulizia interrotta: la prossima la riprende. ")
    return _close(run, Stato.OK, tally, "")


def _close(run: EsecuzioneEtl, stato: str, tally: Tally, told: str) -> EsecuzioneEtl:
    told += f"Eliminati {tally.record} record, {tally.lotti} lotti, {tally.esecuzioni} esecuzioni."
    EsecuzioneEtl.objects.filter(pk=run.pk).update(dettagli=asdict(tally))
    runs.finish(run, stato, told)
    logger.info("purge ended %s %s", stato, asdict(tally), extra=runs.marks(run))
    return run


def preview(options: Options) -> Tally:
    """What a purge would delete now, writing nothing."""
    now = timezone.now()
    before = options.rows_before(now)
    # Batches that this very purge would empty count too.
    left = RawOperazione.objects.filter(lotto=OuterRef("pk")).exclude(
        pk__in=_old_rows(before).values("pk")
    )
    return Tally(
        record=_old_rows(before).count(),
        lotti=LottoRicevuto.objects.filter(
            ~Exists(left), ricevuto_il__lt=options.batches_before(now)
        ).count(),
        esecuzioni=_old_runs(options.runs_before(now)).count(),
        lavori=_old_tasks(before).count(),
    )


def _steps(options: Options, now: datetime) -> dict[str, Step]:
    """By the tally's member. The limits are taken once: a long purge does not chase the clock."""
    before = options.rows_before(now)
    today = timezone.localdate(now)
    return {
        "record": partial(_delete_rows, before, today),
        "lotti": partial(_delete_batches, options.batches_before(now), today),
        "esecuzioni": partial(_delete_chunk, _old_runs(options.runs_before(now))),
        "lavori": partial(_delete_chunk, _old_tasks(before)),
    }


# --- Rows -----------------------------------------------------------------------------------


def _old_rows(before: datetime) -> QuerySet[RawOperazione]:
    return RawOperazione.objects.filter(
        stato=RawOperazione.Stato.PROCESSED, elaborato_il__lt=before
    )


def _delete_rows(before: datetime, today: date, size: int) -> int:
    """Rows that somebody is setting back to PENDING in this moment are passed over."""
    with transaction.atomic(using="default"):
        rows = list(
            _old_rows(before)
            .order_by("elaborato_il")
            .select_for_update(skip_locked=True)
            .values_list("pk", "lotto_id")[:size]
        )
        if not rows:
            return 0
        RawOperazione.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
        _note_on_batches(Counter(lotto for _, lotto in rows if lotto))
        senza_lotto = sum(lotto is None for _, lotto in rows)
        _note(today, record=len(rows), senza_lotto=senza_lotto)
    return len(rows)


def _note_on_batches(deleted: Counter[UUID]) -> None:
    batches_by_count: defaultdict[int, list[UUID]] = defaultdict(list)
    for uuid, count in deleted.items():
        batches_by_count[count].append(uuid)
    for count, uuids in batches_by_count.items():
        LottoRicevuto.objects.filter(pk__in=uuids).update(eliminati=F("eliminati") + count)


def _note(today: date, **counts: int) -> None:
    Eliminazione.objects.get_or_create(giorno=today)
    Eliminazione.objects.filter(giorno=today).update(
        **{name: F(name) + count for name, count in counts.items()}
    )


# --- Batches, runs, tasks -------------------------------------------------------------------


def _old_batches(before: datetime) -> QuerySet[LottoRicevuto]:
    """Emptied ones; one whose books do not balance stays, for ``verifica`` to tell."""
    rows = RawOperazione.objects.filter(lotto=OuterRef("pk"))
    return LottoRicevuto.objects.filter(
        ~Exists(rows), ricevuto_il__lt=before, record=F("eliminati")
    )


def _delete_batches(before: datetime, today: date, size: int) -> int:
    with transaction.atomic(using="default"):
        old = list(_old_batches(before).order_by("ricevuto_il").values_list("pk", flat=True)[:size])
        if not old:
            return 0
        batches = LottoRicevuto.objects.filter(pk__in=old)
        deleted = batches.aggregate(all=Sum("eliminati"))["all"]
        batches.delete()
        _note(today, lotti=len(old), dei_lotti=deleted)
    return len(old)


def _old_runs(before: datetime) -> QuerySet[EsecuzioneEtl]:
    """Ended runs that no raw row names; the last success of each kind stays: lateness counts
    from it.
    """
    kept = EsecuzioneEtl.objects.filter(SUCCEEDED).values("tipo").annotate(last=Max("pk"))
    rows = RawOperazione.objects.filter(esecuzione=OuterRef("pk"))
    return EsecuzioneEtl.objects.filter(~Exists(rows), finita_il__lt=before).exclude(
        pk__in=kept.values("last")
    )


def _old_tasks(before: datetime) -> QuerySet[Success]:
    tasks: QuerySet[Success] = Success.objects.filter(stopped__lt=before)
    return tasks


def _delete_chunk(old: "QuerySet[EsecuzioneEtl] | QuerySet[Success]", size: int) -> int:
    pks = list(old.order_by("pk").values_list("pk", flat=True)[:size])
    if pks:
        old.model._default_manager.filter(pk__in=pks).delete()
    return len(pks)
