"""A caller that behaves like Power Automate's flow engine, for tests.

An action is one HTTP request with an id of its own (``x-ms-action-tracking-id``). What fails in
passing (no answer, 408, 429, 5xx) is sent again with the same headers and body, after a pause
that doubles, or after what ``Retry-After`` says; nothing else is. A 202's ``Location`` is polled,
without the key, until it answers something else. An attempt that takes longer than 120 s is cut,
and a redirect is not followed: it fails the action.
"""

import http.client
import json
import random
import socket
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CUT_AFTER_SECONDS = 120
RETRIES = 4
FIRST_PAUSE_SECONDS = 7.5
LONGEST_PAUSE_SECONDS = 3600
RETRIED = {408, 429}


class ActionFailed(Exception):
    """The action ended badly; ``status`` is that of the last answer, None if there was none."""

    def __init__(self, told: str, status: int | None = None) -> None:
        super().__init__(told)
        self.status = status


class _NoAnswer(Exception):
    """The connection failed, was cut, or the answer took too long."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FlowEngine:
    """One flow's engine. ``scale``: what a second lasts here, so that tests need not wait."""

    url: str
    key: str
    scale: float = 1.0
    cut_after: float = CUT_AFTER_SECONDS  # real seconds: it is the server's time that is measured
    retries: int = RETRIES
    flow: str = "Produzione"
    rng: random.Random = field(default_factory=random.Random)
    attempts: int = 0  # requests sent, polls and repetitions included
    pauses: list[float] = field(default_factory=list)  # unscaled seconds
    _run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def get(self, path: str) -> Answer:
        return self.act("GET", path)

    def post(self, path: str, records: Any = None, **headers: str) -> Answer:
        body = None if records is None else json.dumps(records).encode()
        return self.act("POST", path, body, headers)

    def act(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One action, to its last answer; raises ``ActionFailed``."""
        sent = self._engine_headers() | {"X-API-KEY": self.key} | (headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json; charset=utf-8"
        answer = self._persistently(method, self.url + path, body, sent)
        polled = {name: value for name, value in sent.items() if name.startswith("x-ms-")}
        while answer.status == 202 and "Location" in answer.headers:
            self._pause(self._told_to_wait(answer) or FIRST_PAUSE_SECONDS)
            answer = self._persistently("GET", answer.headers["Location"], None, polled)
        if not 200 <= answer.status < 300:
            raise ActionFailed(f"{answer.status}: {answer.body[:500]!r}", answer.status)
        return answer

    def _engine_headers(self) -> dict[str, str]:
        return {
            "x-ms-workflow-name": self.flow,
            "x-ms-workflow-run-id": self._run_id,
            "x-ms-workflow-operation-name": "HTTP",
            "x-ms-action-tracking-id": str(uuid.UUID(int=self.rng.getrandbits(128))),
            "x-ms-client-request-id": str(uuid.UUID(int=self.rng.getrandbits(128))),
        }

    def _persistently(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        """The first answer that is not a passing failure, or the last one of all."""
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            try:
                answer = self._send(method, address, body, headers)
            except _NoAnswer as error:
                if last:
                    raise ActionFailed(str(error)) from error
                self._pause(self._backoff(attempt))
                continue
            if last or not (answer.status in RETRIED or answer.status >= 500):
                return answer
            self._pause(self._told_to_wait(answer) or self._backoff(attempt))
        raise AssertionError("unreachable")

    def _backoff(self, attempt: int) -> float:
        return min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)

    @staticmethod
    def _told_to_wait(answer: Answer) -> float:
        told = answer.headers.get("Retry-After", "")
        return float(told) if told.isdecimal() else 0.0

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        time.sleep(seconds * self.scale)

    def _send(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        self.attempts += 1
        parts = urlsplit(address)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        deadline = time.monotonic() + self.cut_after
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self.cut_after
        )
        with closing(connection):
            try:
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                content = b"".join(_chunks(response, connection, deadline))
            except (OSError, http.client.HTTPException) as error:
                raise _NoAnswer(f"{method} {address}: {error!r}") from error
        return Answer(response.status, response.headers, content)


def _chunks(
    response: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float
) -> Any:
    """The body, cut at the deadline also when it comes drop by drop."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("cut")
        if isinstance(connection.sock, socket.socket):
            connection.sock.settimeout(left)
        chunk = response.read1(65536)
        if not chunk:
            break
        yield chunk
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
