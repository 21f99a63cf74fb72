"""The one error shape, for every status (docs/contratto.md, "Errori").

``{"error": sentence in Italian, "codice": stable code, "dettagli": [...], "request_id": id}``;
never a stack trace, SQL or an exception's own text.
"""

import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.response import Response

from etlportal.api.errors import JSON_TYPE, SENTENCES, ApiError, IncompleteBody

logger = logging.getLogger("etl")

RETRY_AFTER_SECONDS = 30
SHORTEST_RETRY_SECONDS = 5


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
    """The body for a status of which nothing more is known."""
    return error_body(request, *SENTENCES.get(status, SENTENCES[400 if status < 500 else 500]))


DRF_CODES = {
    kind.default_code
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, exceptions.APIException)
}


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every exception a view raises becomes one answer."""
    request = context["request"]._request
    ids = {"request_id": getattr(request, "request_id", "-")}
    body = None
    if isinstance(exc, UnreadablePostError):  # the caller hung up, or broke off a chunk
        exc = IncompleteBody()
    match exc:
        case ApiError():
            status = exc.status
            body = error_body(request, exc.codice, exc.messaggio, exc.dettagli)
        case exceptions.APIException():
            # DRF's own words come in the language that the caller asks for, and in shapes of their
            # own: only their status is used. One that we raise has a code of ours.
            status = exc.status_code
            code = str(getattr(exc.detail, "code", ""))
            if code and code not in DRF_CODES:
                body = error_body(request, code, str(exc.detail))
        case Http404():
            status = 404
        case PermissionDenied():
            status = 403
        case RequestDataTooBig():
            status = 413
        case SuspiciousOperation() | BadRequest():
            status = 400
        case OperationalError() | InterfaceError():
            logger.warning("database unreachable: %s", type(exc).__name__, extra=ids)
            status = 503
        case _:
            logger.error("unexpected error", exc_info=exc, extra=ids)
            status = 500
    headers = {}
    if status in {429, 503}:  # what a retry can cure
        wait = math.ceil(getattr(exc, "wait", None) or RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(max(SHORTEST_RETRY_SECONDS, wait))
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    return Response(body or standard_body(request, status), status=status, headers=headers)


def json_answer(body: dict[str, Any], status: int) -> JsonResponse:
    """As DRF would write it, for what DRF does not answer."""
    return JsonResponse(
        body, status=status, content_type=JSON_TYPE, json_dumps_params={"ensure_ascii": False}
    )


def _as_page_or_json(status: int, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The handler of a status outside of DRF's views: the admin gets Django's own ``page``."""

    def handler(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.path.startswith("/admin/"):
            return page(request, *args, **kwargs)
        return json_answer(standard_body(request, status), status)

    return handler


bad_request = _as_page_or_json(HTTPStatus.BAD_REQUEST, defaults.bad_request)
permission_denied = _as_page_or_json(HTTPStatus.FORBIDDEN, defaults.permission_denied)
not_found = _as_page_or_json(HTTPStatus.NOT_FOUND, defaults.page_not_found)
server_error = _as_page_or_json(HTTPStatus.INTERNAL_SERVER_ERROR, defaults.server_error)
# A form that is not ours, or too old; outside the admin a flow that forgot the path.
csrf_failure = _as_page_or_json(HTTPStatus.NOT_FOUND, csrf.csrf_failure)
