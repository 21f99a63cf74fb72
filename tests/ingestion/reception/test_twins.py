"""The same request several times at once: one is stored, the others wait and get its answer."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.reception.idempotency import KEPT_FOR
from tests.builders import make_lotto
from tests.ingestion.reception.test_retries import (
    ACTION,
    BODY,
    INGESTING,
    KEY,
    OTHER,
    PATHS,
    encode,
    pass_time,
    post,
    receive,
    stored,
    told,
)

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


def in_threads(*calls):
    """What each call returned or raised; each in a thread with connections of its own."""
    outcomes = [None] * len(calls)

    def run(index, call):
        try:
            outcomes[index] = call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@INGESTING
@pytest.mark.parametrize("sent_by", [KEY, ACTION, {}], ids=["key", "action", "bytes"])
def test_twenty_at_once_are_one(path, sent_by):
    barrier = threading.Barrier(20)

    def send():
        client = Client(headers={"X-API-KEY": django_settings.API_KEY} | sent_by)
        barrier.wait()
        return post(client, path, BODY)

    answers = in_threads(*[send] * 20)

    assert {answer.status_code for answer in answers} == {200 if path == PATHS[0] else 202}
    first = [answer for answer in answers if "Idempotency-Replayed" not in answer]
    assert len(first) == 1
    assert first[0].json()["inseriti"] == 2
    for answer in answers:
        if sent_by:
            assert told(answer) == told(first[0])
        else:
            assert answer.json()["lotto"] == first[0].json()["lotto"]
    assert stored() == (1, 2)
    assert EsecuzioneEtl.objects.count() == (path == PATHS[1])


class Slow:
    """A request that stops before its commit until it is told how to end."""

    def __init__(self):
        self.stored, self.may_end = threading.Event(), threading.Event()

    def request(self, *, fails=False):
        def hold(receipt):
            self.stored.set()
            assert self.may_end.wait(30)
            if fails:
                raise RuntimeError
            return encode(receipt)

        return receive(BODY, encode=hold)

    def twin(self, seconds=0.3):
        """Starts when the first has stored its rows; lets it end a while later."""
        assert self.stored.wait(30)
        timer = threading.Timer(seconds, self.may_end.set)
        timer.start()
        reply = receive(BODY)
        assert self.may_end.is_set(), "the twin did not wait"
        return reply


def test_a_twin_waits_for_the_first_and_gets_its_answer():
    slow = Slow()

    first, twin = in_threads(slow.request, slow.twin)

    assert (first.ripetuta, twin.ripetuta) == (False, True)
    assert twin.answer == first.answer
    assert stored() == (1, 2)


def test_a_twin_of_a_request_that_fails_takes_its_place():
    slow = Slow()

    first, twin = in_threads(lambda: slow.request(fails=True), slow.twin)

    assert isinstance(first, RuntimeError)
    assert not twin.ripetuta
    assert twin.answer.corpo == "2 di 2"
    assert stored() == (1, 2)


@pytest.mark.servers
def test_another_request_does_not_wait():
    slow = Slow()

    def other():
        assert slow.stored.wait(30)
        reply = receive(OTHER, headers={"Idempotency-Key": "k-2"})
        slow.may_end.set()
        return reply

    first, second = in_threads(slow.request, other)

    assert [first.ripetuta, second.ripetuta] == [False, False]
    assert stored() == (2, 3)


@pytest.mark.servers
def test_a_twin_that_waits_too_long_is_told_to_come_back(monkeypatch):
    slow = Slow()

    def impatient():
        assert slow.stored.wait(30)
        monkeypatch.setitem(
            connections["default"].settings_dict["OPTIONS"], "options", "-c lock_timeout=300ms"
        )
        client = Client(headers={"X-API-KEY": django_settings.API_KEY} | KEY)
        answer = post(client, "/insert-postgres", BODY)
        slow.may_end.set()
        return answer

    first, twin = in_threads(slow.request, impatient)

    assert not first.ripetuta
    assert (twin.status_code, twin.json()["codice"]) == (503, "database_non_disponibile")
    assert int(twin["Retry-After"]) >= 5
    assert stored() == (1, 2)


def test_of_many_that_find_an_old_key_one_is_stored():
    make_lotto(chiave_idempotenza="chiave:k-1")
    pass_time(KEPT_FOR + timedelta(hours=1))
    barrier = threading.Barrier(6)

    def send():
        barrier.wait()
        return receive(BODY)

    replies = in_threads(*[send] * 6)

    assert sorted(reply.ripetuta for reply in replies) == [False] + [True] * 5
    assert RawOperazione.objects.count() == 2
