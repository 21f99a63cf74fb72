"""Marking what became of each claimed row; runs inside the claim's PostgreSQL transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ingestion import runs
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.failures import reason

logger = logging.getLogger("etl")


class Refusal(NamedTuple):
    """A raw row that cannot be loaded, and the error that says why."""

    id_operazione: int
    error: Exception


def mark_processed(ids: Sequence[int], run: EsecuzioneEtl, now: datetime) -> None:
    RawOperazione.objects.filter(id_operazione__in=ids).update(
        stato=RawOperazione.Stato.PROCESSED,
        elaborato_il=now,
        esecuzione=run,
        errore_codice=None,
        errore_messaggio=None,
    )


def mark_refused(refusals: Sequence[Refusal], run: EsecuzioneEtl, now: datetime) -> None:
    for refusal in refusals:
        code, sentence = reason(refusal.error)
        _mark_error([refusal.id_operazione], run, now, code, sentence)
        logger.warning("row %s refused: %s", refusal.id_operazione, code, extra=runs.marks(run))


def quarantine_killers(run: EsecuzioneEtl, now: datetime, deaths: int = 3) -> int:
    """Rows at whose hands ``deaths`` runs died go to ERROR untried; returns how many."""
    ids = list(
        RawOperazione.objects.filter(
            stato=RawOperazione.Stato.PENDING, tentativi__gte=deaths
        ).values_list("id_operazione", flat=True)
    )
    if ids:
        _mark_error(
            ids,
            run,
            now,
            "PROCESSO_TERMINATO",
            f"Il processo si è fermato {deaths} volte mentre trattava questo record.",
        )
        logger.error("rows %s killed %s runs", ids, deaths, extra=runs.marks(run))
    return len(ids)


def _mark_error(
    ids: Sequence[int], run: EsecuzioneEtl, now: datetime, code: str, sentence: str
) -> None:
    RawOperazione.objects.filter(id_operazione__in=ids).update(
        stato=RawOperazione.Stato.ERROR,
        elaborato_il=now,
        esecuzione=run,
        errore_codice=code,
        errore_messaggio=sentence,
    )
