"""Setting raw rows back to PENDING: those in ERROR, and those that a restored MySQL has lost."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from etlportal.audit.record import Actor, record
from ingestion.models import RawOperazione
from ingestion.reception import store
from production.models import Operazione

logger = logging.getLogger("etl")

CHUNK = 2000
Stato = RawOperazione.Stato


class Choice(NamedTuple):
    """Which rows in ERROR; the members that are None do not restrict. All None = every row."""

    ids: Sequence[int] | None = None
    lotto: UUID | None = None
    codice: str | None = None

    def __str__(self) -> str:
        """For the audit trail."""
        told = [f"lotto {self.lotto}"] if self.lotto else []
        told += [f"codice {self.codice}"] if self.codice else []
        told += [", ".join(map(str, self.ids))] if self.ids is not None else []
        return "; ".join(told) or "tutti quelli in errore"


def rows_in_error(choice: Choice) -> QuerySet[RawOperazione]:
    """Those that staff set aside with a reason are among them only where named by number."""
    rows: QuerySet[RawOperazione] = RawOperazione.objects.rejected()
    if choice.ids is not None:
        rows = RawOperazione.objects.filter(stato=Stato.ERROR, id_operazione__in=choice.ids)
    if choice.lotto is not None:
        rows = rows.filter(lotto=choice.lotto)
    if choice.codice is not None:
        rows = rows.filter(errore_codice=choice.codice)
    return rows


def requeue(choice: Choice, by: Actor) -> int:
    """Back to PENDING, as if never tried; returns how many."""
    ids = rows_in_error(choice).order_by("pk").values_list("pk", flat=True)
    return store.requeue(ids, by, str(choice))


def lost_by_production() -> Iterator[list[int]]:
    """Ids of PROCESSED rows that are not in MySQL, a few thousand at a time, oldest first."""
    after = 0
    while True:
        rows = list(
            RawOperazione.objects.filter(stato=Stato.PROCESSED, id_operazione__gt=after)
            .order_by("id_operazione")
            .values_list("id_operazione", "uid")[:CHUNK]
        )
        if not rows:
            return
        uids = [uid for _, uid in rows]
        there = Operazione.objects.filter(raw_uid__in=uids).values_list("raw_uid", flat=True)
        loaded = set(there)
        if lost := [pk for pk, uid in rows if uid not in loaded]:
            yield lost
        after = rows[-1][0]


def refill(by: Actor) -> int:
    """Sets back to PENDING what MySQL has lost, for the next transfer; returns how many.

    Killed half-way it is simply run again: what is PENDING already is not looked at any more.
    """
    refilled = 0
    for ids in lost_by_production():
        with transaction.atomic(using="default"):
            on = f"raw_operazione: {ids[0]}-{ids[-1]}"
            record("record.da_mysql_ripristinato", by, on, {"record": len(ids)})
            refilled += RawOperazione.objects.filter(pk__in=ids, stato=Stato.PROCESSED).update(
                stato=Stato.PENDING, tentativi=0, elaborato_il=None
            )
    logger.info("%s rows lost by production requeued by %s", refilled, by)
    return refilled
