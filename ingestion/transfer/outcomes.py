"""Marking what became of each claimed row; runs inside the claim's PostgreSQL transaction."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import F

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.failures import reason

logger = logging.getLogger("etl")

Stato = RawOperazione.Stato


def mark_processed(ids: Sequence[int], run: EsecuzioneEtl, now: datetime) -> None:
    RawOperazione.objects.filter(id_operazione__in=ids).update(
        stato=Stato.PROCESSED,
        elaborato_il=now,
        esecuzione=run,
        errore_codice=None,
        errore_messaggio=None,
    )


def mark_refused(refused: Mapping[int, Exception], run: EsecuzioneEtl, now: datetime) -> None:
    """``refused``: of each row that cannot be loaded, the error that says why."""
    for pk, error in refused.items():
        code, sentence = reason(error)
        _mark_error([pk], run, now, code, sentence)
        logger.warning("row %s refused: %s", pk, code, extra=run.log_extra())


def quarantine_killers(run: EsecuzioneEtl, now: datetime, deaths: int = 3) -> int:
    """Rows at whose hands ``deaths`` runs died go to ERROR untried; returns how many."""
    killers = RawOperazione.objects.filter(stato=Stato.PENDING, tentativi__gte=deaths)
    ids = list(killers.values_list("id_operazione", flat=True))
    if ids:
        sentence = f"Il processo si è fermato {deaths} volte mentre trattava questo record."
        _mark_error(ids, run, now, "PROCESSO_TERMINATO", sentence)
        logger.error("rows %s killed %s runs", ids, deaths, extra=run.log_extra())
    return len(ids)


def blame_rows_in_hand(run: EsecuzioneEtl) -> None:
    """Counts a death for each row of the batch in which the run died.

    Those rows are then transferred one by one, so that a row that kills its process is found. A
    batch of several rows held none that was tried before: those go one by one.
    """
    if run.batch_da is None:
        return
    in_hand = (run.batch_da, run.batch_a)
    rows = RawOperazione.objects.filter(stato=Stato.PENDING, id_operazione__range=in_hand)
    if run.batch_da != run.batch_a:
        rows = rows.filter(tentativi=0)
    rows.update(tentativi=F("tentativi") + 1)


def _mark_error(
    ids: Sequence[int], run: EsecuzioneEtl, now: datetime, code: str, sentence: str
) -> None:
    RawOperazione.objects.filter(id_operazione__in=ids).update(
        stato=Stato.ERROR,
        elaborato_il=now,
        esecuzione=run,
        errore_codice=code,
        errore_messaggio=sentence,
    )
