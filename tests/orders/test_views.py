"""``GET /ordine`` and ``POST /aggiorna/ordine`` over HTTP, in this process."""

import threading
from datetime import date
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client

from ingestion.models import EsecuzioneEtl
from orders.models import MovimentoProduzione, Ordine, PezzoOrdine
from production.models import Pezzo
from tests.builders import make_active_esecuzione, make_raw_operazione
from tests.orders.builders import (
    make_forgiature,
    make_lavorazioni,
    make_ordine_con,
    make_riga,
    make_scorta,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("workshop"),
]

Stato = EsecuzioneEtl.Stato
UPDATE = "/aggiorna/ordine"
MESSAGE = "Ordine aggiornato con successo"


def assert_error(answer, status, codice):
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"error", "codice", "dettagli", "request_id"}
    assert body["codice"] == codice
    assert body["error"].endswith(".")


def everything():
    """Every row of every table of both databases, but where requests are counted."""
    contents = {}
    for alias in connections:
        with connections[alias].cursor() as cursor:
            tables = set(connections[alias].introspection.table_names(cursor))
            for table in tables - {"consumo_chiave"}:
                cursor.execute(f"SELECT * FROM {table}")
                contents[alias, table] = sorted(map(repr, cursor.fetchall()))
    return contents


# --- GET /ordine ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ordine", "/ordine/", "/api/v1/ordine", "/api/v1/ordine/"])
def test_what_to_make_is_a_bare_list_at_every_address(api, path):
    make_riga(8, "PZC01", 10)

    answer = api.get(path)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    (line,) = answer.json()
    assert line["id_pezzo"] == line["codice_pezzo"] == "PZC01"
    assert (line["id_ordine"], line["quantita_da_produrre"]) == (8, 10)
    assert [type(value) for value in line.values()] == [int, str, str, str, int, int, int, bool]


def test_reading_changes_nothing(api):
    """100 calls of each method, with production staged, loaded and counted, and stock."""
    make_riga(8, "PZC01", 10)
    make_riga(9, "PZC20", 10)
    make_ordine_con({"PZC01": 3}, stato="COMPLETATO", data_fine=date(2024, 1, 1))
    make_scorta("PZC01", 50)
    make_forgiature(2)
    make_lavorazioni(3, ordine_id=9)
    make_raw_operazione()
    before = everything()

    answers = [method("/ordine") for method in (api.get, api.head) for _ in range(100)]

    assert everything() == before
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers[:100]}) == 1
    assert {answer.content for answer in answers[100:]} == {b""}


def test_reading_made_up_lines_changes_nothing_after_the_first(api):
    api.get("/ordine")
    before = everything()

    for _ in range(20):
        api.get("/ordine")
        api.head("/ordine")

    assert everything() == before


@pytest.mark.servers
def test_twenty_calls_at_once_make_one_order_and_see_all_its_lines():
    barrier = threading.Barrier(20, timeout=30)
    answers = []

    def call():
        client = Client(headers={"X-API-KEY": django_settings.API_KEY})
        try:
            client.get("/healthz")
            barrier.wait()
            answers.append(client.get("/ordine"))
        finally:
            connections.close_all()

    Ordine.objects.all().delete()
    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.content for answer in answers}) == 1
    assert len(answers[0].json()) == 5
    assert Ordine.objects.count() == 1
    assert PezzoOrdine.objects.count() == 5


@pytest.mark.parametrize(("choice", "count"), [("crea", 5), ("no", 0)])
def test_whether_lines_are_made_up_is_a_setting(api, settings, choice, count):
    settings.ORDINI_FITTIZI = choice

    answer = api.get("/ordine")

    assert (answer.status_code, len(answer.json())) == (200, count)
    assert Ordine.objects.filter(fittizio=True).count() == bool(count)


def test_no_catalogue_no_lines(api):
    Pezzo.objects.all().delete()

    answer = api.get("/ordine")

    assert (answer.status_code, answer.json()) == (200, [])


def test_mysql_away_is_no_empty_list(api, production_away):
    make_riga(8, "PZC01", 10)

    with production_away():
        answer = api.get("/ordine")

    assert_error(answer, 503, "database_non_disponibile")
    assert int(answer["Retry-After"]) >= 5
    assert api.get("/ordine").status_code == 200


@pytest.mark.parametrize("path", ["/ordine", "/api/v1/ordine/", UPDATE])
@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_nothing_without_a_key(anonymous, method, path):
    make_forgiature(1)
    before = everything()

    answer = getattr(anonymous, method)(path)

    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer
    if method != "head":
        assert_error(answer, 401, "chiave_mancante")
    assert everything() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", "/ordine"), ("delete", "/ordine"), ("get", UPDATE), ("put", UPDATE)],
)
def test_other_methods_are_refused(api, method, path):
    assert_error(getattr(api, method)(path), 405, "metodo_non_ammesso")
    assert not EsecuzioneEtl.objects.exists()


# --- POST /aggiorna/ordine ------------------------------------------------------------------


@pytest.mark.parametrize("path", [UPDATE, f"{UPDATE}/", f"/api/v1{UPDATE}"])
def test_an_update_that_ends_in_time_says_what_it_did(api, worker, path):
    make_riga(8, "PZC01", 3)
    make_riga(9, "PZC01", 9)
    make_forgiature(4)
    make_forgiature(2, ordine_id=9)

    answer = api.post(path)

    assert answer.status_code == 200
    body = answer.json()
    run = body.pop("esecuzione")
    assert body == {
        "message": MESSAGE,
        "righe_aggiornate": 2,
        "pezzi_attribuiti": 5,
        "ordini_completati": [8],
        "sovrapproduzione": 1,
    }
    assert (run["tipo"], run["origine"], run["stato"]) == ("ordini", "api", "OK")
    assert (run["letti"], run["caricati"], run["anomalie"]) == (6, 6, 1)
    assert run["avviata_da"] == "API_KEY"


def test_the_same_update_again_changes_nothing(api, worker, order_tables):
    make_riga(8, "PZC01", 3)
    make_forgiature(4)
    api.post(UPDATE)
    before = order_tables()

    answer = api.post(UPDATE)

    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("esecuzione")["letti"] == 0
    assert body == {
        "message": MESSAGE,
        "righe_aggiornate": 0,
        "pezzi_attribuiti": 0,
        "ordini_completati": [],
        "sovrapproduzione": 0,
    }
    assert order_tables() == before


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b""), ("application/json", b"{}"), ("text/plain", b"qualcosa")],
)
def test_the_body_does_not_matter(api, worker, content_type, body):
    make_riga(8, "PZC01", 3)
    make_forgiature(1)

    answer = api.post(UPDATE, body, content_type=content_type)

    assert (answer.status_code, answer.json()["pezzi_attribuiti"]) == (200, 1)


@pytest.mark.parametrize("prefer", ["", "respond-async"])
def test_an_update_that_takes_long_is_followed(api, anonymous, settings, run_queue, prefer):
    settings.RUN_WAIT_SECONDS = 20 if prefer else 0.1
    make_riga(8, "PZC01", 3)
    make_forgiature(1)

    answer = api.post(UPDATE, headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert int(answer["Retry-After"]) >= 5
    assert answer["Location"].startswith("http")
    assert answer.json()["esecuzione"]["stato"] == "IN_CODA"
    poll = urlsplit(answer["Location"]).path
    assert anonymous.get(poll).status_code == 202
    run_queue()
    ended = anonymous.get(poll)
    assert ended.status_code == 200
    assert ended.json()["message"] == MESSAGE
    assert ended.json()["pezzi_attribuiti"] == 1
    assert ended.json()["esecuzione"]["id"] == answer.json()["esecuzione"]["id"]


def test_an_update_in_course_is_answered_instead(api):
    active = make_active_esecuzione(tipo="ordini")

    answer = api.post(UPDATE)

    assert answer.status_code == 202
    assert answer.json()["gia_in_esecuzione"] is True
    assert answer.json()["esecuzione"]["id"] == active.pk
    assert EsecuzioneEtl.objects.count() == 1


def test_a_transfer_in_course_is_none_of_its_business(api, worker):
    make_active_esecuzione()

    assert api.post(UPDATE).status_code == 200


def test_an_update_with_mysql_away_says_so(api, settings, run_queue, production_away, no_pauses):
    settings.RUN_WAIT_SECONDS = 0
    make_riga(8, "PZC01", 3)
    make_forgiature(1)

    answer = api.post(UPDATE)
    with production_away():
        run_queue()

    assert answer.status_code == 202
    ended = api.get(urlsplit(answer["Location"]).path)
    assert (ended.status_code, ended.json()["esecuzione"]["stato"]) == (200, "PARZIALE")
    assert "MySQL" in ended.json()["message"]
    assert ended.json()["pezzi_attribuiti"] == 0
    assert not MovimentoProduzione.objects.exists()


def test_an_update_that_fails_is_a_422_at_the_end(api, settings, run_queue, monkeypatch):
    settings.RUN_WAIT_SECONDS = 0

    def fail(*args):
        raise ZeroDivisionError("password=segreta")

    monkeypatch.setattr("orders.counting.chunk.count_next", fail)
    answer = api.post(UPDATE)
    run_queue()

    ended = api.get(urlsplit(answer["Location"]).path)
    assert_error(ended, 422, "esecuzione_fallita")
    assert "segreta" not in ended.text


@pytest.mark.parametrize("content", ["finiti", "grezzi"])
def test_what_the_stock_holds_is_a_setting(api, worker, settings, content):
    settings.MAGAZZINO_CONTENUTO = content
    make_riga(8, "PZC01", 3)
    scorta = make_scorta("PZC01", 50)
    make_forgiature(3)

    api.post(UPDATE)

    scorta.refresh_from_db()
    assert scorta.quantita_disponibile == {"finiti": 50, "grezzi": 47}[content]
