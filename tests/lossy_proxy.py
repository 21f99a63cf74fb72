"""A small TCP proxy that loses answers, for tests.

The portal does its work and answers; the proxy reads the whole answer and, if it is to be lost,
closes the caller's connection without a byte of it: what a caller sees when the network, or the
server, goes between commit and answer.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

CHUNK = 65536

Loses = Callable[[bytes], bool]
"""Called with the first line of each request that was answered: whether to lose the answer."""


class LossyProxy:
    """``url`` leads to the portal; each connection carries one request."""

    def __init__(self, port: int, loses: Loses) -> None:
        self.loses = loses
        self.lost = 0
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # until it is closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            request = _read_request(client)
            with closing(socket.create_connection(self._target)) as portal:
                portal.sendall(_one_request_only(request))
                answer = _read_all(portal)
            with self._lock:
                lost = not answer or self.loses(request.split(b"\r\n", 1)[0])
                self.lost += lost
            if not lost:
                client.sendall(answer)


def _read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(CHUNK)
        if not chunk:
            raise ConnectionError
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        chunk = client.recv(CHUNK)
        if not chunk:
            raise ConnectionError
        body += chunk
    return head + b"\r\n\r\n" + body


def _one_request_only(request: bytes) -> bytes:
    """The portal closes the connection after its answer: so the proxy knows where it ends."""
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\nConnection: close\r\n\r\n" + body


def _read_all(portal: socket.socket) -> bytes:
    data = b""
    while chunk := portal.recv(CHUNK):
        data += chunk
    return data


@contextmanager
def lossy_proxy(port: int, loses: Loses) -> Iterator[LossyProxy]:
    proxy = LossyProxy(port, loses)
    try:
        yield proxy
    finally:
        proxy.close()
