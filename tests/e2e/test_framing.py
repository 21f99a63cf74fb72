"""Requests byte by byte: where a body ends, what follows it, and what is no request at all."""

import gzip
import http.client
import io
import json
import socket
import time
from collections.abc import Iterable

import pytest

from tests.portal import LivePortal

RECORD = {"tipo_operazione": "cnc", "codice_pezzo": "PZC03", "numero_pezzi_ora": 2}
BODY = json.dumps([RECORD]).encode()
SHAPE = {"error", "codice", "dettagli", "request_id"}


def head(portal: LivePortal, *lines: str, target: str = "POST /insert-postgres") -> bytes:
    fixed = (f"{target} HTTP/1.1", "Host: 127.0.0.1", f"X-API-KEY: {portal.key}")
    return ("\r\n".join([*fixed, *lines]) + "\r\n\r\n").encode("latin-1")


class Caller:
    """One connection; reads answers one after the other."""

    def __init__(self, portal: LivePortal) -> None:
        self.socket = socket.create_connection(("127.0.0.1", portal.port), timeout=10)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def answer(self, method: str = "POST") -> tuple[int, http.client.HTTPMessage, bytes]:
        response = http.client.HTTPResponse(_Source(self.file), method=method)  # type: ignore[arg-type]
        response.begin()
        return response.status, response.headers, response.read()

    def is_closed(self) -> bool:
        return self.file.read(1) == b""


class _Source:
    """What http.client takes for a socket; the file stays open for the next answer."""

    def __init__(self, file: io.BufferedReader) -> None:
        self.file = file

    def makefile(self, mode: str) -> "_Source":
        return self

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self.file, name)

    def close(self) -> None:
        pass


def assert_error(answer: tuple[int, http.client.HTTPMessage, bytes], status: int) -> None:
    found, headers, body = answer
    assert found == status, body
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    error = json.loads(body)
    assert error.keys() == SHAPE
    assert error["request_id"] == headers["X-Request-ID"]
    assert error["error"].endswith(".")
    for word in ("<html", "Invalid", "127.0.0.1", "Traceback"):
        assert word not in body.decode()


def chunks(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


CHUNKED = ("Transfer-Encoding: chunked", "Content-Type: application/json")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_body_is_read(clean_portal: LivePortal, size: int) -> None:
    parts = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *CHUNKED), chunks(parts))
        assert caller.answer()[0] == 200
    assert clean_portal.count() == 1


def test_a_chunked_body_may_be_gzip_and_dawdle(clean_portal: LivePortal) -> None:
    packed = gzip.compress(BODY)
    sent = chunks([packed[:10], packed[10:]])
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *CHUNKED, "Content-Encoding: gzip"))
        for start in range(0, len(sent), 40):
            time.sleep(0.4)
            caller.send(sent[start : start + 40])
        assert caller.answer()[0] == 200
    assert clean_portal.count() == 1


BROKEN = {
    "chunks that are none": (CHUNKED, b"xyz\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED, b"3\r\n[]]]]]]\r\n0\r\n\r\n", 400),
    "a negative chunk": (CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n", 400),
    "no chunk but the last": (CHUNKED, b"0\r\n\r\n", 400),
    "another transfer coding": (("Transfer-Encoding: gzip",), b"abc", 400),
    "an unknown transfer coding": (("Transfer-Encoding: pippo",), b"abc", 400),
    "chunked and a length": ((*CHUNKED, "Content-Length: 3"), b"3\r\n[]x\r\n0\r\n\r\n", 400),
    "no length": (("Content-Type: application/json",), b"", 400),
    "a length of 0": (("Content-Length: 0",), b"", 400),
    "a negative length": (("Content-Length: -5",), BODY, 400),
    "a length in letters": (("Content-Length: dieci",), BODY, 400),
    "a length with a sign": (("Content-Length: +5",), BODY, 400),
    "two lengths": (("Content-Length: 2", f"Content-Length: {len(BODY)}"), BODY, 400),
    "two equal lengths": ((f"Content-Length: {len(BODY)}",) * 2, BODY, 400),
    "a length that cuts the body": ((f"Content-Length: {len(BODY) - 1}",), BODY, 400),
    "a length above the limit": (("Content-Length: 10485761",), b"", 413),
    "a length above any": (("Content-Length: 999999999999999",), b"", 413),
    "a length above a machine's": (("Content-Length: " + "9" * 400,), b"", 413),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_without_a_clear_end_is_refused(clean_portal: LivePortal, name: str) -> None:
    lines, body, status = BROKEN[name]
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *lines), body)
        assert_error(caller.answer(), status)
    assert clean_portal.count() == 0


def test_a_chunked_body_above_the_limit_is_refused(clean_portal: LivePortal) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *CHUNKED), chunks([b" " * 1_000_000] * 11))
        assert_error(caller.answer(), 413)
    assert clean_portal.count() == 0


def test_many_small_chunks_are_read(clean_portal: LivePortal) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *CHUNKED), b"1\r\n \r\n" * 100_000, chunks([BODY]))
        assert caller.answer()[0] == 200
    assert clean_portal.count() == 1


@pytest.mark.parametrize("sent", [0, 10, len(BODY) - 1])
def test_a_client_that_hangs_up_leaves_nothing(clean_portal: LivePortal, sent: int) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, f"Content-Length: {len(BODY)}"), BODY[:sent])
        caller.socket.shutdown(socket.SHUT_WR)
        assert_error(caller.answer(), 400)
    assert clean_portal.count() == 0


def test_a_chunk_larger_than_any_and_then_nothing(clean_portal: LivePortal) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, *CHUNKED), b"FFFFFFFFFFFFFFFFF\r\n[]")
        caller.socket.shutdown(socket.SHUT_WR)
        assert_error(caller.answer(), 400)
    assert clean_portal.count() == 0


def test_a_whole_json_that_is_shorter_than_announced_is_refused(clean_portal: LivePortal) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, f"Content-Length: {len(BODY) + 5}"), BODY)
        caller.socket.shutdown(socket.SHUT_WR)
        assert_error(caller.answer(), 400)
    assert clean_portal.count() == 0


@pytest.mark.parametrize("sent", [b"P", b"POST /status HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_client_that_hangs_up_in_the_head_is_let_go(portal: LivePortal, sent: bytes) -> None:
    """It asked for nothing, so there is nothing to answer."""
    with Caller(portal) as caller:
        caller.send(sent)
        caller.socket.shutdown(socket.SHUT_WR)
        assert caller.is_closed()


# --- What is no request ---------------------------------------------------------------------

NO_REQUEST = {
    b"CIAO\r\n\r\n": 400,
    b"GET /status\r\n\r\n": 400,
    b"GET /status HTTP/3.7\r\nHost: x\r\n\r\n": 400,
    b"get /status HTTP/1.1\r\nHost: x\r\n\r\n": 400,
    b"GET /sta tus HTTP/1.1\r\nHost: x\r\n\r\n": 400,
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n": 400,
    b"GET /status HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n": 400,
    b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\n\r\n": 400,
    b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: a\x00b\r\n\r\n": 400,
    b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: miracoli\r\n\r\n": 417,
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 414,
    b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n": 431,
    b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: a\r\n" * 200 + b"\r\n": 431,
    b"GET /status HTTP/1.1\r\n" + b"X-A: a\r\n" * 110_000: 431,
    b"G" * 70_000: 414,
    b"\r\n\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": 400,
}


@pytest.mark.parametrize("request_bytes", NO_REQUEST, ids=lambda sent: repr(sent[:40]))
def test_what_is_no_request_gets_the_one_error_shape(
    portal: LivePortal, request_bytes: bytes
) -> None:
    with Caller(portal) as caller:
        caller.send(request_bytes)
        assert_error(caller.answer("GET"), NO_REQUEST[request_bytes])
        assert caller.is_closed()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("GET /%zz", 404),
        ("GET /%ff%fe", 404),
        ("GET /status%00", 400),
        ("GET /status?esecuzione=%00", 400),
        ("GET /status?esecuzione=%ff", 404),
        ("GET /status?%zz=%&&&=;", 200),
        ("GET /status?" + "a=1&" * 1001, 400),
        ("GET //status", 404),
        ("GET /../status", 404),
        ("OPTIONS *", 404),
        ("GET http://127.0.0.1/status", 200),
        ("BREW /status", 405),
        ("TRACE /status", 405),
        ("HEAD /insert-postgres", 405),
        ("HEAD /status", 200),
    ],
)
def test_an_odd_address_or_method(portal: LivePortal, target: str, status: int) -> None:
    with Caller(portal) as caller:
        caller.send(head(portal, target=target))
        method = target.partition(" ")[0]
        answer = caller.answer(method)
        if status >= 400 and method != "HEAD":
            assert_error(answer, status)
        assert answer[0] == status
        assert (answer[2] == b"") == (method == "HEAD")
        if status == 405:
            assert "OPTIONS" in answer[1]["Allow"]


# --- One connection, several requests -------------------------------------------------------


def test_requests_in_a_row_on_one_connection(clean_portal: LivePortal) -> None:
    good = head(clean_portal, f"Content-Length: {len(BODY)}", "Idempotency-Key: {}") + BODY
    with Caller(clean_portal) as caller:
        for number in range(5):
            caller.send(good.replace(b"{}", b"k-%d" % number, 1))
            assert caller.answer()[0] == 200
    assert clean_portal.count() == 5


def test_requests_sent_before_the_answers_come(clean_portal: LivePortal) -> None:
    """Each longer than a piece that the server reads, so that one brings the start of the next."""
    body = BODY.ljust(20_000)
    good = head(clean_portal, f"Content-Length: {len(body)}", "Idempotency-Key: {}") + body
    with Caller(clean_portal) as caller:
        caller.send(b"".join(good.replace(b"{}", b"k-%d" % number, 1) for number in range(5)))
        assert [caller.answer()[0] for _ in range(5)] == [200] * 5
    assert clean_portal.count() == 5


EARLY = {
    "no key": (b"POST /insert-postgres HTTP/1.1\r\nHost: 127.0.0.1\r\n", 401),
    "an unknown address": (b"POST /nulla HTTP/1.1\r\nHost: 127.0.0.1\r\n", 404),
    "a host that is not ours": (b"POST /insert-postgres HTTP/1.1\r\nHost: altrove\r\n", 400),
}


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize("size", [0, 100, 100_000, 5_000_000])
def test_after_an_early_answer_the_connection_is_in_step(
    clean_portal: LivePortal, name: str, size: int
) -> None:
    """The body of a refused request is never taken for the next request."""
    start, status = EARLY[name]
    inner = head(clean_portal, f"Content-Length: {len(BODY)}") + BODY
    body = inner.ljust(size)[:size] if size else b""
    next_one = head(clean_portal, target="GET /status?esecuzione=0")
    with Caller(clean_portal) as caller:
        caller.send(start + b"Content-Length: %d\r\n\r\n" % size + body)
        assert_error(caller.answer(), status)
        try:
            caller.send(next_one)
            assert caller.answer("GET")[0] == 404
        except (ConnectionError, http.client.RemoteDisconnected):
            pass  # closed: as good an end
    assert clean_portal.count() == 0


def test_a_refused_body_that_is_broken_brings_no_second_answer(portal: LivePortal) -> None:
    with Caller(portal) as caller:
        caller.send(b"POST /nulla HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        caller.send(b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n")
        assert_error(caller.answer(), 404)
        assert caller.is_closed()


def test_broken_chunks_are_refused_where_a_form_is_read(portal: LivePortal) -> None:
    with Caller(portal) as caller:
        form = "Content-Type: application/x-www-form-urlencoded"
        cookie = f"Cookie: csrftoken={'a' * 32}"  # without one, the form is not even read
        caller.send(head(portal, CHUNKED[0], form, cookie, target="POST /admin/login/"))
        caller.send(b"xyz\r\n\r\n")
        assert caller.answer()[0] == 403


def test_a_wrong_key_is_answered_before_the_body_is_sent(portal: LivePortal) -> None:
    with Caller(portal) as caller:
        caller.send(
            b"POST /insert-postgres HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: sbagliata\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        assert_error(caller.answer(), 401)
        assert caller.is_closed()


def test_a_client_that_asks_before_it_sends_its_body(clean_portal: LivePortal) -> None:
    with Caller(clean_portal) as caller:
        caller.send(head(clean_portal, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert caller.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert caller.file.readline() == b"\r\n"
        caller.send(BODY)
        assert caller.answer()[0] == 200  # http.client skips a second 100
    assert clean_portal.count() == 1


# --- Without effects ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/insert-postgres", "/run-etl", "/process-transfer", "/aggiorna/ordine"]
)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 405), ("OPTIONS", 200)])
def test_head_and_options_do_nothing(
    clean_portal: LivePortal, path: str, method: str, status: int
) -> None:
    answer = clean_portal.request(method, path, BODY)
    assert answer.status == status
    assert "POST" in answer.headers["Allow"]
    if method == "OPTIONS":
        assert answer.json == {"metodi": ["POST", "OPTIONS"]}
    for table in ("raw_operazione", "lotto_ricevuto", "esecuzione_etl", "django_q_ormq"):
        assert clean_portal.value("default", f"SELECT count(*) FROM {table}") == 0
