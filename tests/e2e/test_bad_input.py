"""What is not a list of operations: a clear answer, and nothing of it stored."""

import json
import socket
from typing import Any

import pytest

from tests.e2e.mixed_records import plant_records
from tests.portal import Answer, LivePortal

INGESTING = ("/insert-postgres", "/run-etl")
TABLES = ("raw_operazione", "lotto_ricevuto", "esecuzione_etl", "django_q_ormq")
GOOD = {"tipo_operazione": "cnc", "codice_pezzo": "PZC03", "numero_pezzi_ora": 2}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def records_body(count: int) -> bytes:
    return json.dumps(list(plant_records(count))).encode()


# name: (body, headers, status, code, position that the details must name)
REFUSED: dict[str, tuple[bytes | None, dict[str, str], int, str, list[int]]] = {
    "not JSON": (b"codice_pezzo=PZC01", {}, 400, "json_non_valido", []),
    "JSON with a trailing comma": (b'[{"codice_pezzo": "8"},]', {}, 400, "json_non_valido", []),
    "JSON cut short": (records_body(200)[:-20], {}, 400, "json_non_valido", []),
    "not UTF-8": ('[{"codice_pezzo": "è"}]'.encode("latin-1"), {}, 400, "json_non_valido", []),
    "NaN": (b'[{"peso_effettivo": NaN}]', {}, 400, "json_non_valido", [0]),
    "a key twice": (
        b'[{"codice_pezzo": "1", "codice_pezzo": "2"}]',
        {},
        400,
        "json_non_valido",
        [0],
    ),
    "no body": (None, {}, 400, "json_non_valido", []),
    "an empty body": (b"", {}, 400, "json_non_valido", []),
    "spaces": (b" \r\n ", {}, 400, "json_non_valido", []),
    "nested 5,000 deep": (b"[" * 5000 + b"]" * 5000, {}, 400, "", []),
    "a number": (b"42", {}, 400, "formato_non_valido", []),
    "a word": (b'"ciao"', {}, 400, "", []),
    "true": (b"true", {}, 400, "formato_non_valido", []),
    "null": (b"null", {}, 400, "formato_non_valido", []),
    "an object of unknown keys": (b'{"a": 1, "b": 2}', {}, 400, "record_non_valido", [0]),
    "unknown keys after a good record": (
        json.dumps([GOOD, {"a": 1}, GOOD, {"b": 2}]).encode(),
        {},
        400,
        "record_non_valido",
        [1, 3],
    ),
    "elements that are no objects": (
        json.dumps([GOOD, 3, None, "x", [GOOD]]).encode(),
        {},
        400,
        "record_non_valido",
        [1, 2, 3, 4],
    ),
    "11,000 records": (records_body(11_000), {}, 413, "troppi_record", []),
    "more than 10 MB": (
        json.dumps([GOOD | {"nota": "x" * 11_000_000}]).encode(),
        {},
        413,
        "corpo_troppo_grande",
        [],
    ),
    "a form": (b"codice_pezzo=PZC01", FORM, 415, "", []),
    "a form of parts": (b"--x--", MULTIPART, 415, "", []),
}


@pytest.fixture(scope="module", autouse=True)
def no_records(portal: LivePortal) -> None:
    """Nothing here stores anything, so it is enough to start from nothing."""
    portal.empty()


def stored(portal: LivePortal) -> dict[str, int]:
    return {table: portal.value("default", f"SELECT count(*) FROM {table}") for table in TABLES}


def assert_one_error_shape(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    error = answer.json
    assert error.keys() == {"error", "codice", "dettagli", "request_id"}
    assert error["error"].strip()
    assert error["codice"].strip()
    assert error["request_id"] == answer.headers["X-Request-ID"] != ""
    for word in ("Traceback", "SELECT", "INSERT", "psycopg2", "MySQLdb", "Exception", "127.0.0.1"):
        assert word not in answer.body.decode()
    return error


@pytest.mark.parametrize("path", INGESTING)
@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_body_is_refused_whole(portal: LivePortal, path: str, name: str) -> None:
    body, headers, status, code, positions = REFUSED[name]
    answer = portal.request("POST", path, body, headers=headers)
    error = assert_one_error_shape(answer, status)
    if code:
        assert error["codice"] == code
    assert [detail["indice"] for detail in error["dettagli"]] == positions
    assert stored(portal) == dict.fromkeys(TABLES, 0)


@pytest.mark.parametrize("path", [*INGESTING, "/process-transfer", "/api/v1/insert-postgres/"])
@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "chiave_mancante"), ("x", "chiave_non_valida"), ("èè€", "chiave_non_valida")],
)
def test_without_the_key_nothing_happens(
    portal: LivePortal, path: str, key: str | None, code: str
) -> None:
    sent = key.encode("utf-8").decode("latin-1") if key else key
    answer = portal.request("POST", path, json.dumps([GOOD]), key=sent)
    error = assert_one_error_shape(answer, 401)
    assert error["codice"] == code
    assert answer.headers["WWW-Authenticate"]
    assert stored(portal) == dict.fromkeys(TABLES, 0)


def test_status_needs_the_key_and_healthz_does_not(portal: LivePortal) -> None:
    assert_one_error_shape(portal.request("GET", "/status", key=None), 401)
    health = portal.request("GET", "/healthz", key=None)
    assert (health.status, health.json) == (200, {"ok": True})
    assert health.headers["Content-Type"] == "application/json; charset=utf-8"


def test_the_key_is_checked_before_the_body_is_read(portal: LivePortal) -> None:
    """The body is announced and never sent: whoever waits for it does not answer."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as caller:
        caller.sendall(
            b"POST /insert-postgres HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: sbagliata\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        )
        answer = caller.recv(100)
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/insert-postgres", 405),
        ("PUT", "/run-etl", 405),
        ("GET", "/non-esiste", 404),
        ("GET", "/status?esecuzione=999999", 404),
        ("GET", "/status?esecuzione=%27%20OR%201=1", 404),
        ("GET", "/status?esecuzione=99999999999999999999", 404),
        ("GET", "/esecuzioni/inventata", 404),
    ],
)
def test_a_wrong_address_or_method(portal: LivePortal, method: str, path: str, status: int) -> None:
    assert_one_error_shape(portal.request(method, path), status)


def test_the_next_good_request_is_stored(portal: LivePortal) -> None:
    """10,000 is the most that one request may hold, and nothing refused stands in its way."""
    answer = portal.request("POST", "/insert-postgres", records_body(10_000))
    assert (answer.status, answer.json["inseriti"]) == (200, 10_000)
    assert stored(portal)["raw_operazione"] == 10_000
    portal.empty()
    assert portal.post("/insert-postgres", []).json["inseriti"] == 0
    assert portal.post("/insert-postgres", GOOD).json["inseriti"] == 1
    assert portal.count("PENDING") == 1
    portal.empty()
