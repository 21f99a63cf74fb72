"""The request id and the no-store header that every answer carries."""

import re
import uuid
from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from etlportal.api.handlers import bad_request
from etlportal.audit.request import current_request

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Keeps the caller's ``X-Request-ID`` when it is 8-64 plain characters, else mints one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get("X-Request-ID", "")
        request.request_id = sent if SANE_REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex  # type: ignore[attr-defined]
        token = current_request.set(request.request_id)  # type: ignore[attr-defined]
        try:
            # No name or value of ours holds U+0000, and PostgreSQL's driver raises an error of its
            # own for it, wherever it gets that far.
            if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
                response = bad_request(request, BadRequest())
            else:
                response = self.get_response(request)
        finally:
            current_request.reset(token)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        response.headers.setdefault("Cache-Control", "no-store")
        return response
