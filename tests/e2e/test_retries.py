"""The same request again, to the living portal: at once, answers lost, the server killed."""

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.builders import make_posted
from tests.flow_engine import ActionFailed, FlowEngine
from tests.length import either
from tests.lossy_proxy import lossy_proxy
from tests.portal import Answer, LivePortal

INGESTING = pytest.mark.parametrize("path", ["/insert-postgres", "/run-etl"])
SCALE = 0.01
BODY = [make_posted(), make_posted(peso_effettivo=12)]


def told(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.body, answer.headers["Location"], answer.headers["Retry-After"]


def batches(portal: LivePortal) -> list[tuple[Any, ...]]:
    """How many records each batch has, and how many it was answered to have."""
    query = (
        "SELECT record, count(id_operazione) FROM lotto_ricevuto "
        "LEFT JOIN raw_operazione ON lotto = uuid GROUP BY uuid, record ORDER BY uuid"
    )
    return portal.sql("default", query)


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def wait_and_act(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(count)))


@INGESTING
def test_five_in_a_row_are_one(clean_portal: LivePortal, path: str) -> None:
    headers = {"Idempotency-Key": f"in fila {path}"}
    answers = [clean_portal.post(path, BODY, **headers) for _ in range(5)]
    assert {told(answer) for answer in answers} == {told(answers[0])}
    assert [answer.headers["Idempotency-Replayed"] for answer in answers] == [None] + ["true"] * 4
    assert batches(clean_portal) == [(2, 2)]


@INGESTING
def test_twenty_at_once_are_one(clean_portal: LivePortal, path: str) -> None:
    headers = {"x-ms-action-tracking-id": f"08584640{path.strip('/')}"}
    answers = at_once(20, lambda _: clean_portal.post(path, BODY, **headers))
    assert {told(answer) for answer in answers} == {told(answers[0])}
    replayed = Counter(answer.headers["Idempotency-Replayed"] for answer in answers)
    assert replayed == {None: 1, "true": 19}
    assert batches(clean_portal) == [(2, 2)]


@INGESTING
def test_twenty_equal_bodies_at_once_are_one(clean_portal: LivePortal, path: str) -> None:
    answers = at_once(20, lambda _: clean_portal.post(path, BODY).json)
    assert Counter(answer["duplicato"] for answer in answers) == {False: 1, True: 19}
    assert sum(answer["inseriti"] for answer in answers) == 2
    assert len({answer["lotto"] for answer in answers}) == 1
    assert batches(clean_portal) == [(2, 2)]


@INGESTING
def test_an_engine_whose_answers_are_lost_stores_once(clean_portal: LivePortal, path: str) -> None:
    losses = iter([True, True, True])
    with lossy_proxy(clean_portal.port, lambda _: next(losses, False)) as proxy:
        engine = FlowEngine(proxy.url, clean_portal.key, SCALE)
        answer = engine.post(path, BODY)
    assert proxy.lost == 3
    assert answer.status == 200  # of the run, for one that was followed
    assert engine.attempts >= 4
    assert batches(clean_portal) == [(2, 2)]


# --- The server killed ----------------------------------------------------------------------


def kill_a_web_worker(portal: LivePortal, rng: random.Random) -> bool:
    """SIGKILL to one of gunicorn's workers, which its master replaces."""
    children = portal.web.children()
    with suppress(ProcessLookupError):
        os.kill(rng.choice(children), signal.SIGKILL)
        return True
    return False


@contextmanager
def seeded(given: int | None = None) -> Iterator[random.Random]:
    seed = random.randrange(1_000_000) if given is None else given
    sys.stdout.write(f"seed {seed}\n")  # shown if it fails
    yield random.Random(seed)


@INGESTING
def test_the_server_is_killed_before_its_answer_arrives(
    clean_portal: LivePortal, path: str
) -> None:
    """The rows are committed; of the answer nobody ever sees a byte."""
    kills = iter([True, True])

    def kill(_: bytes) -> bool:
        if not next(kills, False):
            return False
        for child in clean_portal.web.children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return True

    with lossy_proxy(clean_portal.port, kill) as proxy:
        engine = FlowEngine(proxy.url, clean_portal.key, SCALE, retries=10)
        assert engine.post(path, BODY).status == 200
    assert proxy.lost >= 2
    assert batches(clean_portal) == [(2, 2)]


def test_a_stream_of_posts_while_the_server_is_killed_again_and_again(
    clean_portal: LivePortal,
) -> None:
    """Each body is stored exactly once, whole, whatever its sender was told in between."""
    with seeded() as rng:
        lottery = random.Random(rng.random())
        with lossy_proxy(clean_portal.port, lambda _: lottery.random() < 0.25) as proxy:
            kills, engines = stream(clean_portal, proxy.url, rng)
        lost = proxy.lost
    assert kills >= 3
    assert lost >= 3
    assert sum(engine.attempts for engine in engines) > BODIES
    found = clean_portal.sql("default", "SELECT codice_pezzo FROM raw_operazione")
    assert Counter(code for (code,) in found) == {f"P{n}": RECORDS for n in range(BODIES)}
    assert batches(clean_portal) == [(RECORDS, RECORDS)] * BODIES


BODIES, RECORDS, SENDERS = 60, 40, 4
MOST_KILLS = either(short=5, full=20)


def stream(portal: LivePortal, url: str, rng: random.Random) -> tuple[int, list[FlowEngine]]:
    """``SENDERS`` engines post ``BODIES`` bodies; meanwhile the server is killed."""
    engines = [
        FlowEngine(url, portal.key, SCALE, retries=12, rng=random.Random(rng.random()))
        for _ in range(SENDERS)
    ]

    def send(sender: int) -> None:
        for number in range(sender, BODIES, SENDERS):
            records = [make_posted(codice_pezzo=f"P{number}")] * RECORDS
            answer = engines[sender].post("/insert-postgres", records)
            assert answer.json["inseriti"] == RECORDS

    kills = 0
    with ThreadPoolExecutor(SENDERS) as pool:
        sendings = [pool.submit(send, sender) for sender in range(SENDERS)]
        while not all(sending.done() for sending in sendings):
            time.sleep(rng.uniform(0.1, 0.8))
            if kills == MOST_KILLS:  # a slow machine would do nothing but start workers
                continue
            kills += kill_a_web_worker(portal, rng)
            if kills == 2:  # once, all of it
                portal.web.kill9()
                portal.start_web()
        for sending in sendings:
            sending.result()
    return kills, engines


def test_a_body_refused_is_sent_once_only(clean_portal: LivePortal) -> None:
    engine = FlowEngine(clean_portal.url, clean_portal.key, SCALE)
    with pytest.raises(ActionFailed, match="400"):
        engine.act("POST", "/insert-postgres", json.dumps([1]).encode())
    assert engine.attempts == 1
    assert batches(clean_portal) == []
