"""``simula --http``: the same bytes as without, by the portal's own endpoints."""

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.core.management import call_command
from django.db.models import F, Sum

from etlportal.simulation.delivery import HttpPortal, NotDelivered
from ingestion.models import LottoRicevuto, RawOperazione
from orders.models import Ordine, PezzoOrdine
from production.models import AnomaliaOperazione
from tests.etlportal.simulation.test_simula import (
    START,
    as_json,
    hashes,
    make_waiting_order,
    manage,
)

databases = pytest.mark.django_db(databases=["default", "production"], transaction=True)


@databases
@pytest.mark.usefixtures("catalogue")
class TestPortal:
    @pytest.fixture(autouse=True)
    def demo_plant(self, settings, tmp_path):
        settings.DATA_DIR = tmp_path
        call_command("loaddata", "impianto_demo", database="production", verbosity=0)

    def test_gets_the_same_bytes(self, live_server):
        options = ("simula", "--ore", "6", "--seed", "5", *START)
        _, direct = as_json(*options)
        sent = hashes()
        code, report = as_json(*options, "--http", live_server.url)

        assert (code, report) == (0, direct)
        assert hashes() == sent * 2
        last = LottoRicevuto.objects.order_by("uuid").last()
        assert (last.nome_chiave, last.flusso) == ("API_KEY", "simula")

    def test_takes_the_same_simulation_again(self, live_server):
        """Who simulates twice wants the records twice, also within half an hour."""
        options = ("simula", "--ore", "3", "--seed", "5", "--http", live_server.url, *START)
        _, first = as_json(*options)

        assert as_json(*options) == (0, first)
        assert RawOperazione.objects.count() == 2 * first["record"] > 0

    def test_is_asked_what_to_make(self, live_server):
        make_waiting_order()

        manage("simula", "--ore", "2", "--segui", "--http", live_server.url, *START)

        assert RawOperazione.objects.filter(id_ordine="8").count() >= 2

    def test_completes_orders_before_ones_eyes(self, live_server, worker):
        code, printed = manage(
            *("simula", "--ore", "8", "--ordini", "8", "--seed", "1", "--scenario", "pulito"),
            *("--http", live_server.url, "--lavori", "4", *START),
        )

        assert code == 0
        first, second, *_ = printed.splitlines()
        assert first.startswith("20/12 10:00  ordini arrivati 4, record trasferiti 48, ")
        assert second.startswith("20/12 14:00  ordini arrivati 8, record trasferiti 48, ")
        completed = Ordine.objects.filter(stato="COMPLETATO").values_list("pk", flat=True)
        assert len(completed) >= 2
        assert all(f"{pk}" in printed for pk in completed)

    def test_tells_as_json_what_the_jobs_did(self, live_server, worker):
        code, report = as_json(
            *("simula", "--ore", "4", "--ordini", "4", "--seed", "1", "--scenario", "sensore"),
            *("--http", live_server.url, "--lavori", "4", *START),
        )

        assert code == 0
        assert report["trasferiti"] == report["record"] == 48
        assert report["anomalie"] == AnomaliaOperazione.objects.exclude(origine="ORDINI").count()
        given = PezzoOrdine.objects.aggregate(n=Sum(F("quantita_totale") - F("quantita_rimanente")))
        assert report["pezzi_attribuiti"] == given["n"] > 0
        completed = Ordine.objects.filter(stato="COMPLETATO").values_list("pk", flat=True)
        assert report["ordini_completati"] == sorted(completed)

    def test_runs_its_jobs_for_what_is_left_at_the_end(self, live_server, worker):
        _, printed = manage(
            *("simula", "--ore", "3", "--ordini", "0", "--scenario", "pulito", "--lavori", "2"),
            *("--http", live_server.url, *START),
        )

        moved = [line for line in printed.splitlines() if "record trasferiti" in line]
        assert [line[:11] for line in moved] == ["20/12 08:00", "20/12 09:00"]
        assert "record trasferiti 12," in moved[1]

    def test_that_does_not_know_the_key_says_so(self, live_server):
        with pytest.raises(NotDelivered, match=r"ha risposto 401\."):
            HttpPortal(live_server.url, "sbagliata").check()

    def test_that_is_not_there_gets_no_orders(self, no_pauses):
        code, told = manage("simula", "--ore", "1", "--http", "http://127.0.0.1:1", *START)

        assert code == 1
        assert "http://127.0.0.1:1 non risponde" in told
        assert len(no_pauses) == 3
        assert Ordine.objects.count() == 0


KEYS: list = []  # the idempotency keys of what was asked


class Scripted(BaseHTTPRequestHandler):
    """Answers what it is told, one after the other: (status, headers, body)."""

    answers: list
    asked: list
    keys: list

    def answer(self):
        self.asked.append((self.command, self.path, self.headers.get("X-API-KEY")))
        self.keys.append(self.headers.get("Idempotency-Key"))
        status, headers, body = self.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value.replace("HERE", f"http://127.0.0.1:{self.port}"))
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_GET = do_POST = answer  # noqa: N815 - names that http.server calls

    @property
    def port(self):
        return self.server.server_address[1]

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    """``scripted(*answers)``: a portal that gives these answers, and the list of what was asked."""
    servers = []
    KEYS.clear()

    def start(*answers):
        handler = type(
            "Handler", (Scripted,), {"answers": list(answers), "asked": [], "keys": KEYS}
        )
        server = HTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return HttpPortal(f"http://127.0.0.1:{server.server_address[1]}/", "chiave"), handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that would have been waited."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


class TestPassingFailures:
    def test_are_tried_again_after_what_the_portal_says(self, scripted, pauses):
        portal, asked = scripted(
            (503, {"Retry-After": "7"}, {}), (429, {}, {}), (200, {}, {"inseriti": 1})
        )

        portal.send([{}], b"[{}]")

        assert asked == [("POST", "/insert-postgres", "chiave")] * 3
        assert [pause for pause in pauses if pause >= 1] == [7, 2]
        assert len(set(KEYS)) == 1

    def test_of_two_batches_are_told_apart(self, scripted, pauses):
        portal, _ = scripted(*[(200, {}, {})] * 2)

        for _ in range(2):
            portal.send([{}], b"[{}]")

        assert len(set(KEYS)) == 2

    def test_are_not_tried_for_ever(self, scripted, pauses):
        portal, asked = scripted(*[(503, {}, {})] * 9)

        with pytest.raises(NotDelivered, match="ha risposto 503"):
            portal.send([{}], b"[{}]")
        assert len(asked) == 4

    def test_are_not_those_that_a_retry_cannot_cure(self, scripted, pauses):
        portal, asked = scripted(*[(400, {}, {})] * 9)

        with pytest.raises(NotDelivered, match="ha risposto 400"):
            portal.send([{}], b"[{}]")
        assert len(asked) == 1


def test_a_run_is_followed_to_its_end(scripted, pauses):
    moved, counted = {"esecuzione": {"caricati": 3}}, {"ordini_completati": []}
    portal, asked = scripted(
        (202, {"Location": "HERE/esecuzioni/x"}, {}),
        (202, {"Location": "HERE/esecuzioni/x"}, {}),
        (200, {}, moved),
        (200, {}, counted),
    )

    assert portal.run_jobs() == (moved, counted)
    assert [(method, path) for method, path, _ in asked] == [
        ("POST", "/process-transfer"),
        ("GET", "/esecuzioni/x"),
        ("GET", "/esecuzioni/x"),
        ("POST", "/aggiorna/ordine"),
    ]


def test_fictitious_lines_are_nobodys(scripted):
    line = {"id_ordine": 8, "codice_pezzo": "PZC01", "quantita_da_produrre": 2}
    portal, _ = scripted((200, {}, [line | {"fittizio": False}, line | {"fittizio": True}]))

    assert portal.waiting() == [(8, "PZC01", 2)]
