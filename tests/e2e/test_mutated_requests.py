"""Damaged requests through the socket, hundreds or in full thousands: an answer to each, and
never a 5xx.
"""

import base64
import random
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from tests.length import either
from tests.mutations import SEED, mutated_body
from tests.portal import LivePortal

REQUESTS = either(short=300, full=2_000)
CALLERS = 6
ANSWER_SECONDS = 60  # then there is none
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
STORED = re.compile(rb'"inseriti":(\d+),"duplicato":false')
HEADERS = [
    b"Content-Type: application/json; charset=utf-8",
    b"Content-Type: text/plain",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Encoding: br",
    b"Accept: text/html",
    b"X-Request-ID: \xff\xfe",
    b"x-ms-workflow-name: \xe2\x80\xae" + b"f" * 400,
    b"x-ms-transfer-mode: chunked",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Cookie: csrftoken=1; sessionid=%00",
    b"X-Forwarded-For: ::1",
    b"Host: altrove",
    b"Content-Length: 7",
    b"Transfer-Encoding: chunked",
    b"Accept-Language: xx-" + b"y" * 600,
]


def mutated_request(rng: random.Random, key: str) -> bytes:
    """A whole request, nearly right: its body damaged, sometimes its head too."""
    body, encoding = mutated_body(rng)
    lines = [b"POST /insert-postgres HTTP/1.1", b"Host: 127.0.0.1", b"X-API-KEY: " + key.encode()]
    lines += rng.sample(HEADERS, rng.choice([0, 1, 1, 2]))
    if encoding:
        lines.append(b"Content-Encoding: " + encoding.encode())
    if b"Transfer-Encoding: chunked" in lines:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        lines.append(b"Content-Length: %d" % len(body))
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return (_changed_a_bit(rng, head) if rng.random() < 0.3 else head) + body


def _changed_a_bit(rng: random.Random, head: bytes) -> bytes:
    at = rng.randrange(len(head))
    odd = rng.choice([b"", b"\x00", b"\xff", b"\r\n", b"\n", b" ", b":", b"%", b"a" * 9000])
    return head[:at] + odd + head[at + rng.choice([0, 1, 5]) :]


def exchange(port: int, request: bytes) -> bytes:
    """All that the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as caller:
        caller.sendall(request)
        caller.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: caller.recv(65536), b""))


def problem_of(request: bytes, answer: bytes) -> str:
    statuses = [int(status) for status in STATUS.findall(answer)]
    if not statuses and b"\r\n\r\n" in request:  # without the end of a head it asks for nothing
        return "no answer"
    if any(300 <= status < 400 or status >= 500 for status in statuses):
        return f"answered {statuses}"
    return "HTML" if b"<html" in answer else ""


def test_a_mutated_request_is_answered(clean_portal: LivePortal) -> None:
    rng = random.Random(SEED)
    requests = [mutated_request(rng, clean_portal.key) for _ in range(REQUESTS)]
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda sent: exchange(clean_portal.port, sent), requests))
    wrong = [
        (f"MUTATION_SEED={SEED}, request {number}: {problem}", base64.b64encode(requests[number]))
        for number, answer in enumerate(answers)
        if (problem := problem_of(requests[number], answer))
    ]
    assert wrong == []
    assert clean_portal.count() == sum(stored(answers)) > 0
    statuses = set(chain.from_iterable(STATUS.findall(answer) for answer in answers))
    assert {b"200", b"400", b"415"} <= statuses


def stored(answers: list[bytes]) -> Iterator[int]:
    """How many rows each 2xx says it stored; no other answer may have left any."""
    for answer in answers:
        yield from (int(count) for count in STORED.findall(answer))
