"""Https for everything: pages are redirected (by Django), the API is refused.

A redirect would come too late: the key has crossed the network in clear by then, and the engine
that called would lose the body. Refused, the author of the flow sees it at the first try.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from etlportal.api.handlers import error_body, json_answer

# What a browser asks for, and not a program; also "/".
PAGES = ("/admin", "/i18n/", "/static/", "/api/docs")
HEALTH = "/healthz"


class HttpsOnlyMiddleware:
    """With ``HTTPS`` set, 403 for an API request over plain http. Load balancers may still ask
    ``/healthz``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        free = path == "/" or path.startswith(PAGES) or path.rstrip("/") == HEALTH
        if free or request.is_secure() or not settings.SECURE_SSL_REDIRECT:
            return self.get_response(request)
        sentence = (
            "Usare https: su http la chiave viaggia in chiaro. Correggere l'indirizzo nel flusso, "
            "e cambiare la chiave se è già stata inviata così."
        )
        return json_answer(error_body(request, "https_obbligatorio", sentence), 403)
