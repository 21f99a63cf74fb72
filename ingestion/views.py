"""The endpoints of the main job: each decodes, makes one call and encodes."""

import time
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import Http404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from ingestion import payloads, runs, services, status
from ingestion.models import EsecuzioneEtl

POLL_AFTER_SECONDS = 5
LOCATION_SALT = "esecuzione"
LOCATION_VALID_SECONDS = 24 * 3600
ENDED = {
    EsecuzioneEtl.Stato.OK,
    EsecuzioneEtl.Stato.PARZIALE,
    EsecuzioneEtl.Stato.ERRORE,
    EsecuzioneEtl.Stato.INTERROTTA,
}
FAILED = {EsecuzioneEtl.Stato.ERRORE, EsecuzioneEtl.Stato.INTERROTTA}


def _store(request: Request, *, start_transfer: bool) -> services.Receipt:
    body = request.data
    if isinstance(body, dict):  # DRF's stand-in for a body of no bytes
        raise payloads.InvalidPayload(
            "json_non_valido", "Il corpo è vuoto: serve un elenco JSON di operazioni."
        )
    records = payloads.records_in(body.json, settings.MAX_RECORDS)
    return services.store_lotto(
        records,
        body.bytes,
        nome_chiave=request.user.nome,
        headers=request.headers,
        request_id=request._request.request_id,
        start_transfer=start_transfer,
    )


def accepted(request: Request, run: EsecuzioneEtl, **members: Any) -> Response:
    """202 with the run and an absolute, signed ``Location`` to follow it without the key."""
    token = signing.dumps(run.pk, salt=LOCATION_SALT)
    headers = {
        "Location": reverse("esecuzione", kwargs={"token": token}, request=request),
        "Retry-After": str(POLL_AFTER_SECONDS),
    }
    return Response({**members, "esecuzione": runs.as_json(run)}, status=202, headers=headers)


class InsertPostgres(APIView):
    def post(self, request: Request) -> Response:
        receipt = _store(request, start_transfer=False)
        return Response(
            {
                "message": "Dati inseriti con successo in PostgreSQL.",
                "lotto": str(receipt.lotto),
                "ricevuti": receipt.inseriti,
                "inseriti": receipt.inseriti,
                "duplicato": False,
            }
        )


class RunEtl(APIView):
    def post(self, request: Request) -> Response:
        receipt = _store(request, start_transfer=True)
        if receipt.esecuzione is None:
            return Response({"status": "Nessun record da trasferire.", "ricevuti": 0})
        return accepted(
            request,
            receipt.esecuzione,
            status="ETL avviato.",
            lotto=str(receipt.lotto),
            ricevuti=receipt.inseriti,
        )


class ProcessTransfer(APIView):
    def post(self, request: Request) -> Response:
        active = runs.active_run(EsecuzioneEtl.Tipo.TRANSFER)
        if active:
            message = "Un trasferimento è già in corso."
            return accepted(request, active, message=message, gia_in_esecuzione=True)
        run = runs.enqueue(
            EsecuzioneEtl.Tipo.TRANSFER,
            EsecuzioneEtl.Origine.API,
            avviata_da=request.user.nome,
            request_id=request._request.request_id,
        )
        if "respond-async" not in request.headers.get("Prefer", ""):
            _wait_for(run, settings.TRANSFER_WAIT_SECONDS)
        if run.stato not in ENDED:
            return accepted(request, run, message="Trasferimento avviato.")
        return ended(run)


def _wait_for(run: EsecuzioneEtl, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.stato not in ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
        run.refresh_from_db()


def ended(run: EsecuzioneEtl) -> Response:
    """200 with the run, or 422 if it failed: what a poll ends with."""
    if run.stato in FAILED:
        raise payloads.InvalidPayload("esecuzione_fallita", run.messaggio, status=422)
    return Response({"message": run.messaggio, "esecuzione": runs.as_json(run)})


class RunByToken(APIView):
    """The state of one run, for whoever holds its signed address; no key, read-only."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, token: str) -> Response:
        try:
            pk = signing.loads(token, salt=LOCATION_SALT, max_age=LOCATION_VALID_SECONDS)
        except signing.BadSignature as error:
            raise Http404 from error
        run = EsecuzioneEtl.objects.filter(pk=pk).first()
        if run is None:
            raise Http404
        if run.stato not in ENDED:
            return accepted(request, run, message="Trasferimento in corso.")
        return ended(run)


class Status(APIView):
    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("esecuzione")
        if wanted is None:
            return Response(status.overview())
        run = EsecuzioneEtl.objects.filter(pk=wanted).first() if wanted.isdecimal() else None
        if run is None:
            raise Http404
        return Response({"esecuzione": runs.as_json(run)})
