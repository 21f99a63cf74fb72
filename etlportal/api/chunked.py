"""Bodies whose length nobody announces (``Transfer-Encoding: chunked``).

Django reads as many bytes as Content-Length says, and none without one: such a body would look
empty. A server that finds its end itself says so (``wsgi.input_terminated``).
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]
# In ``request.META``: the length there is a limit, not what the client announced.
UNANNOUNCED = "etlportal.unannounced"


def reading_chunked(application: WsgiApplication) -> WsgiApplication:
    """The application, reading such a body up to its end, or to one byte above what is allowed."""

    def read(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and environ.get("HTTP_TRANSFER_ENCODING"):
            environ["CONTENT_LENGTH"] = str(settings.MAX_BODY_BYTES + 1)
            environ[UNANNOUNCED] = True
        return application(environ, start_response)

    return read
