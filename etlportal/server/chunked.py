"""Bodies whose length nobody announces (``Transfer-Encoding: chunked``).

Django reads as many bytes as Content-Length says, and none without one: such a body would look
empty. A server that finds its end itself says so (``wsgi.input_terminated``).
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from gunicorn.http.errors import ParseException

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]
# In ``request.META``: the length there is a limit, not what the client announced.
UNANNOUNCED = "etlportal.unannounced"


def reading_chunked(application: WsgiApplication) -> WsgiApplication:
    """The application, reading such a body up to its end, or to one byte above what is allowed."""

    def read(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and environ.get("HTTP_TRANSFER_ENCODING"):
            environ["CONTENT_LENGTH"] = str(settings.MAX_BODY_BYTES + 1)
            environ[UNANNOUNCED] = True
            environ["wsgi.input"] = ChunkedInput(environ["wsgi.input"])
        return application(environ, start_response)

    return read


class WrappedInput:
    """A body; ``reading`` is given the source's own method, and may do something around it."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def reading(self, read: Callable[..., bytes], *size: int) -> bytes:
        raise NotImplementedError

    def read(self, *size: int) -> bytes:
        return self.reading(self.source.read, *size)

    def readline(self, *size: int) -> bytes:
        return self.reading(self.source.readline, *size)


class ChunkedInput(WrappedInput):
    """Broken chunks are the client's, as a lost connection is: an ``OSError`` for whoever reads."""

    def reading(self, read: Callable[..., bytes], *size: int) -> bytes:
        try:
            return read(*size)
        except ParseException as error:
            raise OSError("the body's chunks are broken") from error
