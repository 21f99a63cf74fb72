"""A gunicorn worker whose threads never wait for a client.

gunicorn's own threaded worker gives each connection a thread for as long as its bytes take to
arrive: a hundred clients on a bad line (or with bad intent), at one byte a second, take all
threads, and nobody else is answered. More threads would only move the number, and each may hold
a connection to PostgreSQL, which by default has a hundred.

Here the worker's one event loop collects the bytes. A thread gets the request when all of it has
arrived. One exception keeps the rule that the key is checked before the body is read: when the
head is there and the body lets wait for it, a thread tries the request with what has come. A
wrong key, a wrong address, a wrong method are answered at once; where the view does ask for the
body, ``NotYetHere`` takes the thread out again, and the request starts anew when its body is
complete. (So a view reads its body before it does anything: all of ours do, or take none.)

A client must keep a pace (``GRACE_SECONDS``, ``BYTES_PER_SECOND``), or it gets a 408 and the
connection closes. Measured with 100 clients at 1 byte/s on 2 workers of 8 threads: see
tests/e2e/test_slow_clients.py.

With ``certfile`` (TLS in gunicorn itself) bytes cannot be collected so, and gunicorn's own way
is kept: put a proxy in front for TLS. The reasons in full: docs/adr/0011.
"""

import re
import selectors
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any

from gunicorn import http
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

# As Apache's mod_reqtimeout: long enough for the worst line of a plant, not for a thousand
# clients that never end. After MAX_SECONDS the flow engine has given up itself.
GRACE_SECONDS = 20.0
BYTES_PER_SECOND = 500
MAX_SECONDS = 120.0
# How long a body may take to follow its head before the request is tried without it.
PATIENCE_SECONDS = 0.5
# More than the body that the application reads (10 MB), with the head and the marks of chunks.
MAX_HELD_BYTES = 12 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
# A client that has its answer gets so long to read it before the connection closes: closed with
# unread bytes in it, TCP would throw the answer away.
LINGER_SECONDS = 5.0
SEND_SECONDS = 20
RECEIVE_BYTES = 256 * 1024
# gunicorn copies the rest of what it was given at every chunk: it is given little at a time.
PIECE_BYTES = 8 * 1024
TICK_SECONDS = 0.25

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,15})[ \t]*\r$", re.I | re.M)
CHUNKED = re.compile(rb"^transfer-encoding:", re.I | re.M)
EXPECT = re.compile(rb"^expect:", re.I | re.M)
# A chunk of fewer than 256 bytes. Real clients send some; unpacking 2 million takes 10 s of CPU.
TINY_CHUNK = re.compile(rb"\r\n0*[0-9a-f]{1,2}[ \t]*(?:;[^\r\n]*)?\r\n", re.I)
MAX_TINY_CHUNKS = 20_000

WAIT = object()
TOO_LARGE = object()


class NotYetHere(BaseException):
    """The application asks for bytes that have not arrived. No ``Exception``, so that nothing
    on the way makes an answer of it.
    """


class Connection(TConn):
    """A connection, and what has arrived of its next request."""

    def expect(self, leftover: bytes = b"") -> None:
        """A new request; ``leftover``: its first bytes, which came with the one before."""
        self.received = bytearray(leftover)
        self.since = time.monotonic()
        self.ended = self.tried = self.answered = self.lingers = False

    def add(self, data: bytes) -> None:
        if not self.received:
            self.since = time.monotonic()
        self.received += data
        self.ended = not data

    def hopeless(self) -> HTTPStatus | None:
        """Why its head will never be one, if so."""
        if self.received.find(HEAD_END, 0, MAX_HEAD_BYTES) >= 0:
            return None
        if len(self.received) > MAX_HEAD_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return HTTPStatus.BAD_REQUEST if self.ended else None

    def is_complete(self) -> bool:
        """Whether a thread has all it needs to answer or refuse it."""
        end = self.received.find(HEAD_END, 0, MAX_HEAD_BYTES)
        if end < 0 or self.ended or len(self.received) > MAX_HELD_BYTES:
            return end >= 0
        head = bytes(self.received[: end + 2])
        if CHUNKED.search(head):
            # Looks like the last chunk; if it is not, NotYetHere brings the connection back.
            return self.received.endswith(HEAD_END) and len(self.received) > end + len(HEAD_END)
        length = int(found[1]) if (found := CONTENT_LENGTH.search(head)) else 0
        whole = end + len(HEAD_END) + length
        return len(self.received) >= whole or length > MAX_HELD_BYTES

    def may_be_tried(self, now: float) -> bool:
        """Whether the body lets wait for it (with ``Expect``, until it is asked for)."""
        end = self.received.find(HEAD_END, 0, MAX_HEAD_BYTES)
        if self.tried or end < 0:
            return False
        return now > self.since + PATIENCE_SECONDS or bool(EXPECT.search(self.received, 0, end))

    def is_overdue(self, now: float, idle_seconds: float) -> bool:
        if self.lingers:
            return now > self.since + LINGER_SECONDS
        if not self.received:
            return now > self.since + idle_seconds
        allowed = GRACE_SECONDS + len(self.received) / BYTES_PER_SECOND
        return now > self.since + min(allowed, MAX_SECONDS)

    def is_chopped(self) -> bool:
        """Whether its body comes in more tiny chunks than anybody needs."""
        if not CHUNKED.search(self.received, 0, MAX_HEAD_BYTES):
            return False
        tiny = TINY_CHUNK.finditer(self.received)
        return sum(1 for _ in islice(tiny, MAX_TINY_CHUNKS)) == MAX_TINY_CHUNKS

    def arrived(self) -> Iterator[bytes]:
        """The source that gunicorn's parser reads from, in place of the socket."""
        for start in range(0, len(self.received), PIECE_BYTES):
            yield bytes(self.received[start : start + PIECE_BYTES])
        if not self.ended:
            raise NotYetHere


class PatientWorker(ThreadWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: set[Connection] = set()

    # --- The event loop -------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        if self.cfg.is_ssl:
            super().accept(listener)
            return
        # A client that does not read its answer must not keep the thread that sends it.
        timeout = struct.pack("ll", SEND_SECONDS, 0)
        try:
            client, address = listener.accept()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        except OSError:  # it went away before it was its turn
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.expect()
        self._wait_for(connection)

    def _wait_for(self, connection: Connection) -> None:
        connection.sock.setblocking(False)
        self.waiting.add(connection)
        self.poller.register(
            connection.sock, selectors.EVENT_READ, partial(self._receive, connection)
        )

    def _stop_waiting(self, connection: Connection) -> None:
        self.waiting.discard(connection)
        self.poller.unregister(connection.sock)

    def _receive(self, connection: Connection, client: socket.socket) -> None:
        try:
            data = client.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        if connection.lingers or (not data and not connection.received):
            if not data:
                self._drop(connection)
            return
        connection.add(data)
        if wrong := connection.hopeless():
            self._stop_waiting(connection)
            self._refuse(connection, wrong)
        elif connection.is_complete() or connection.may_be_tried(connection.since):
            self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        connection.tried = True
        self.enqueue_req(connection)

    def _drop(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self.nr_conns -= 1
        connection.close()

    def _linger(self, connection: Connection) -> None:
        """Says that no more answers come, and waits for the client to close."""
        if connection.sock.fileno() < 0:  # gunicorn closed it, in the middle of an answer
            self.nr_conns -= 1
            return
        connection.lingers = True
        connection.since = time.monotonic()
        self._wait_for(connection)
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, TICK_SECONDS))

    def murder_pending(self) -> None:
        """gunicorn's loop calls it between events: whose time is up?"""
        super().murder_pending()
        now = time.monotonic()
        idle_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        for connection in list(self.waiting):
            if connection.is_overdue(now, idle_seconds):
                self._end(connection)
            elif not connection.lingers and connection.may_be_tried(now):
                self._hand_over(connection)

    def _end(self, connection: Connection) -> None:
        if connection.lingers or not connection.received:
            self._drop(connection)
            return
        self._stop_waiting(connection)
        self._refuse(connection, HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, connection: Connection, status: HTTPStatus) -> None:
        with suppress(OSError):
            connection.sock.send(error_answer(status))
        self._linger(connection)

    def finish_request(self, connection: Any, future: Any) -> None:
        """gunicorn's loop calls it when a thread is done with a connection."""
        if self.cfg.is_ssl:
            super().finish_request(connection, future)
            return
        failed = future.cancelled() or future.exception() is not None
        outcome = False if failed else future.result()
        if outcome is WAIT and len(connection.received) > MAX_HELD_BYTES:
            outcome = TOO_LARGE
        if outcome is TOO_LARGE:
            self._refuse(connection, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif outcome is WAIT:
            self._wait_for(connection)
        elif outcome:
            connection.expect(connection.parser.unreader.take_buffered())
            self._wait_for(connection)
            if connection.received and connection.is_complete():
                self._hand_over(connection)
        else:
            self._linger(connection)

    # --- The threads ----------------------------------------------------------------------

    def handle(self, connection: Any) -> Any:
        """True: the connection stays open; False: it closes; ``WAIT``: for more bytes;
        ``TOO_LARGE``: it is to be refused.
        """
        if self.cfg.is_ssl:
            return super().handle(connection)
        if connection.is_chopped():
            return TOO_LARGE
        connection.initialized = connection.data_ready = True
        connection.parser = http.get_parser(self.cfg, connection.arrived(), connection.client)
        try:
            return super().handle(connection)
        except NotYetHere:  # after the answer: the rest of a body that nobody asked for
            return False if connection.answered else WAIT

    def handle_request(self, req: Any, connection: Any) -> Any:
        req.body.reader = BodyReader(req.body.reader)
        keep = super().handle_request(req, connection)
        connection.answered = True
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """gunicorn's status for what never reached the application, in our shape."""
        answer = Answer()
        super().handle_error(req, answer, addr, exc)
        with suppress(OSError):
            client.sendall(error_answer(answer.status))


class BodyReader:
    """Broken chunks are the client's, as a lost connection is: an ``OSError`` for whoever reads."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self.reader.read(size)
        except ParseException as error:
            raise OSError("the body's chunks are broken") from error
        return data


class Answer:
    """Takes the place of a socket: keeps the status of the HTML page that gunicorn writes."""

    status = HTTPStatus.BAD_REQUEST

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, page: bytes) -> None:
        status = HTTPStatus(int(page.split(b" ", 2)[1]))
        # An unknown transfer coding is 501 in HTTP; the engine would send it again for ever.
        self.status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.NOT_IMPLEMENTED else status


def error_answer(status: HTTPStatus) -> bytes:
    """A whole answer in the one error shape (contract.md), for a connection that closes."""
    # Django is not set up yet when gunicorn's first process imports this module.
    from django.http import HttpRequest

    from etlportal.api.errors import JSON_TYPE, standard_body
    from etlportal.api.renderers import Utf8JsonRenderer

    request = HttpRequest()
    request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
    body: bytes = Utf8JsonRenderer().render(standard_body(request, status))
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {JSON_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Request-ID: {request.request_id}\r\n"  # type: ignore[attr-defined]
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
