"""Reception: one POST body becomes one batch row and its raw rows, all or none."""

import gzip
import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from ingestion import payloads, runs
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione

logger = logging.getLogger("etl")

INSERT_BATCH = 2000
FLOW_HEADERS = {
    "flusso": "x-ms-workflow-name",
    "flusso_esecuzione": "x-ms-workflow-run-id",
    "flusso_operazione": "x-ms-workflow-operation-name",
}


class Receipt(NamedTuple):
    """What reception did: the batch, how many records, and the run queued for them, if any."""

    lotto: UUID
    inseriti: int
    esecuzione: EsecuzioneEtl | None


def store_lotto(
    records: list[dict[str, Any]],
    body: bytes,
    *,
    nome_chiave: str,
    headers: Mapping[str, str],
    request_id: str,
    start_transfer: bool = False,
) -> Receipt:
    """Stores the records in one PostgreSQL transaction; with ``start_transfer`` a run is queued
    in that same transaction. Returns after the commit; any exception means that nothing is stored.
    """
    staged = [payloads.stage(record) for record in records]
    with transaction.atomic(using="default"):
        lotto = LottoRicevuto.objects.create(
            nome_chiave=nome_chiave,
            sha256=hashlib.sha256(body).hexdigest(),
            corpo=gzip.compress(body, compresslevel=1),
            record=len(staged),
            **{field: headers.get(name, "")[:255] for field, name in FLOW_HEADERS.items()},
        )
        RawOperazione.objects.bulk_create(
            (
                RawOperazione(
                    lotto=lotto,
                    indice=index,
                    anomalia=record.anomalia,
                    altri_campi=record.altri_campi,
                    avvisi=record.avvisi,
                    **record.testi,
                )
                for index, record in enumerate(staged)
            ),
            batch_size=INSERT_BATCH,
        )
        esecuzione = None
        if start_transfer and staged:
            esecuzione = runs.enqueue(
                EsecuzioneEtl.Tipo.TRANSFER,
                EsecuzioneEtl.Origine.API,
                avviata_da=nome_chiave,
                request_id=request_id,
            )
    logger.info("batch %s: %s records", lotto.uuid, len(staged), extra={"request_id": request_id})
    return Receipt(lotto.uuid, len(staged), esecuzione)


def requeue(ids: Iterable[int], by: str) -> int:
    """Sets raw rows that are in ERROR back to PENDING, as if never tried; returns how many.

    Rows in any other state stay as they are. ``by``: the user, for the log.
    """
    wanted = list(ids)
    requeued = 0
    with transaction.atomic(using="default"):
        for start in range(0, len(wanted), INSERT_BATCH):
            requeued += RawOperazione.objects.filter(
                id_operazione__in=wanted[start : start + INSERT_BATCH],
                stato=RawOperazione.Stato.ERROR,
            ).update(
                stato=RawOperazione.Stato.PENDING,
                tentativi=0,
                errore_codice=None,
                errore_messaggio=None,
            )
    logger.info("%s rows requeued by %s", requeued, by)
    return requeued
