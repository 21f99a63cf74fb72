"""The endpoints of the main job: each decodes, makes one call and encodes."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.encoding import force_str
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.api.errors import JSON_TYPE, WrongParameter
from ingestion.models import EsecuzioneEtl
from ingestion.reception import payloads, store
from ingestion.reception.idempotency import Answer
from ingestion.runs import answers, listing
from ingestion.watch import anomaly_feed, status

KEPT_HEADERS = ("Location", "Retry-After")
MAX_DIGITS = 18
RUNS_ON_A_PAGE = 50
MOST_RUNS_ON_A_PAGE = 500
# When to ask for new anomalies again: when all were read, and when more are waiting.
ANOMALIES_AFTER_SECONDS = 60
MORE_AFTER_SECONDS = 5


class InsertPostgres(APIView):
    """Stores what is posted, once, and sends the answer that is stored with it."""

    scope = "flusso"
    start_transfer = False

    def post(self, request: Request) -> HttpResponse:
        body: Any = request.data  # the JSON and its bytes, from the parser in settings
        if isinstance(body, dict):  # DRF's stand-in for a body of no bytes
            raise payloads.missing_body(request.headers)
        nome_chiave, request_id = answers.caller(request)
        post = store.Post(
            records=payloads.records_in(body.json, settings.MAX_RECORDS),
            body=body.bytes,
            nome_chiave=nome_chiave,
            headers=request.headers,
            request_id=request_id,
            start_transfer=self.start_transfer,
        )
        dedup = timedelta(minutes=settings.DEDUP_MINUTI)
        reply = store.receive(post, dedup, lambda receipt: self.encode(request, receipt))
        stored = reply.answer
        response = HttpResponse(
            stored.corpo, JSON_TYPE, status=stored.stato, headers=stored.intestazioni
        )
        if reply.ripetuta:
            response["Idempotency-Replayed"] = "true"
        return response

    def encode(self, request: Request, receipt: store.Receipt) -> Answer:
        """The answer as it will leave, to be stored."""
        run = receipt.esecuzione
        counts = {
            "lotto": str(receipt.lotto),
            "ricevuti": receipt.ricevuti,
            "inseriti": receipt.inseriti,
            "duplicato": receipt.duplicato,
        }
        if run:
            response = answers.accepted(request, run, status="ETL avviato.", **counts)
        elif self.start_transfer:
            response = Response({"status": "Nessun record da trasferire.", **counts})
        else:
            message = "Dati inseriti con successo in PostgreSQL."
            response = Response({"message": message, **counts})
        body = force_str(request.accepted_renderer.render(response.data))
        headers = {name: response[name] for name in KEPT_HEADERS if name in response}
        return Answer(response.status_code, headers, body, run.pk if run else None)


class RunEtl(InsertPostgres):
    """The same, and a transfer is queued for what was stored."""

    start_transfer = True


class ProcessTransfer(APIView):
    scope = "flusso"

    def post(self, request: Request) -> Response:
        return answers.start_and_answer(request, EsecuzioneEtl.Tipo.TRANSFER)


class RunByToken(APIView):
    """The state of one run, for whoever holds its signed address; no key, read-only."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, token: str) -> Response:
        run = answers.run_named_by(token)
        if run is None:
            raise Http404
        return answers.answer(request, run)


class Status(APIView):
    # A connector tries its connection here, whatever its key is for.
    scope = ("flusso", "lettura", "manutenzione")

    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("esecuzione")
        if wanted is None:
            return Response(status.overview())
        # Python refuses to convert thousands of digits.
        is_number = wanted.isdecimal() and len(wanted) <= MAX_DIGITS
        run = EsecuzioneEtl.objects.filter(pk=wanted).first() if is_number else None
        if run is None:
            raise Http404
        return Response({"esecuzione": listing.as_json(run)})


class Actions(APIView):
    """The runs, newest first. ``failed``: only those that ended badly or left records behind."""

    scope = "lettura"
    failed = False

    def get(self, request: Request) -> Response:
        limit = _number(request, "limite", MOST_RUNS_ON_A_PAGE) or RUNS_ON_A_PAGE
        before = _number(request, "prima_di")
        runs = EsecuzioneEtl.objects.order_by("-pk")
        if self.failed:
            runs = runs.failed()
        if before is not None:
            runs = runs.filter(pk__lt=before)
        found = list(runs[: limit + 1])
        page = found[:limit]
        answer = Response([listing.as_json(run) for run in page])
        if len(found) > limit:
            query = urlencode({"prima_di": page[-1].pk, "limite": limit})
            answer["Link"] = f'<{request.build_absolute_uri(request.path)}?{query}>; rel="next"'
        return answer


class FailedActions(Actions):
    failed = True


class NewAnomalies(APIView):
    """What a flow's polling trigger asks: 200 with what is new, or 202; then ``Location``."""

    scope = ("flusso", "lettura")

    def head(self, request: Request) -> Response:
        """To look numbers the anomalies that it sees; a HEAD does nothing."""
        return Response()

    def get(self, request: Request) -> Response:
        page = anomaly_feed.read(request.query_params.get("dopo", ""), timezone.now())
        query = f"?{urlencode({'dopo': page.prossimo})}" if page.prossimo else ""
        wait = MORE_AFTER_SECONDS if page.more else ANOMALIES_AFTER_SECONDS
        return Response(
            {"anomalie": page.anomalie, "prossimo": page.prossimo},
            status=200 if page.anomalie else 202,
            headers={
                "Location": request.build_absolute_uri(request.path) + query,
                "Retry-After": str(wait),
            },
        )


def _number(request: Request, name: str, most: int = 10**MAX_DIGITS - 1) -> int | None:
    """A query parameter that is a whole number from 1 to ``most``; None if it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return None
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
    if not is_number or not 1 <= int(text) <= most:
        wrong = {"campo": name, "messaggio": "Numero non valido."}
        raise WrongParameter([wrong], name=name, most=most)
    return int(text)
