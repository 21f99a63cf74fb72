"""The same request again, over HTTP in this process: one effect, one answer."""

import json
import time
from contextlib import contextmanager
from datetime import timedelta

import hypothesis
import pytest
from django.db import OperationalError, connections
from django.db.models import F
from hypothesis import strategies as st

from etlportal.api.errors import ApiError
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import store
from ingestion.reception.idempotency import KEPT_FOR, Answer
from tests.builders import make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
PATHS = ("/insert-postgres", "/run-etl")
INGESTING = pytest.mark.parametrize("path", PATHS)
KEY = {"Idempotency-Key": "k-1"}
ACTION = {"x-ms-action-tracking-id": "1f2e3d4c-0000-4000-8000-0123456789ab"}
KNOWN_BY = pytest.mark.parametrize("sent_by", [KEY, ACTION], ids=["key", "action"])
BODY = [make_posted(), make_posted(peso_effettivo=12)]
OTHER = [make_posted(peso_effettivo=11.9)]


def post(client, path, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data, content_type="application/json", headers=headers or {})


def told(answer):
    """What a caller sees of an answer, but for the marks of the request itself."""
    names = ("Content-Type", "Location", "Retry-After")
    return answer.status_code, answer.content, [answer.get(name) for name in names]


def stored():
    return LottoRicevuto.objects.count(), RawOperazione.objects.count()


def pass_time(delta):
    """Makes everything older instead."""
    LottoRicevuto.objects.update(ricevuto_il=F("ricevuto_il") - delta)


def encode(receipt):
    return Answer(200, {}, f"{receipt.inseriti} di {receipt.ricevuti}")


def receive(body, *, headers=KEY, nome_chiave="API_KEY", encode=encode):
    data = json.dumps(body).encode()
    sent = store.Post(body, data, nome_chiave, headers, "prova-1")
    return store.receive(sent, timedelta(minutes=30), encode)


# --- The same key, or the same action -------------------------------------------------------


@INGESTING
@KNOWN_BY
def test_five_times_the_same_is_once(api, path, sent_by):
    first, *again = [post(api, path, BODY, sent_by) for _ in range(5)]

    assert first.status_code == (200 if path == PATHS[0] else 202)
    assert "Idempotency-Replayed" not in first
    assert (first.json()["inseriti"], first.json()["duplicato"]) == (2, False)
    for answer in again:
        assert told(answer) == told(first)
        assert answer["Idempotency-Replayed"] == "true"
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Request-ID"] != first["X-Request-ID"]
    assert stored() == (1, 2)
    assert EsecuzioneEtl.objects.count() == (path == PATHS[1])


@KNOWN_BY
def test_the_first_answer_is_given_after_the_run_ended_too(
    api, anonymous, plant, run_queue, sent_by
):
    first = post(api, "/run-etl", BODY, sent_by)
    run_queue()

    again = post(api, "/run-etl", BODY, sent_by)

    assert told(again) == told(first)
    assert again.json()["esecuzione"]["stato"] == "IN_CODA"
    ended = anonymous.get(again["Location"])
    assert (ended.status_code, ended.json()["esecuzione"]["caricati"]) == (200, 2)
    assert run_queue() == 0


@KNOWN_BY
def test_the_location_of_an_answer_works_as_long_as_the_answer_is_given(
    api, anonymous, monkeypatch, sent_by
):
    first = post(api, "/run-etl", BODY, sent_by)
    pass_time(KEPT_FOR - timedelta(minutes=1))
    later = (KEPT_FOR + timedelta(hours=1)).total_seconds()
    clock = time.time
    monkeypatch.setattr("django.core.signing.time.time", lambda: clock() + later)

    again = post(api, "/run-etl", BODY, sent_by)

    assert told(again) == told(first)
    assert anonymous.get(again["Location"]).status_code == 202


@INGESTING
def test_another_body_with_the_same_key_is_refused(api, path):
    post(api, path, BODY, KEY)

    for body in (OTHER, [], json.dumps(BODY, indent=1).encode()):
        answer = post(api, path, body, KEY)
        assert (answer.status_code, answer.json()["codice"]) == (422, "chiave_idempotenza_riusata")
        assert answer.json()["error"].endswith(".")
    assert stored() == (1, 2)
    assert told(post(api, path, BODY, KEY))[0] in {200, 202}


@INGESTING
@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b"])
def test_a_bad_key_is_refused_and_nothing_is_stored(api, path, key):
    answer = post(api, path, BODY, {"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["codice"]) == (400, "chiave_idempotenza_non_valida")
    assert stored() == (0, 0)


@INGESTING
def test_the_longest_key_is_kept(api, path):
    key = {"Idempotency-Key": "x" * 255}

    assert told(post(api, path, BODY, key)) == told(post(api, path, BODY, key))
    assert stored() == (1, 2)


@INGESTING
def test_the_same_action_with_another_body_is_another_request(api, path):
    """A loop in a flow may send several bodies under one id."""
    for body in (BODY, OTHER, BODY, OTHER):
        assert post(api, path, body, ACTION).json()["duplicato"] is False

    assert stored() == (2, 3)


def test_another_key_is_another_request(api):
    for key in ("k-1", "k-2", "K-1"):
        answer = post(api, "/insert-postgres", BODY, {"Idempotency-Key": key})
        assert answer.json()["duplicato"] is False

    assert stored() == (3, 6)


def test_the_same_address_written_otherwise_is_the_same_request(api):
    first = post(api, "/insert-postgres", BODY, KEY)

    assert told(post(api, "/api/v1/insert-postgres/", BODY, KEY)) == told(first)
    assert stored() == (1, 2)


@pytest.mark.parametrize("sent_by", [KEY, ACTION, {}], ids=["key", "action", "bytes"])
def test_what_another_api_key_sends_is_another_request(sent_by):
    for name in ("forgia", "cnc"):
        reply = receive(BODY, headers=sent_by, nome_chiave=name)
        assert not reply.ripetuta

    assert stored() == (2, 4)


@KNOWN_BY
def test_an_answer_is_remembered_for_thirty_days(api, sent_by):
    first = post(api, "/insert-postgres", BODY, sent_by)
    pass_time(KEPT_FOR - timedelta(minutes=1))
    assert told(post(api, "/insert-postgres", BODY, sent_by)) == told(first)

    pass_time(timedelta(minutes=2))
    anew = post(api, "/insert-postgres", BODY, sent_by)

    assert "Idempotency-Replayed" not in anew
    assert anew.json()["lotto"] != first.json()["lotto"]
    assert told(post(api, "/insert-postgres", BODY, sent_by)) == told(anew)
    assert stored() == (2, 4)
    assert LottoRicevuto.objects.get(pk=first.json()["lotto"]).chiave_idempotenza is None


def test_an_old_key_is_free_for_another_body(api):
    post(api, "/insert-postgres", BODY, KEY)
    pass_time(KEPT_FOR + timedelta(minutes=1))

    assert post(api, "/insert-postgres", OTHER, KEY).status_code == 200
    assert post(api, "/insert-postgres", BODY, KEY).status_code == 422


@INGESTING
@KNOWN_BY
def test_nothing_sent_twice_is_answered_the_same(api, path, sent_by):
    first, again = (post(api, path, [], sent_by) for _ in range(2))

    assert told(again) == told(first)
    assert first.status_code == 200
    assert stored() == (1, 0)


# --- The same bytes -------------------------------------------------------------------------


def test_the_same_bytes_are_said_to_be_a_duplicate(api):
    first, *again = [post(api, "/insert-postgres", BODY) for _ in range(4)]

    assert "Idempotency-Replayed" not in first
    for answer in again:
        assert answer.status_code == 200
        assert answer.json() == first.json() | {"inseriti": 0, "duplicato": True}
        assert answer["Idempotency-Replayed"] == "true"
    assert stored() == (1, 2)


def test_the_same_bytes_to_run_etl_name_the_run_of_the_first(api, anonymous, plant, run_queue):
    first, waiting = (post(api, "/run-etl", BODY) for _ in range(2))
    run_queue()
    ended = post(api, "/run-etl", BODY)

    run = first.json()["esecuzione"]
    assert waiting.json() == first.json() | {"inseriti": 0, "duplicato": True}
    assert ended.json()["esecuzione"]["id"] == run["id"]
    for answer in (waiting, ended):
        assert answer.status_code == 202
        assert int(answer["Retry-After"]) >= 5
        assert anonymous.get(answer["Location"]).json()["esecuzione"]["caricati"] == 2
    assert (stored(), run_queue()) == ((1, 2), 0)


def test_a_run_that_failed_is_asked_for_again(api):
    first = post(api, "/run-etl", BODY).json()["esecuzione"]
    EsecuzioneEtl.objects.update(stato=Stato.INTERROTTA)

    again = post(api, "/run-etl", BODY).json()

    assert (again["duplicato"], again["esecuzione"]["stato"]) == (True, "IN_CODA")
    assert again["esecuzione"]["id"] > first["id"]
    assert stored() == (1, 2)


@pytest.mark.parametrize("sent_by", [None, KEY, ACTION], ids=["bytes", "key", "action"])
def test_stored_first_then_to_be_run(api, plant, run_queue, sent_by):
    """The same to the other endpoint: never twice, and the run is started."""
    first = post(api, "/insert-postgres", BODY, sent_by)

    answer = post(api, "/run-etl", BODY, sent_by)

    assert answer.status_code == 202
    assert answer.json()["lotto"] == first.json()["lotto"]
    assert (answer.json()["inseriti"], answer.json()["duplicato"]) == (0, True)
    assert stored() == (1, 2)
    assert run_queue() == 1
    assert EsecuzioneEtl.objects.get().caricati == 2


@pytest.mark.parametrize("sent_by", [None, KEY, ACTION], ids=["bytes", "key", "action"])
def test_run_first_then_to_be_stored(api, sent_by):
    first = post(api, "/run-etl", BODY, sent_by)

    answer = post(api, "/insert-postgres", BODY, sent_by)

    assert answer.status_code == 200
    assert answer.json()["lotto"] == first.json()["lotto"]
    assert answer.json()["duplicato"] is True
    assert stored() == (1, 2)


@INGESTING
@KNOWN_BY
def test_bytes_are_known_however_they_came_first(api, path, sent_by):
    first = post(api, path, BODY, sent_by)

    answer = post(api, path, BODY)

    assert answer.json()["lotto"] == first.json()["lotto"]
    assert answer.json()["duplicato"] is True
    assert stored() == (1, 2)


@INGESTING
@KNOWN_BY
def test_a_key_of_its_own_makes_equal_bytes_another_request(api, path, sent_by):
    post(api, path, BODY)

    assert post(api, path, BODY, sent_by).json()["duplicato"] is False
    assert stored() == (2, 4)


@INGESTING
def test_the_same_bytes_later_are_new(api, path):
    first = post(api, path, BODY).json()
    pass_time(timedelta(minutes=29))
    assert post(api, path, BODY).json()["duplicato"] is True

    pass_time(timedelta(minutes=2))
    anew = post(api, path, BODY).json()

    assert anew["duplicato"] is False
    assert anew["lotto"] != first["lotto"]
    assert post(api, path, BODY).json()["lotto"] == anew["lotto"]
    assert stored() == (2, 4)


@INGESTING
def test_the_rule_can_be_switched_off(api, settings, path):
    settings.DEDUP_MINUTI = 0

    for _ in range(2):
        assert post(api, path, BODY).json()["duplicato"] is False
    assert stored() == (2, 4)
    assert told(post(api, path, BODY, KEY)) == told(post(api, path, BODY, KEY))


@INGESTING
def test_no_records_are_never_a_duplicate(api, path):
    for _ in range(3):
        answer = post(api, path, [])
        assert answer.status_code == 200
        counts = [answer.json()[name] for name in ("ricevuti", "inseriti", "duplicato")]
        assert counts == [0, 0, False]


@INGESTING
def test_one_byte_makes_another_body(api, path):
    body = json.dumps(BODY).encode()

    for variant in (body, body + b" ", body.replace(b": 12,", b": 13,")):
        assert post(api, path, variant).json()["duplicato"] is False
    assert stored() == (3, 6)


def test_a_batch_that_came_by_no_request_is_known_too(api, plant, run_queue):
    body = json.dumps(BODY).encode()
    store.store_lotto(store.Post(BODY, body, "API_KEY", headers={}, request_id="-"))

    answer = post(api, "/run-etl", body)

    assert (answer.status_code, answer.json()["duplicato"]) == (202, True)
    assert (stored(), run_queue()) == ((1, 2), 1)


# --- Only what was stored is remembered -----------------------------------------------------


@contextmanager
def failing_at(table):
    """A database that is lost at an insert into the table."""

    def execute(proceed, sql, params, many, context):
        if sql.startswith((f'INSERT INTO "{table}"', f'UPDATE "{table}"')):
            raise OperationalError("server closed the connection unexpectedly")
        return proceed(sql, params, many, context)

    with connections["default"].execute_wrapper(execute):
        yield


@pytest.mark.parametrize("sent_by", [KEY, ACTION, {}], ids=["key", "action", "bytes"])
@pytest.mark.parametrize("table", ["lotto_ricevuto", "raw_operazione", "esecuzione_etl"])
def test_a_failure_is_not_remembered(api, sent_by, table):
    with failing_at(table):
        for _ in range(2):
            failed = post(api, "/run-etl", BODY, sent_by)
            assert failed.status_code == 503
            assert int(failed["Retry-After"]) >= 5
    assert stored() == (0, 0)

    answer = post(api, "/run-etl", BODY, sent_by)

    assert (answer.status_code, answer.json()["inseriti"]) == (202, 2)
    assert "Idempotency-Replayed" not in answer
    assert stored() == (1, 2)


@INGESTING
def test_a_refusal_is_not_remembered(api, path):
    for body in (b"[", b"7", [{"foo": 1}]):
        assert post(api, path, body, KEY).status_code == 400

    assert post(api, path, BODY, KEY).json()["inseriti"] == 2


def test_the_answer_is_stored_in_the_transaction_of_the_rows():
    def fail(receipt):
        assert RawOperazione.objects.count() == 2
        raise RuntimeError

    with pytest.raises(RuntimeError):
        receive(BODY, encode=fail)

    assert stored() == (0, 0)
    receive(BODY)
    assert LottoRicevuto.objects.get().risposta["corpo"] == "2 di 2"


def test_a_broken_table_is_no_twin(monkeypatch):
    """An IntegrityError of another cause ends, and is not taken for a repetition."""
    monkeypatch.setattr("ingestion.reception.idempotency.first_of", lambda *_: None)
    receive(BODY)

    with pytest.raises(store._MarkTaken):
        receive(BODY)
    assert stored() == (1, 2)


# --- Any order ------------------------------------------------------------------------------

BODIES = [[make_posted(peso_effettivo=weight)] for weight in (11, 12)] + [[]]
SENDERS = [{"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}, ACTION, {}]
ACTS = st.tuples(
    st.sampled_from(range(len(BODIES))),
    st.sampled_from(range(len(SENDERS))),
    st.sampled_from([0, 1, 31, 24 * 60 * 29, 24 * 60 * 31]),  # minutes that pass before it
)


class Model:
    """The contract's three rules, over a list of what was stored."""

    def __init__(self):
        self.now, self.batches = 0, []  # (when, body, sender, what was answered)

    def expect(self, body, sender):
        """ "refused", or the number of the batch that it repeats, or None."""
        for number, (when, known_body, known_sender) in enumerate(self.batches):
            age = self.now - when
            if sender == 3:
                if body == known_body and BODIES[body] and age < 30:
                    return number
            elif sender == known_sender and age < 30 * 24 * 60:
                if body == known_body:
                    return number
                if sender != 2:
                    return "refused"
        self.batches.append((self.now, body, sender))
        return None


@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(acts=st.lists(ACTS, max_size=12))
def test_any_order_of_requests_follows_the_three_rules(acts):
    RawOperazione.objects.all().delete()
    LottoRicevuto.objects.all().delete()
    model, lotti = Model(), []
    for body, sender, minutes in acts:
        model.now += minutes
        pass_time(timedelta(minutes=minutes))
        expected = model.expect(body, sender)
        if expected == "refused":
            with pytest.raises(ApiError):
                receive(BODIES[body], headers=SENDERS[sender], encode=lotto_of)
            continue
        reply = receive(BODIES[body], headers=SENDERS[sender], encode=lotto_of)
        assert reply.ripetuta is (expected is not None)
        if expected is None:
            lotti.append(reply.answer.corpo)
        assert reply.answer.corpo == lotti[-1 if expected is None else expected]
    assert LottoRicevuto.objects.count() == len(model.batches)
    assert RawOperazione.objects.count() == sum(len(BODIES[body]) for _, body, _ in model.batches)


def lotto_of(receipt):
    return Answer(200, {}, str(receipt.lotto))
