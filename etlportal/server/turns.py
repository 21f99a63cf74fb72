"""How many requests a process works on at once, of all that it has a thread for.

Most of the threads wait for slow clients (docs/adr/0011). One that waits holds nothing that
others need; those at work are few, so that a rush of requests queues here, and does not use up
the hundred connections that PostgreSQL takes by default.
"""

from collections.abc import Callable, Iterable
from threading import Semaphore
from typing import Any

from django.db import connections

from etlportal.server.chunked import WrappedInput, WsgiApplication

AT_WORK = 20


def taking_turns(application: WsgiApplication, at_work: int = AT_WORK) -> WsgiApplication:
    """The application, at work in ``at_work`` threads at once; reading a body does not count."""
    turns = Semaphore(at_work)

    def take(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = ClientInput(environ["wsgi.input"], turns)
        with turns:
            try:
                return application(environ, start_response)
            finally:
                close_connections()  # before the answer goes out: a client may be slow to take it

    return take


class ClientInput(WrappedInput):
    """A body, read without a turn and without a connection to a database."""

    def __init__(self, source: Any, turns: Semaphore) -> None:
        super().__init__(source)
        self.turns = turns

    def reading(self, read: Callable[..., bytes], *size: int) -> bytes:
        close_connections()
        self.turns.release()
        try:
            return read(*size)
        finally:
            self.turns.acquire()


def close_connections() -> None:
    """This thread's, to the databases, but for those in a transaction.

    The next query opens a new one.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
