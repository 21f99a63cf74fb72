"""The caller of the tests keeps to what Power Automate does, against a scripted server."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.flow_engine import ActionFailed, FlowEngine

KEY = "chiave"
HANG_UP = "hang up"


class Scripted(BaseHTTPRequestHandler):
    answers: list
    asked: list

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        script = self.answers.pop(0)
        if script == HANG_UP:
            return
        status, headers, *slow = script
        body = json.dumps({"n": len(self.asked)}).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            here = f"http://127.0.0.1:{self.server.server_address[1]}"
            self.send_header(name, value.replace("HERE", here))
        self.end_headers()
        for byte in body:
            time.sleep(slow[0] if slow else 0)
            self.wfile.write(bytes([byte]))

    do_GET = do_POST = answer  # noqa: N815 - names that http.server calls

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    """``scripted(*answers)``: an engine for a server that gives them, and what it was asked."""
    servers = []

    def start(*answers, **options):
        handler = type("Handler", (Scripted,), {"answers": list(answers), "asked": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        return FlowEngine(url, KEY, **({"scale": 0} | options)), handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def engine_headers(request):
    return {name: value for name, value in request[2].items() if name.startswith("x-ms-")}


@pytest.mark.parametrize("failure", [HANG_UP, *((code, {}) for code in (408, 429, 500, 503))])
def test_a_passing_failure_is_sent_again_the_same(scripted, failure):
    engine, asked = scripted(failure, failure, (200, {}))

    assert engine.post("/x", [{"a": 1}]).json == {"n": 3}

    first, *again = asked
    assert engine_headers(first)["x-ms-action-tracking-id"]
    assert engine_headers(first)["x-ms-workflow-name"] == "Produzione"
    for request in again:
        assert engine_headers(request) == engine_headers(first)
        assert request[3] == first[3] == b'[{"a": 1}]'
    assert engine.pauses == [7.5, 15]


def test_each_action_has_an_id_of_its_own_and_the_run_one(scripted):
    engine, asked = scripted((200, {}), (200, {}))

    engine.post("/x", [])
    engine.get("/y")

    first, second = map(engine_headers, asked)
    assert first["x-ms-action-tracking-id"] != second["x-ms-action-tracking-id"]
    assert first["x-ms-workflow-run-id"] == second["x-ms-workflow-run-id"]


def test_waits_for_as_long_as_it_is_told(scripted):
    engine, _ = scripted((503, {"Retry-After": "30"}), (429, {"Retry-After": "1"}), (200, {}))

    engine.get("/x")

    assert engine.pauses == [30, 1]


def test_gives_up_in_the_end(scripted):
    engine, asked = scripted(*[(503, {})] * 9)

    with pytest.raises(ActionFailed) as failure:
        engine.get("/x")

    assert (failure.value.status, len(asked)) == (503, 5)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 301, 302, 307])
def test_nothing_else_is_sent_again(scripted, status):
    engine, asked = scripted((status, {"Location": "HERE/y"}), (200, {}))

    with pytest.raises(ActionFailed) as failure:
        engine.post("/x", [])

    assert (failure.value.status, len(asked)) == (status, 1)


def test_a_location_is_polled_without_the_key(scripted):
    accepted = (202, {"Location": "HERE/runs/1", "Retry-After": "5"})
    engine, asked = scripted(accepted, (503, {}), accepted, (200, {}))

    assert engine.post("/x", []).json == {"n": 4}

    assert [(method, path) for method, path, *_ in asked] == [
        ("POST", "/x"),
        *[("GET", "/runs/1")] * 3,
    ]
    assert ["X-API-KEY" in headers for _, _, headers, _ in asked] == [True, False, False, False]
    assert engine.pauses == [5, 7.5, 5]


def test_a_poll_that_ends_badly_fails_the_action(scripted):
    engine, _ = scripted((202, {"Location": "HERE/y"}), (422, {}))

    with pytest.raises(ActionFailed, match="422"):
        engine.post("/x", [])


def test_an_answer_that_comes_drop_by_drop_is_cut(scripted):
    engine, asked = scripted((200, {}, 0.2), (200, {}), cut_after=0.5)

    assert engine.get("/x").json == {"n": 2}
    assert len(asked) == 2


def test_half_an_answer_is_none(scripted):
    engine, asked = scripted((200, {"Content-Length": "99", "Connection": "close"}), (200, {}))

    assert engine.get("/x").json == {"n": 2}
    assert len(asked) == 2
