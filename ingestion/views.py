"""The endpoints of the main job: each decodes, makes one call and encodes."""

from typing import Any

from django.conf import settings
from django.http import Http404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion import payloads, run_answers, runs, services, status
from ingestion.models import EsecuzioneEtl

MAX_DIGITS = 20


def _store(request: Request, *, start_transfer: bool) -> services.Receipt:
    body: Any = request.data  # the JSON and its bytes, from the parser in settings
    if isinstance(body, dict):  # DRF's stand-in for a body of no bytes
        raise payloads.InvalidPayload(
            "json_non_valido", "Il corpo è vuoto: serve un elenco JSON di operazioni."
        )
    records = payloads.records_in(body.json, settings.MAX_RECORDS)
    by = run_answers.caller(request)
    return services.store_lotto(
        records,
        body.bytes,
        nome_chiave=by.nome,
        headers=request.headers,
        request_id=by.request_id,
        start_transfer=start_transfer,
    )


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
        return run_answers.accepted(
            request,
            receipt.esecuzione,
            status="ETL avviato.",
            lotto=str(receipt.lotto),
            ricevuti=receipt.inseriti,
        )


class ProcessTransfer(APIView):
    def post(self, request: Request) -> Response:
        return run_answers.start_and_answer(
            request, EsecuzioneEtl.Tipo.TRANSFER, settings.RUN_WAIT_SECONDS
        )


class RunByToken(APIView):
    """The state of one run, for whoever holds its signed address; no key, read-only."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, token: str) -> Response:
        run = run_answers.run_named_by(token)
        if run is None:
            raise Http404
        return run_answers.answer(request, run)


class Status(APIView):
    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("esecuzione")
        if wanted is None:
            return Response(status.overview())
        run = _run_numbered(wanted)
        if run is None:
            raise Http404
        return Response({"esecuzione": runs.as_json(run)})


def _run_numbered(text: str) -> EsecuzioneEtl | None:
    """The run of that number as text; Python refuses to convert thousands of digits."""
    is_number = text.isdecimal() and len(text) < MAX_DIGITS
    return EsecuzioneEtl.objects.filter(pk=text).first() if is_number else None
