"""What the start page asks of staging and of the runs."""

from datetime import datetime
from typing import NamedTuple

from django.db.models.functions import Coalesce

from ingestion.models import EsecuzioneEtl, RawOperazione

Stato = EsecuzioneEtl.Stato


class RunFigure(NamedTuple):
    """A transfer: ``inizio`` when it began or, in the queue, was asked for.

    ``fine`` is the last moment at which it is known to have worked.
    """

    id: int
    stato: str
    inizio: datetime
    fine: datetime
    caricati: int
    in_errore: int
    rimanenti: int


def last_transfers(number: int) -> list[RunFigure]:
    """The newest transfers, at most so many, oldest first."""
    began = Coalesce("iniziata_il", "creata_il")
    columns = ("pk", "stato", began, "finita_il", "battito_il", *RunFigure._fields[4:])
    transfers = EsecuzioneEtl.objects.filter(tipo=EsecuzioneEtl.Tipo.TRANSFER)
    figures = []
    for pk, stato, start, ended, beat, *counters in reversed(
        transfers.order_by("-pk").values_list(*columns)[:number]
    ):
        # A run found dead is closed much later than it stopped: its heart says when it did.
        known = beat if ended is None or stato == Stato.INTERROTTA else ended
        figures.append(RunFigure(pk, stato, start, max(start, known or start), *counters))
    return figures


def rejected() -> tuple[int, datetime | None]:
    """Rows in ERROR that nobody set aside: how many, and when the oldest was received."""
    rows = RawOperazione.objects.rejected()
    oldest = rows.order_by("pk").values_list("ricevuto_il", flat=True).first()
    return rows.order_by().count(), oldest
