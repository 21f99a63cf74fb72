"""How a run is answered over HTTP: 200 when it ended in time, else 202 with where to follow it."""

import threading
import time
from typing import Any

from django.conf import settings
from django.core import signing
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from etlportal.api.errors import RunFailed
from ingestion.models import EsecuzioneEtl
from ingestion.runs.listing import as_json
from ingestion.runs.queue import close_if_gone, enqueue, living_run

POLL_AFTER_SECONDS = 5
MOST_WAITING = 8  # callers of one process, at the same time
LOCATION_SALT = "esecuzione"
# As long as the answer that carries it may be given again (``idempotency.KEPT_FOR``), and a day
# more for the run to be followed to its end.
LOCATION_VALID_SECONDS = 31 * 24 * 3600

_waiting = threading.BoundedSemaphore(MOST_WAITING)

Stato = EsecuzioneEtl.Stato


def caller(request: Request) -> tuple[str, str]:
    """Who sent a request: the name of the key, and the request's id."""
    client: Any = request.user
    return client.nome, getattr(request._request, "request_id", "")


def accepted(request: Request, run: EsecuzioneEtl, **members: Any) -> Response:
    """202 with the run and an absolute, signed ``Location`` to follow it without the key."""
    token = signing.dumps(run.pk, salt=LOCATION_SALT)
    headers = {
        "Location": reverse("esecuzione", kwargs={"token": token}, request=request),
        "Retry-After": str(POLL_AFTER_SECONDS),
    }
    return Response({**members, "esecuzione": as_json(run)}, status=202, headers=headers)


def run_named_by(token: str) -> EsecuzioneEtl | None:
    """The run of a ``Location``; None if the token is forged, expired or names none."""
    try:
        pk = signing.loads(token, salt=LOCATION_SALT, max_age=LOCATION_VALID_SECONDS)
    except signing.BadSignature:
        return None
    return EsecuzioneEtl.objects.filter(pk=pk).first()


def start_and_answer(request: Request, tipo: str) -> Response:
    """Queues a run of this kind and answers with it; one that is active is answered instead."""
    active = living_run(tipo, settings.RUN_DEAD_AFTER)
    if active:
        message = f"L'esecuzione {active.pk} è già in corso."
        return accepted(request, active, message=message, gia_in_esecuzione=True)
    nome_chiave, request_id = caller(request)
    run = enqueue(tipo, EsecuzioneEtl.Origine.API, avviata_da=nome_chiave, request_id=request_id)
    # Each caller who waits holds a thread and its connection; one too many gets 202 at once.
    may_wait = "respond-async" not in request.headers.get("Prefer", "")
    if may_wait and _waiting.acquire(blocking=False):
        deadline = time.monotonic() + settings.RUN_WAIT_SECONDS
        try:
            while run.stato not in EsecuzioneEtl.ENDED and time.monotonic() < deadline:
                time.sleep(0.2)
                run.refresh_from_db()
                close_if_gone(run, settings.RUN_DEAD_AFTER, timezone.now())
        finally:
            _waiting.release()
    return answer(request, run)


def answer(request: Request, run: EsecuzioneEtl) -> Response:
    """The run as it stands: 200 when it ended, 422 when it failed, else 202. One whose process is
    gone is closed first.
    """
    close_if_gone(run, settings.RUN_DEAD_AFTER, timezone.now())
    if run.stato in EsecuzioneEtl.FAILED:
        raise RunFailed(messaggio=run.messaggio)
    if run.stato not in EsecuzioneEtl.ENDED:
        state = "in coda" if run.stato == Stato.IN_CODA else "in corso"
        return accepted(request, run, message=f"L'esecuzione {run.pk} è {state}.")
    updated = run.tipo == run.Tipo.ORDINI and run.stato == Stato.OK
    message = "Ordine aggiornato con successo" if updated else run.messaggio
    return Response({"message": message, **run.dettagli, "esecuzione": as_json(run)})
