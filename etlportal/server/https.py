"""Https for everything: pages are redirected (by Django), the API is refused.

A redirect would come too late: the key has crossed the network in clear by then, and the engine
that called would lose the body. Refused, the author of the flow sees it at the first try.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from etlportal.api.handlers import error_body, json_answer

PAGES = ("/admin", "/i18n/", "/static/", "/api/docs")
HEALTH = "/healthz"


def is_page(path: str) -> bool:
    """Whether a browser asks for it, and not a program."""
    return path == "/" or path.startswith(PAGES)


class HttpsOnlyMiddleware:
    """With ``HTTPS`` set, 403 for an API request over plain http. Load balancers may still ask
    ``/healthz``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        free = is_page(path) or path.rstrip("/") == HEALTH
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and not free:
            return refused(request)
        return self.get_response(request)


def refused(request: HttpRequest) -> HttpResponse:
    sentence = (
        "Usare https: su http la chiave viaggia in chiaro. Correggere l'indirizzo nel flusso, e "
        "cambiare la chiave se è già stata inviata così."
    )
    return json_answer(error_body(request, "https_obbligatorio", sentence), 403)
