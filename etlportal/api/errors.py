"""The one error shape, for every status (contract.md, "HTTP in general").

``{"error": sentence in Italian, "codice": stable code, "dettagli": [...], "request_id": id}``;
never a stack trace, SQL or an exception's own text.
"""

import logging
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.response import Response

from ingestion.payloads import InvalidPayload

logger = logging.getLogger("etl")

RETRY_AFTER_SECONDS = 30
JSON_TYPE = "application/json; charset=utf-8"

SENTENCES = {
    400: ("richiesta_non_valida", "La richiesta non è valida."),
    403: ("permesso_negato", "Questa chiave non ha il permesso per l'operazione richiesta."),
    404: ("non_trovato", "Questo indirizzo non esiste."),
    405: ("metodo_non_ammesso", "Questo indirizzo non accetta il metodo usato."),
    500: ("errore_interno", "Errore interno: riprovare; se continua, avvisare la manutenzione."),
    503: (
        "database_non_disponibile",
        "Il database non è raggiungibile: nulla è stato scritto, riprovare più tardi.",
    ),
}


def error_body(
    request: Any, codice: str, messaggio: str, dettagli: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "error": messaggio,
        "codice": codice,
        "dettagli": dettagli or [],
        "request_id": getattr(request, "request_id", ""),
    }


def standard_body(request: Any, status: int) -> dict[str, Any]:
    return error_body(request, *SENTENCES[status])


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every exception a view raises becomes one answer."""
    request = context["request"]._request
    match exc:
        case InvalidPayload():
            body = error_body(request, exc.codice, exc.messaggio, exc.dettagli)
            return Response(body, status=exc.status)
        case Http404():
            return Response(standard_body(request, 404), status=404)
        case exceptions.PermissionDenied() | exceptions.MethodNotAllowed():
            return Response(standard_body(request, exc.status_code), status=exc.status_code)
        case exceptions.APIException():
            codice = str(getattr(exc.detail, "code", exc.default_code))
            body = error_body(request, codice, str(exc.detail))
            return Response(body, status=exc.status_code, headers=_headers_of(exc))
        case OperationalError() | InterfaceError():
            logger.warning("database unreachable: %s", type(exc).__name__, extra=_ids(request))
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return Response(standard_body(request, 503), status=503, headers=headers)
        case _:
            logger.error("unexpected error", exc_info=exc, extra=_ids(request))
            return Response(standard_body(request, 500), status=500)


def _headers_of(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _ids(request: Any) -> dict[str, str]:
    return {"request_id": getattr(request, "request_id", "-")}


def _is_admin(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")


def _standard_answer(request: HttpRequest, status: int) -> JsonResponse:
    """The answer that Django itself gives, with the content type of the API's own answers."""
    return JsonResponse(standard_body(request, status), status=status, content_type=JSON_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_admin(request):
        return defaults.bad_request(request, exception)
    return _standard_answer(request, HTTPStatus.BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_admin(request):
        return defaults.permission_denied(request, exception)
    return _standard_answer(request, HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that is not ours, or too old; outside the admin, a POST to a page that takes none."""
    if _is_admin(request):
        return csrf.csrf_failure(request, reason)
    return _standard_answer(request, HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_admin(request):
        return defaults.page_not_found(request, exception)
    return _standard_answer(request, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_admin(request):
        return defaults.server_error(request)
    return _standard_answer(request, HTTPStatus.INTERNAL_SERVER_ERROR)
