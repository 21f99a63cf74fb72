"""How a run is answered over HTTP: 200 when it ended in time, else 202 with where to follow it."""

import threading
import time
from typing import Any, NamedTuple

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone
from django.utils.encoding import force_str
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from etlportal.api.errors import RunFailed
from ingestion.models import EsecuzioneEtl
from ingestion.reception.idempotency import Answer
from ingestion.runs.listing import as_json
from ingestion.runs.queue import close_if_gone, enqueue
from ingestion.runs.start import living_run

POLL_AFTER_SECONDS = 5
KEPT_HEADERS = ("Location", "Retry-After")
JSON_TYPE = "application/json; charset=utf-8"
MOST_WAITING = 8  # callers of one process, at the same time
LOCATION_SALT = "esecuzione"
# As long as the answer that carries it may be given again (``idempotency.KEPT_FOR``), and a day
# more for the run to be followed to its end.
LOCATION_VALID_SECONDS = 31 * 24 * 3600

_waiting = threading.BoundedSemaphore(MOST_WAITING)

Stato = EsecuzioneEtl.Stato


class Caller(NamedTuple):
    """Who sent a request: the name of the key, and the request's id."""

    nome: str
    request_id: str


def caller(request: Request) -> Caller:
    client: Any = request.user
    return Caller(client.nome, getattr(request._request, "request_id", ""))


def accepted(request: Request, run: EsecuzioneEtl, **members: Any) -> Response:
    """202 with the run and an absolute, signed ``Location`` to follow it without the key."""
    token = signing.dumps(run.pk, salt=LOCATION_SALT)
    headers = {
        "Location": reverse("esecuzione", kwargs={"token": token}, request=request),
        "Retry-After": str(POLL_AFTER_SECONDS),
    }
    return Response({**members, "esecuzione": as_json(run)}, status=202, headers=headers)


def frozen(request: Request, response: Response, run: EsecuzioneEtl | None = None) -> Answer:
    """The answer as it will leave, to be stored; ``run`` is the one that it names."""
    body = force_str(request.accepted_renderer.render(response.data))
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    return Answer(response.status_code, headers, body, run.pk if run else None)


def thawed(answer: Answer, *, repeated: bool) -> HttpResponse:
    """A stored answer, byte for byte; ``repeated``: to a request that was answered before."""
    response = HttpResponse(
        answer.corpo, JSON_TYPE, status=answer.stato, headers=answer.intestazioni
    )
    if repeated:
        response["Idempotency-Replayed"] = "true"
    return response


def run_named_by(token: str) -> EsecuzioneEtl | None:
    """The run of a ``Location``; None if the token is forged, expired or names none."""
    try:
        pk = signing.loads(token, salt=LOCATION_SALT, max_age=LOCATION_VALID_SECONDS)
    except signing.BadSignature:
        return None
    return EsecuzioneEtl.objects.filter(pk=pk).first()


def ended(run: EsecuzioneEtl) -> Response:
    """200 with the run, or 422 if it failed: what a poll ends with."""
    if run.stato in EsecuzioneEtl.FAILED:
        raise RunFailed(messaggio=run.messaggio)
    updated = run.tipo == run.Tipo.ORDINI and run.stato == Stato.OK
    message = "Ordine aggiornato con successo" if updated else run.messaggio
    return Response({"message": message, **run.dettagli, "esecuzione": as_json(run)})


def start_and_answer(request: Request, tipo: str, wait_seconds: float) -> Response:
    """Queues a run of this kind and answers with it; one that is active is answered instead."""
    active = living_run(tipo, settings.RUN_DEAD_AFTER)
    if active:
        message = f"L'esecuzione {active.pk} è già in corso."
        return accepted(request, active, message=message, gia_in_esecuzione=True)
    by = caller(request)
    run = enqueue(tipo, EsecuzioneEtl.Origine.API, avviata_da=by.nome, request_id=by.request_id)
    if "respond-async" not in request.headers.get("Prefer", ""):
        _wait_if_few_do(run, wait_seconds)
    return answer(request, run)


def answer(request: Request, run: EsecuzioneEtl) -> Response:
    """The run as it stands: ended, or 202. One whose process is gone is closed first."""
    close_if_gone(run, settings.RUN_DEAD_AFTER, timezone.now())
    if run.stato in EsecuzioneEtl.ENDED:
        return ended(run)
    state = "in coda" if run.stato == Stato.IN_CODA else "in corso"
    return accepted(request, run, message=f"L'esecuzione {run.pk} è {state}.")


def _wait_if_few_do(run: EsecuzioneEtl, seconds: float) -> None:
    """Each caller who waits holds a thread and its connection; one too many gets 202 at once."""
    if not _waiting.acquire(blocking=False):
        return
    try:
        _wait_for(run, seconds)
    finally:
        _waiting.release()


def _wait_for(run: EsecuzioneEtl, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.stato not in EsecuzioneEtl.ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
        run.refresh_from_db()
        close_if_gone(run, settings.RUN_DEAD_AFTER, timezone.now())
