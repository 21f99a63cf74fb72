"""Claiming pending rows of ``raw_operazione``, oldest first; two workers never share one."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Max, QuerySet

from ingestion.models import RawOperazione
from ingestion.transfer.records import RawRecord

Stato = RawOperazione.Stato


class Span(NamedTuple):
    """A range of raw ids, both ends included; ``tried`` rows were in hand when a run died."""

    first: int
    last: int
    tried: bool


def last_id() -> int:
    """The newest raw id: a run's scope ends here, so that it ends at all."""
    return RawOperazione.objects.aggregate(n=Max("id_operazione"))["n"] or 0


def count_pending(scope_end: int) -> int:
    return RawOperazione.objects.filter(stato=Stato.PENDING, id_operazione__lte=scope_end).count()


def spans(scope_end: int, batch_size: int, limit: int | None) -> Iterator[Span]:
    """Pending ids up to ``scope_end`` in spans of ``batch_size``, then one by one those that
    were in hand when a run died. At most ``limit`` rows in all; None = no limit.
    """
    left = limit
    for tried, size in ((False, batch_size), (True, 1)):
        first = 0
        while left is None or left > 0:
            waiting = _pending(Span(first, scope_end, tried))
            most = size if left is None else min(size, left)
            ids = list(waiting.values_list("id_operazione", flat=True)[:most])
            if not ids:
                break
            yield Span(ids[0], ids[-1], tried)
            first = ids[-1] + 1
            if left is not None:
                left -= len(ids)


def claim(span: Span) -> list[RawRecord]:
    """The span's rows that are still pending, locked until the transaction ends.

    Rows that another worker holds are passed over: they are its own.
    """
    return as_records(_pending(span).select_for_update(skip_locked=True))


def peek(span: Span) -> list[RawRecord]:
    """The same rows, unlocked: for a dry run."""
    return as_records(_pending(span))


def as_records(rows: QuerySet[RawOperazione]) -> list[RawRecord]:
    return [RawRecord._make(row) for row in rows.values_list(*RawRecord._fields)]


def _pending(span: Span) -> QuerySet[RawOperazione]:
    """The span's pending rows, oldest first."""
    rows = RawOperazione.objects.filter(
        stato=Stato.PENDING, id_operazione__range=(span.first, span.last)
    ).order_by("id_operazione")
    return rows.filter(tentativi__gt=0) if span.tried else rows.filter(tentativi=0)
