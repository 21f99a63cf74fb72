"""Reception: one POST body becomes one batch row and its raw rows, all or none, once."""

import gzip
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from etlportal.audit.record import Actor, record
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import idempotency, payloads
from ingestion.reception.idempotency import Answer, Mark
from ingestion.runs.queue import enqueue

logger = logging.getLogger("etl")

INSERT_BATCH = 2000
# Each try is lost only to a request that was stored, or given up, in that very moment.
MAX_TRIES = 5
FLOW_HEADERS = {
    "flusso": "x-ms-workflow-name",
    "flusso_esecuzione": "x-ms-workflow-run-id",
    "flusso_operazione": "x-ms-workflow-operation-name",
}


class Post(NamedTuple):
    """What was sent, by whom. ``start_transfer``: a run is to be queued for its records."""

    records: list[dict[str, Any]]
    body: bytes
    nome_chiave: str
    headers: Mapping[str, str]
    request_id: str
    start_transfer: bool = False


class Receipt(NamedTuple):
    """What reception did: the batch, how many records it has, how many of them were stored now,
    and the run queued for them, if any. ``duplicato``: the batch was here already.
    """

    lotto: UUID
    ricevuti: int
    inseriti: int
    esecuzione: EsecuzioneEtl | None
    duplicato: bool = False


class Reply(NamedTuple):
    """The answer to send; ``ripetuta``: nothing was stored, an earlier request had done it."""

    answer: Answer
    ripetuta: bool


Encode = Callable[[Receipt], Answer]


class _MarkTaken(IntegrityError):
    """Another request with this mark was stored while we waited for it."""


def receive(post: Post, dedup: timedelta, encode: Encode) -> Reply:
    """Stores the records unless an earlier request did, and returns what to answer.

    The answer is stored in the transaction of the rows. A twin that arrives meanwhile waits for
    that transaction and gets the same answer. ``dedup``: see ``idempotency.mark_of``. Raises
    ``ApiError`` for a bad or reused key; any exception means that nothing is stored.
    """
    sha256 = hashlib.sha256(post.body).hexdigest()
    # No records, nothing to double: equal bodies say nothing.
    mark = idempotency.mark_of(post.headers, sha256, dedup if post.records else timedelta(0))
    tries = MAX_TRIES
    while True:
        now = timezone.now()
        if mark and (first := idempotency.first_of(post.nome_chiave, mark, sha256, now)):
            return _replay(first, mark, post, encode)
        try:
            with transaction.atomic(using="default"):
                if mark:
                    idempotency.forget_expired(post.nome_chiave, mark, now)
                receipt = _store(post, sha256, mark)
                answer = encode(receipt)._replace(trasferisce=post.start_transfer)
                rows = LottoRicevuto.objects.filter(pk=receipt.lotto)
                rows.update(risposta=answer._asdict())
                return Reply(answer, ripetuta=False)
        except _MarkTaken:
            tries -= 1
            if mark is None or not tries:
                raise


def _replay(first: LottoRicevuto, mark: Mark, post: Post, encode: Encode) -> Reply:
    """The first answer again. What is known by its bytes alone, or was first sent to the other
    endpoint, is only said to be a duplicate.
    """
    logger.info("batch %s: sent again", first.uuid, extra={"request_id": post.request_id})
    answer = Answer(**first.risposta) if first.risposta else None  # it may have come by no request
    if answer and not mark.per_corpo and answer.trasferisce == post.start_transfer:
        return Reply(answer, ripetuta=True)
    run = None
    if post.start_transfer:  # the run queued for the batch; a new one if none was, or it failed
        queued = EsecuzioneEtl.objects.filter(pk=(answer and answer.esecuzione) or 0)
        run = queued.exclude(stato__in=EsecuzioneEtl.FAILED).first() or _enqueue(post)
    receipt = Receipt(first.uuid, first.record, 0, run, duplicato=True)
    return Reply(encode(receipt), ripetuta=True)


def store_lotto(post: Post) -> Receipt:
    """Stores the records in one PostgreSQL transaction, whether or not they were sent before.

    Returns after the commit; any exception means that nothing is stored.
    """
    with transaction.atomic(using="default"):
        return _store(post, hashlib.sha256(post.body).hexdigest(), None)


def _store(post: Post, sha256: str, mark: Mark | None) -> Receipt:
    """The batch row comes first: a twin of this request then waits before it does any work."""
    count = len(post.records)
    flow = {field: post.headers.get(name, "")[:255] for field, name in FLOW_HEADERS.items()}
    try:
        lotto = LottoRicevuto.objects.create(
            nome_chiave=post.nome_chiave,
            chiave_idempotenza=mark and mark.valore,
            sha256=sha256,
            corpo=gzip.compress(post.body, compresslevel=1),
            record=count,
            request_id=post.request_id[:100],
            **flow,
        )
    except IntegrityError as error:
        raise _MarkTaken from error
    rows = [
        RawOperazione(
            lotto=lotto,
            indice=index,
            anomalia=record.anomalia,
            altri_campi=record.altri_campi,
            avvisi=record.avvisi,
            **record.testi,
        )
        for index, record in enumerate([payloads.stage(record) for record in post.records])
    ]
    RawOperazione.objects.bulk_create(rows, batch_size=INSERT_BATCH)
    run = _enqueue(post) if post.start_transfer and count else None
    ids = {"request_id": post.request_id}
    transaction.on_commit(
        lambda: logger.info("batch %s: %s records", lotto.uuid, count, extra=ids), using="default"
    )
    return Receipt(lotto.uuid, count, count, run)


def _enqueue(post: Post) -> EsecuzioneEtl:
    return enqueue(
        EsecuzioneEtl.Tipo.TRANSFER,
        EsecuzioneEtl.Origine.API,
        avviata_da=post.nome_chiave,
        request_id=post.request_id,
    )


def requeue(ids: Iterable[int], by: Actor, chosen: str = "") -> int:
    """Sets raw rows that are in ERROR back to PENDING, as if never tried; returns how many.

    Rows in any other state stay as they are; one that was set aside is so no more. ``chosen``:
    what the audit trail names in place of the ids. Raises what the audit trail raises when it
    cannot be written; then nothing is done.
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
                scartato_da=None,
                scartato_il=None,
                scartato_motivo=None,
            )
        if requeued:
            on = f"raw_operazione: {chosen or ', '.join(map(str, wanted))}"
            record("record.rimessi_in_coda", by, on, {"record": requeued})
    logger.info("%s rows requeued by %s", requeued, by)
    return requeued


def discard(ids: Iterable[int], *, reason: str, by: Actor, now: datetime) -> list[int]:
    """Sets aside raw rows in ERROR, which no longer wait for anybody; returns which.

    Rows in any other state, or set aside already, stay as they are. ``requeue`` takes a row back.
    Raises what the audit trail raises when it cannot be written; then nothing is done.
    """
    with transaction.atomic(using="default"):
        rows = RawOperazione.objects.rejected().filter(id_operazione__in=list(ids))
        found = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
        if found:
            RawOperazione.objects.filter(pk__in=found).update(
                scartato_da=by.name, scartato_il=now, scartato_motivo=reason
            )
            on = f"raw_operazione: {', '.join(map(str, found))}"
            record("record.scartati", by, on, {"record": found, "motivo": reason})
    logger.info("%s rows set aside by %s", len(found), by)
    return found
