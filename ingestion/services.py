"""Reception: one POST body becomes one batch row and its raw rows, all or none."""

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from ingestion import payloads, runs
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione

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
    return Receipt(lotto.uuid, len(staged), esecuzione)
