"""A hundred clients that send a byte now and then, and one that sends as it should."""

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.length import either
from tests.portal import LivePortal

CLIENTS = 100
REQUESTS = either(short=60, full=600)
# To PostgreSQL: the worker's few, and those of requests that are being worked on.
MOST_CONNECTIONS = 20
RECORD = {"tipo_operazione": "cnc", "codice_pezzo": "PZC03", "numero_pezzi_ora": 2}


class SlowClients:
    """Connections that send the bytes of their requests one by one."""

    def __init__(self, port: int, requests: list[tuple[bytes, bytes]]) -> None:
        """``requests``: of each what is sent in the first moment, and what then comes slowly."""
        self.stack = ExitStack()
        self.sockets = [self._connect(port) for _ in requests]
        self.rests = [memoryview(slowly) for _, slowly in requests]
        for client, (at_once, _) in zip(self.sockets, requests, strict=True):
            client.sendall(at_once)

    def _connect(self, port: int) -> socket.socket:
        return self.stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))

    def send_a_byte(self) -> None:
        for number, client in enumerate(self.sockets):
            client.sendall(self.rests[number][:1])
            self.rests[number] = self.rests[number][1:]

    def answered(self) -> list[socket.socket]:
        return select.select(self.sockets, [], [], 0)[0]


def request_head(portal: LivePortal, length: int) -> bytes:
    return (
        "POST /insert-postgres HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-API-KEY: {portal.key}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.fixture
def slow(portal: LivePortal) -> Iterator[SlowClients]:
    """A hundred slow from the first byte on, a hundred from the first byte of the body on."""
    portal.empty()
    body = json.dumps([RECORD] * 100).encode()
    head = request_head(portal, len(body))
    requests = [(head, body), (head[:1], head[1:] + body)] * CLIENTS
    clients = SlowClients(portal.port, requests)
    with clients.stack:
        yield clients


def ask_as_one_should(portal: LivePortal, number: int) -> None:
    if number % 2:
        answer = portal.request("GET", "/healthz")
    else:
        answer = portal.post("/insert-postgres", [RECORD | {"nota": number}])
    assert answer.status == 200


def test_slow_clients_keep_nobody_waiting(portal: LivePortal, slow: SlowClients) -> None:
    """Others are answered, all, while not one of the slow has come to its end."""
    for number in range(REQUESTS):
        ask_as_one_should(portal, number)
        slow.send_a_byte()
    assert slow.answered() == []
    assert portal.count() == REQUESTS // 2
    if portal.on_servers:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert portal.value("default", query) < MOST_CONNECTIONS


def test_a_slow_body_is_stored(clean_portal: LivePortal) -> None:
    body = json.dumps([RECORD] * 3).encode()
    with socket.create_connection(("127.0.0.1", clean_portal.port), timeout=10) as client:
        client.sendall(request_head(clean_portal, len(body)))
        for start in range(0, len(body), 60):
            time.sleep(0.7)
            client.sendall(body[start : start + 60])
        answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert clean_portal.count() == 3


REFUSED = (b"CIAO\r\n\r\n", b"POST /status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")


def test_clients_that_stay_after_their_answer_keep_nobody_waiting(portal: LivePortal) -> None:
    clients = SlowClients(portal.port, [(sent, b"") for sent in REFUSED * 10])
    with clients.stack:
        portal.wait_until(lambda: len(clients.answered()) == 20, "answers")
        for number in range(10):
            ask_as_one_should(portal, 2 * number + 1)
