"""gunicorn's threaded worker, with our words for what never reaches Django.

Its own error page is HTML, and its own log line shows the head that it could not read, which may
hold a key. The reasons for threads: docs/adr/0011.
"""

import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import ThreadWorker

# A client is read so long, and so far, after an answer that closes the connection: closed with
# bytes still coming, TCP would throw the answer away. Above the largest body that is read.
LINGER_SECONDS = 5.0
LINGER_BYTES = 16 * 1024 * 1024

# Others that gunicorn's parser raises are 400: also an unknown transfer coding, 501 in HTTP,
# because the flow engine would send it again for ever.
STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,  # these two are our fault
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class HttpWorker(ThreadWorker):
    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers in the one error shape (docs/contratto.md, "Errori"); logs nothing of what was
        sent.
        """
        if req is not None and req.body.failed:
            return  # it has its answer; only the rest of its body, which nobody asked for, is bad
        is_clients = isinstance(exc, errors.ParseException)
        other = HTTPStatus.BAD_REQUEST if is_clients else HTTPStatus.INTERNAL_SERVER_ERROR
        request_id, status = uuid.uuid4().hex, STATUSES.get(type(exc), other)
        self.log.warning("refused: %s %d %s", type(exc).__name__, status, request_id)
        with suppress(OSError):
            client.sendall(error_answer(status, request_id))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """gunicorn would wait for the client to close in its one event loop, 2 s for each."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        self.nr_conns -= 1
        self.tpool.submit(close_graceful, conn.sock, LINGER_SECONDS, LINGER_BYTES)


def error_answer(status: HTTPStatus, request_id: str) -> bytes:
    """A whole answer, for a connection that closes."""
    # Django is not set up yet when gunicorn's first process imports this module.
    from django.http import HttpRequest

    from etlportal.api.handlers import JSON_TYPE, standard_body
    from etlportal.api.renderers import Utf8JsonRenderer

    request = HttpRequest()
    request.request_id = request_id  # type: ignore[attr-defined]
    body: bytes = Utf8JsonRenderer().render(standard_body(request, status))
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {JSON_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
