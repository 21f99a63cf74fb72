"""Nothing that is secret, and nothing of what was sent, is ever in a log.

Secrets are planted wherever something can come in: settings, headers, addresses, forms, bodies,
rows put in by hand, and errors of each server; then every file that a process wrote is searched.
"""

import json
import secrets
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.portal import LivePortal

FIELDS = (
    *("id_ordine", "codice_pezzo", "codice_macchinario", "codice_operatore"),
    *("timestamp_inizio", "timestamp_fine", "tipo_operazione", "peso_effettivo"),
    *("temperatura_effettiva", "numero_pezzi_ora", "tipo_fermo"),
)
HEADERS = (
    *("X-API-KEY", "Authorization", "Cookie", "Idempotency-Key", "x-ms-action-tracking-id"),
    *("x-ms-workflow-run-id", "X-Request-ID", "User-Agent", "Referer", "X-Forwarded-For", "Prefer"),
    *("Accept-Language", "Content-Encoding"),
)
BAD_PATHS = ("/status/{}", "/esecuzioni/{}", "/{}", "/admin/{}", "/api/v1/{}/insert-postgres")
BAD_QUERIES = (
    *("/status?X-API-KEY={}", "/status?esecuzione={}", "/logs?q={}", "/logs?level={}"),
    *("/clear-logs?file={}", "/actions?prima_di={}", "/anomalie/nuove?dopo={}", "/ordine?{}=1"),
)
BAD_BODIES = (
    *("{}", '"{}"', '["{}"]', '[{{"{}": 1}}]', '[{{"peso_effettivo": {}}}]'),
    *('[{{"{0}": 1, "{0}": 2}}]', "[{{'codice_pezzo': '{}'}}]"),
)

# Heads that never reach the application: the server itself refuses them.
BAD_HEADS = (
    *("GET /status HTTP/1.1\r\nX-API-KEY {}\r\n\r\n", '[{{"note": "{}"}}]\r\n\r\n'),
    *("GET /status?X-API-KEY={} HTTP/9\r\n\r\n", "GET /sta tus?chiave={} HTTP/1.1\r\n\r\n"),
    *("{} /status HTTP/1.1\r\n\r\n", "POST /status HTTP/1.1\r\nTransfer-Encoding: {}\r\n\r\n"),
    *("GET /status HTTP/1.1\r\nExpect: {}\r\n\r\n", "GET /status HTTP/1.1\r\n{} : 1\r\n\r\n"),
    *("GET /status HTTP/1.1\r\nA: b\r\n {}\r\n\r\n", "GET /status HTTP/1.1\nX-API-KEY: {}\n\n"),
    *("POST /status HTTP/1.1\r\nContent-Length: {}\r\n\r\n", "GET /{} HTTP/1.1\r\nHost: x\r\n"),
)
# Broken chunks: of a body that is read, and of one that is not.
BAD_CHUNKS = ("X-API-KEY: {key}\r\n", "")


class Plants:
    """Makes secrets, and remembers each with the place that it was put in."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def put(self, place: str) -> str:
        secret = "S3greto" + secrets.token_hex(8)
        self.places[secret] = place
        return secret


@pytest.fixture(scope="module")
def plants() -> Plants:
    return Plants()


@pytest.fixture(scope="module")
def portal(plants: Plants) -> Iterator[LivePortal]:
    settings = {
        "SECRET_KEY": plants.put("SECRET_KEY") * 3,
        "API_KEY_PEPPER": plants.put("API_KEY_PEPPER"),
        "LOG_LEVEL": "DEBUG",
        "LOG_QUERY_LENTE_MS": "0.001",
        "LOG_CARICO_RIGHE": "1",
    }
    with LivePortal(settings=settings) as portal:
        yield portal


def record(plants: Plants, field: str) -> dict[str, Any]:
    return {"tipo_operazione": "forgiatura", field: plants.put(f"field {field}")}


def send_bodies(portal: LivePortal, plants: Plants) -> None:
    records = [record(plants, field) for field in (*FIELDS, "note", "anomalia", plants.put("key"))]
    assert portal.post("/insert-postgres", records).status == 200
    assert portal.post("/run-etl", [record(plants, "note")]).status == 202
    for body in BAD_BODIES:
        answer = portal.request("POST", "/insert-postgres", body.format(plants.put(f"body {body}")))
        assert answer.status == 400


def send_headers(portal: LivePortal, plants: Plants) -> None:
    for name in HEADERS:
        secret = plants.put(f"header {name}")
        key = secret if name == "X-API-KEY" else ""
        headers = {} if key else {name: secret}
        # Too long to be taken over as the request's own id.
        headers = {name: secret * 4} if name == "X-Request-ID" else headers
        body = json.dumps([record(plants, "codice_pezzo")])
        portal.request("POST", "/insert-postgres", body, key=key, headers=headers)


def send_addresses(portal: LivePortal, plants: Plants) -> None:
    for address in (*BAD_PATHS, *BAD_QUERIES):
        answer = portal.request("GET", address.format(quote(plants.put(address))))
        assert answer.status < 500
    host = {"Host": plants.put("Host")}
    assert portal.request("GET", "/status", headers=host).status == 400


def send_raw(portal: LivePortal, plants: Plants) -> None:
    for head in BAD_HEADS:
        answer = exchange(portal.port, head.format(plants.put(f"head {head}")))
        assert answer[:10] in {b"HTTP/1.1 4", b""}
    for key in BAD_CHUNKS:
        head = "POST /insert-postgres HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        body = f"{plants.put('size of a chunk')}\r\n\r\n"
        answer = exchange(portal.port, head + key.format(key=portal.key) + "\r\n" + body)
        assert answer.startswith(b"HTTP/1.1 400" if key else b"HTTP/1.1 401")


def exchange(port: int, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
        caller.sendall(request.encode())
        caller.shutdown(socket.SHUT_WR)
        return caller.recv(65536)


def use_named_keys(portal: LivePortal, plants: Plants) -> None:
    for name in ("viva", "revocata"):
        made = portal.manage("crea_chiave", name, "--permessi", "lettura")
        key = made.stdout.strip()
        plants.places[key[-43:]] = f"named key {name}"
        if name == "revocata":
            portal.manage("revoca_chiave", name)
        assert portal.request("GET", "/status", key=key).status == (200 if name == "viva" else 401)


def log_in_wrongly(portal: LivePortal, plants: Plants) -> None:
    page = portal.request("GET", "/admin/login/", key=None)
    token = page.body.split(b'name="csrfmiddlewaretoken" value="')[1].split(b'"')[0].decode()
    cookie = page.headers["Set-Cookie"].split(";")[0]
    form = f"csrfmiddlewaretoken={token}&username={plants.put('user name')}"
    form += f"&password={plants.put('password')}"
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(6):
        portal.request("POST", "/admin/login/", form, key=None, headers=headers)


def break_rows(portal: LivePortal, plants: Plants) -> None:
    """Rows that each server refuses, and a run that ends in error."""
    too_long = plants.put("row put in by hand") * 200
    portal.stage([{"tipo_operazione": "forgiatura", "codice_pezzo": too_long}])
    portal.transfer()
    portal.sql("production", "ALTER TABLE forgiatura RENAME TO forgiatura_via")
    portal.stage([record(plants, "peso_effettivo"), record(plants, "codice_macchinario")])
    failed = portal.request("POST", "/process-transfer", headers={"Prefer": "respond-async"})
    assert portal.follow(failed).status == 422
    portal.sql("production", "ALTER TABLE forgiatura_via RENAME TO forgiatura")
    portal.transfer()


def written(portal: LivePortal) -> dict[str, str]:
    files = [*portal.folder.glob("*.out"), *portal.folder.glob("logs/**/*.log*")]
    return {file.name: file.read_text(errors="replace") for file in files}


def test_no_log_holds_a_secret_or_what_was_sent(portal: LivePortal, plants: Plants) -> None:
    plants.places[portal.key] = "API_KEY"
    for url in portal.databases.values():
        if password := urlsplit(url).password:
            plants.places[password] = "password of a database"

    for act in (send_bodies, send_headers, send_addresses, send_raw, use_named_keys):
        act(portal, plants)
    log_in_wrongly(portal, plants)
    break_rows(portal, plants)

    logs = written(portal)
    assert len(plants.places) >= 50
    assert "etl.log" in logs
    assert sum(map(len, logs.values())) > 5000  # they were not simply silent
    found = {
        (name, place)
        for name, text in logs.items()
        for secret, place in plants.places.items()
        if secret in text
    }
    assert found == set()
