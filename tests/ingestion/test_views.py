"""The endpoints of the main job over HTTP, in this process."""

import gzip
import json
import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.utils import timezone
from django_q.models import OrmQ

from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.runs import answers, listing
from ingestion.runs.queue import LOST_AFTER
from production.models import Operazione
from tests.builders import (
    make_active_esecuzione,
    make_dead_esecuzione,
    make_esecuzione,
    make_posted,
    make_posted_cnc,
    make_raw_operazioni,
)
from tests.ingestion.reception.test_twins import in_threads

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
JSON = "application/json"
COUNTERS = ("letti", "caricati", "gia_presenti", "in_errore", "rimanenti")


def post(client, path, body, content_type=JSON, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data, content_type=content_type, headers=headers)


def nothing_is_stored():
    return not (LottoRicevuto.objects.exists() or RawOperazione.objects.exists())


def poll(client, answer):
    """Follows a ``Location`` as a flow does."""
    return client.get(urlsplit(answer["Location"]).path)


# --- POST /insert-postgres and POST /run-etl: the body --------------------------------------

INGESTING = pytest.mark.parametrize("path", ["/insert-postgres", "/run-etl"])


@INGESTING
@pytest.mark.parametrize(
    ("body", "count"),
    [
        ([make_posted(), make_posted_cnc()], 2),
        ([{"codice_pezzo": None}], 1),
        (make_posted(), 1),
        (b'\xef\xbb\xbf[{"codice_pezzo": "\xc3\xa0"}]', 1),
        ([make_posted(peso_effettivo="pesante", timestamp_inizio=[1], anomalia=7)], 1),
    ],
    ids=["array", "almost empty", "one object", "BOM", "wrong values"],
)
def test_records_are_stored(api, path, body, count):
    answer = post(api, path, body)

    assert answer.status_code in {200, 202}
    assert answer.json()["ricevuti"] == count
    assert RawOperazione.objects.count() == count
    assert str(LottoRicevuto.objects.get().pk) == answer.json()["lotto"]


NOT_RECORDS = {
    "not JSON": (b"{'codice_pezzo': 1}", "json_non_valido"),
    "cut": (b'[{"codice_pezzo": "P"}', "json_non_valido"),
    "empty": (b"", "json_non_valido"),
    "blank": (b"  \n", "json_non_valido"),
    "number": (b"7", "formato_non_valido"),
    "string": (b'"ciao"', "formato_non_valido"),
    "null": (b"null", "formato_non_valido"),
    "true": (b"true", "formato_non_valido"),
    "false": (b"false", "formato_non_valido"),
    "NaN": (b'[{"peso_effettivo": NaN}]', "json_non_valido"),
    "Infinity": (b'[{"peso_effettivo": -Infinity}]', "json_non_valido"),
    "duplicate key": (b'[{"peso_effettivo": 1, "peso_effettivo": 2}]', "json_non_valido"),
    "not UTF-8": ('[{"codice_pezzo": "à"}]'.encode("latin-1"), "json_non_valido"),
    "UTF-16": ('[{"codice_pezzo": "à"}]'.encode("utf-16"), "json_non_valido"),
    "unknown object": (b'{"foo": 1}', "record_non_valido"),
    "empty object": (b"{}", "record_non_valido"),
    "array of arrays": (b'[[{"codice_pezzo": "P"}]]', "record_non_valido"),
    "deep": (
        b'[{"codice_pezzo": "P", "x": ' + b"[" * 900 + b"]" * 900 + b"}]",
        "json_non_valido",
    ),
    "endless": (b"[" * 100_000, "json_non_valido"),
}


@INGESTING
@pytest.mark.parametrize(("body", "codice"), list(NOT_RECORDS.values()), ids=list(NOT_RECORDS))
def test_what_holds_no_records_is_refused_whole(api, path, body, codice):
    answer = post(api, path, body)

    assert answer.status_code == 400
    assert answer.json()["codice"] == codice
    assert answer.json()["error"].endswith(".")
    assert nothing_is_stored()
    assert not EsecuzioneEtl.objects.exists()


@INGESTING
def test_one_wrong_element_refuses_all_and_is_named(api, path):
    answer = post(api, path, [make_posted(), {"foo": 1}, make_posted(), 3])

    assert answer.status_code == 400
    assert [detail["indice"] for detail in answer.json()["dettagli"]] == [1, 3]
    assert nothing_is_stored()


@INGESTING
@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=xyz"],
)
def test_a_form_is_refused(api, path, content_type):
    answer = post(api, path, [make_posted()], content_type)

    assert answer.status_code == 415
    assert answer.json()["codice"] == "tipo_contenuto_non_ammesso"
    assert nothing_is_stored()


@INGESTING
@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-8", "x/y"])
def test_json_is_read_whatever_its_content_type(api, path, content_type):
    assert post(api, path, [make_posted()], content_type).status_code in {200, 202}


@INGESTING
class TestSize:
    def test_ten_thousand_records_are_stored(self, api, path):
        answer = post(api, path, [{"codice_pezzo": None}] * 10_000)

        assert answer.json()["ricevuti"] == 10_000
        assert RawOperazione.objects.count() == 10_000

    def test_one_more_is_refused(self, api, path):
        answer = post(api, path, [{"codice_pezzo": None}] * 10_001)

        assert answer.status_code == 413
        assert answer.json()["codice"] == "troppi_record"
        assert nothing_is_stored()

    def test_ten_megabytes_are_read(self, api, path):
        body = b'[{"codice_pezzo": "P"}]'.ljust(10 * 1024 * 1024)

        assert post(api, path, body).status_code in {200, 202}
        assert gzip.decompress(bytes(LottoRicevuto.objects.get().corpo)) == body

    def test_one_more_byte_is_refused(self, api, path):
        answer = post(api, path, b'[{"codice_pezzo": "P"}]'.ljust(10 * 1024 * 1024 + 1))

        assert answer.status_code == 413
        assert answer.json()["codice"] == "corpo_troppo_grande"
        assert nothing_is_stored()


# --- POST /insert-postgres ------------------------------------------------------------------


def test_insert_answers_what_was_stored(api):
    answer = post(api, "/insert-postgres", [make_posted()] * 3)

    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Dati inseriti con successo in PostgreSQL.",
        "lotto": str(LottoRicevuto.objects.get().pk),
        "ricevuti": 3,
        "inseriti": 3,
        "duplicato": False,
    }
    assert not EsecuzioneEtl.objects.exists()


def test_no_record_is_stored_and_answered_as_such(api):
    answer = post(api, "/insert-postgres", [])

    assert answer.status_code == 200
    assert (answer.json()["ricevuti"], answer.json()["inseriti"]) == (0, 0)
    assert not RawOperazione.objects.exists()


@INGESTING
def test_the_same_body_again_is_stored_once_and_said_so(api, path):
    """The other ways in which a request is known again are in test_retries.py."""
    first, again = (post(api, path, [make_posted(), make_posted_cnc()]) for _ in range(2))

    assert again.status_code == first.status_code
    assert again.json() == first.json() | {"inseriti": 0, "duplicato": True}
    assert again["Idempotency-Replayed"] == "true"
    assert LottoRicevuto.objects.count() == 1
    assert RawOperazione.objects.filter(lotto=first.json()["lotto"]).count() == 2
    assert RawOperazione.objects.count() == 2


def test_records_are_taken_with_mysql_away(api, production_away):
    with production_away():
        answer = post(api, "/insert-postgres", [make_posted()])

    assert answer.status_code == 200
    assert RawOperazione.objects.count() == 1


# --- POST /run-etl --------------------------------------------------------------------------


def test_run_etl_queues_a_run(api, anonymous, plant, run_queue):
    answer = post(api, "/run-etl", [make_posted(), make_posted_cnc()])

    assert answer.status_code == 202
    assert answer.json()["status"] == "ETL avviato."
    assert answer.json()["lotto"] == str(LottoRicevuto.objects.get().pk)
    assert [answer.json()[name] for name in ("ricevuti", "inseriti")] == [2, 2]
    assert answer.json()["esecuzione"]["stato"] == "IN_CODA"
    assert run_queue() == 1
    ended = poll(anonymous, answer)
    assert ended.status_code == 200
    assert ended.json()["esecuzione"]["id"] == answer.json()["esecuzione"]["id"]
    assert ended.json()["esecuzione"]["caricati"] == 2


def test_run_etl_without_records_has_nothing_to_run(api):
    answer = post(api, "/run-etl", [])

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "Nessun record da trasferire.",
        "lotto": str(LottoRicevuto.objects.get().pk),
        "ricevuti": 0,
        "inseriti": 0,
        "duplicato": False,
    }
    assert not OrmQ.objects.exists()


def test_run_etl_with_other_records_joins_the_run_that_waits(api):
    first = post(api, "/run-etl", [make_posted()])
    second = post(api, "/run-etl", [make_posted(peso_effettivo=12)])

    assert second.status_code == 202
    assert second.json()["duplicato"] is False
    assert second.json()["esecuzione"] == first.json()["esecuzione"]
    assert RawOperazione.objects.count() == 2
    assert OrmQ.objects.count() == 1


def test_run_etl_is_never_refused_for_an_active_run(api):
    active = make_active_esecuzione()

    answer = post(api, "/run-etl", [make_posted()])

    assert answer.status_code == 202
    assert answer.json()["esecuzione"]["id"] != active.pk
    assert RawOperazione.objects.count() == 1


# --- POST /process-transfer -----------------------------------------------------------------


@pytest.fixture
def short_wait(settings):
    settings.RUN_WAIT_SECONDS = 0.1


@pytest.mark.parametrize("body", [b"", b"{}", b"anything"])
def test_a_transfer_that_ends_in_time_is_answered_with_its_counters(api, plant, worker, body):
    make_raw_operazioni(3)

    answer = post(api, "/process-transfer", body)

    assert answer.status_code == 200
    run = answer.json()["esecuzione"]
    assert answer.json()["message"] == "3 record caricati."
    assert (run["stato"], run["origine"], run["avviata_da"]) == ("OK", "api", "API_KEY")
    assert [run[name] for name in COUNTERS] == [3, 3, 0, 0, 0]
    assert Operazione.objects.count() == 3


def test_the_same_transfer_again_moves_nothing(api, plant, worker):
    make_raw_operazioni(3)
    post(api, "/process-transfer", b"")

    again = post(api, "/process-transfer", b"")

    assert again.status_code == 200
    assert [again.json()["esecuzione"][name] for name in COUNTERS] == [0] * 5
    assert Operazione.objects.count() == 3


def test_a_transfer_that_takes_longer_is_answered_with_where_to_ask(api, short_wait):
    answer = post(api, "/process-transfer", b"")

    assert answer.status_code == 202
    assert answer["Location"].startswith("http://testserver/esecuzioni/")
    assert int(answer["Retry-After"]) >= 5
    assert answer.json()["esecuzione"]["stato"] == "IN_CODA"


def test_the_location_works_without_the_key_until_the_end(
    api, anonymous, plant, run_queue, short_wait
):
    make_raw_operazioni(2)
    answer = post(api, "/process-transfer", b"")

    waiting = poll(anonymous, answer)
    assert waiting.status_code == 202
    assert waiting["Location"].startswith("http://testserver/")
    assert int(waiting["Retry-After"]) >= 5
    assert waiting.json()["esecuzione"] == answer.json()["esecuzione"]

    run_queue()
    ended = poll(anonymous, waiting)
    assert ended.status_code == 200
    assert ended.json()["esecuzione"]["id"] == answer.json()["esecuzione"]["id"]
    assert ended.json()["esecuzione"]["caricati"] == 2
    assert poll(anonymous, waiting).json() == ended.json()


@pytest.mark.parametrize("prefer", ["respond-async", "wait=5, respond-async"])
def test_a_caller_that_prefers_it_is_not_kept_waiting(api, settings, no_pauses, prefer):
    settings.RUN_WAIT_SECONDS = 20

    answer = post(api, "/process-transfer", b"", Prefer=prefer)

    assert answer.status_code == 202
    assert no_pauses == []


def test_a_run_that_is_active_already_is_answered(api):
    active = make_active_esecuzione()

    answer = post(api, "/process-transfer", b"")

    assert answer.status_code == 202
    assert answer.json()["gia_in_esecuzione"] is True
    assert answer.json()["esecuzione"]["id"] == active.pk
    assert answer["Location"]
    assert int(answer["Retry-After"]) >= 5
    assert not OrmQ.objects.exists()


def test_a_dead_run_is_not_taken_for_active(api, plant, worker):
    dead = make_dead_esecuzione()
    make_raw_operazioni(1)

    answer = post(api, "/process-transfer", b"")

    assert answer.status_code == 200
    assert answer.json()["esecuzione"]["id"] != dead.pk
    assert answer.json()["esecuzione"]["caricati"] == 1


@pytest.mark.parametrize("stato", [Stato.ERRORE, Stato.INTERROTTA])
def test_the_poll_of_a_failed_run_ends_with_422(anonymous, stato):
    run = make_esecuzione(stato=stato, messaggio="Errore interno: vedere etl.log.")

    answer = anonymous.get(f"/esecuzioni/{token_of(run.pk)}")

    assert answer.status_code == 422
    assert answer.json()["codice"] == "esecuzione_fallita"
    assert answer.json()["error"] == "Errore interno: vedere etl.log."


def test_a_poll_closes_a_run_whose_process_is_gone(anonymous):
    """Else who follows it would be told to come back for ever."""
    dead = make_dead_esecuzione()

    answers = [anonymous.get(f"/esecuzioni/{token_of(dead.pk)}") for _ in range(2)]

    dead.refresh_from_db()
    assert dead.stato == Stato.INTERROTTA
    assert {answer.status_code for answer in answers} == {422}
    assert answers[0].json()["error"] == dead.messaggio


def test_a_run_that_dies_while_its_caller_waits_is_answered_at_once(api, settings):
    """Its process is gone: there is nothing to wait for."""
    settings.RUN_WAIT_SECONDS = 1_000_000
    dead = make_dead_esecuzione()
    marks = {name: getattr(dead, name) for name in ("stato", "iniziata_il", "battito_il")}
    EsecuzioneEtl.objects.all().delete()

    def die():
        while not EsecuzioneEtl.objects.filter(stato=Stato.IN_CODA).update(
            **marks, processo="altro-host:1"
        ):
            time.sleep(0.05)

    _, answer = in_threads(die, lambda: post(api, "/process-transfer", b""))

    assert (answer.status_code, answer.json()["codice"]) == (422, "esecuzione_fallita")


def test_a_poll_closes_a_run_that_never_started(anonymous):
    lost = make_esecuzione(creata_il=timezone.now() - LOST_AFTER - timedelta(minutes=1))
    other = make_esecuzione()

    assert anonymous.get(f"/esecuzioni/{token_of(lost.pk)}").status_code == 422
    assert anonymous.get(f"/esecuzioni/{token_of(other.pk)}").status_code == 202


def test_a_poll_leaves_a_living_run_alone(anonymous):
    active = make_active_esecuzione()

    answer = anonymous.get(f"/esecuzioni/{token_of(active.pk)}")

    assert (answer.status_code, answer.json()["esecuzione"]["stato"]) == (202, "IN_CORSO")


@pytest.mark.parametrize(
    ("path", "body"), [("/run-etl", [make_posted()]), ("/process-transfer", b"")]
)
def test_the_location_is_https_behind_a_proxy_that_ends_tls(
    api, anonymous, settings, short_wait, path, body
):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    proxied = {"Host": "testserver", "X-Forwarded-Proto": "https"}

    answer = post(api, path, body, **proxied)
    polled = anonymous.get(urlsplit(answer["Location"]).path, headers=proxied)

    for accepted in (answer, polled):
        assert accepted.status_code == 202
        assert accepted["Location"].startswith("https://testserver/esecuzioni/")
        assert accepted["Retry-After"].isdecimal()


def test_a_run_that_did_a_part_has_not_failed(anonymous):
    run = make_esecuzione(stato=Stato.PARZIALE, messaggio="Una parte.")

    assert anonymous.get(f"/esecuzioni/{token_of(run.pk)}").status_code == 200


# --- The signed address ---------------------------------------------------------------------


def token_of(pk, salt=answers.LOCATION_SALT):
    return signing.dumps(pk, salt=salt)


def tampered(token):
    """The same signature over another run."""
    forged = signing.dumps(10**6, salt=answers.LOCATION_SALT)
    return ":".join([forged.split(":")[0], *token.split(":")[1:]])


def test_only_our_own_tokens_open_a_run(anonymous):
    run = make_esecuzione()
    good = token_of(run.pk)

    assert anonymous.get(f"/esecuzioni/{good}").status_code == 202
    for bad in (tampered(good), good[:-1], good + "x", token_of(run.pk, "altro"), "x", str(run.pk)):
        answer = anonymous.get(f"/esecuzioni/{bad}")
        assert answer.status_code == 404, bad
        assert answer.json()["codice"] == "non_trovato"


def test_a_token_of_a_run_that_is_gone(anonymous):
    assert anonymous.get(f"/esecuzioni/{token_of(10**6)}").status_code == 404


def test_a_token_expires(anonymous, monkeypatch):
    run = make_esecuzione()
    later = time.time() + answers.LOCATION_VALID_SECONDS + 60
    token = token_of(run.pk)
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)

    assert anonymous.get(f"/esecuzioni/{token}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_token_changes_nothing(anonymous, method):
    run = make_esecuzione()

    assert anonymous.generic(method, f"/esecuzioni/{token_of(run.pk)}").status_code == 405


# --- GET /status ----------------------------------------------------------------------------


def test_status_before_anything_ran(api):
    answer = api.get("/status")

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        "running",
        "last_run",
        "last_success",
        "last_error",
        "esecuzione",
        "staging",
        "prossime",
        "in_ritardo",
        "worker",
        "db",
        "versione",
    }
    assert (body["running"], body["last_run"], body["last_success"]) == (False, "", "")
    assert (body["last_error"], body["esecuzione"]) == ("", {})
    assert body["staging"] == {
        "pending": 0,
        "processed_24h": 0,
        "error": 0,
        "oldest_pending_s": 0,
    }
    assert body["worker"] == {"vivo": False, "ultimo_battito": ""}
    assert body["db"] == {"postgresql": True, "mysql": True}
    assert body["prossime"]["trasferimento orario"].endswith("Z")
    assert body["versione"]


def test_status_after_a_transfer(api, plant, worker):
    make_raw_operazioni(2)
    run = post(api, "/process-transfer", b"").json()["esecuzione"]

    body = api.get("/status").json()

    assert body["esecuzione"] == run
    assert body["last_run"] == run["iniziata_il"]
    assert body["last_success"] == run["finita_il"]
    assert body["staging"]["processed_24h"] == 2
    assert api.get("/status").json()["staging"] == body["staging"]


def test_status_while_a_run_is_in_course(api):
    active = make_active_esecuzione()

    body = api.get("/status").json()

    assert body["running"] is True
    assert body["last_run"] == listing.iso(active.iniziata_il)


def test_status_with_mysql_away(api, production_away):
    with production_away():
        answer = api.get("/status")

    assert answer.status_code == 200
    assert answer.json()["db"] == {"postgresql": True, "mysql": False}


def test_status_of_one_run(api):
    run = make_esecuzione()

    answer = api.get(f"/status?esecuzione={run.pk}")

    assert answer.status_code == 200
    assert answer.json() == {"esecuzione": listing.as_json(run)}


@pytest.mark.parametrize("wanted", ["", "x", "-1", "0", "9" * 30, "9" * 5000, "1.0", "²"])
def test_status_of_a_run_that_is_not_there(api, wanted):
    answer = api.get(f"/status?esecuzione={wanted}")

    assert answer.status_code == 404
    assert answer.json()["codice"] == "non_trovato"


def test_a_run_that_never_started_has_no_time(api):
    run = make_esecuzione(creata_il=timezone.now() - timedelta(hours=2))

    assert api.get(f"/status?esecuzione={run.pk}").json()["esecuzione"]["iniziata_il"] == ""


def test_one_caller_too_many_does_not_wait(api, monkeypatch, no_pauses, settings):
    """Each that waits holds a thread of the web server."""
    settings.RUN_WAIT_SECONDS = 20
    monkeypatch.setattr(answers, "_waiting", threading.BoundedSemaphore(1))
    answers._waiting.acquire()

    answer = api.post("/process-transfer")

    assert answer.status_code == 202
    assert answer.json()["esecuzione"]["stato"] == "IN_CODA"
    assert no_pauses == []


def test_who_has_waited_makes_room(api, monkeypatch, settings):
    settings.RUN_WAIT_SECONDS = 0.1
    monkeypatch.setattr(answers, "_waiting", threading.BoundedSemaphore(1))

    for _ in range(2):
        api.post("/process-transfer")

    assert answers._waiting.acquire(blocking=False)
