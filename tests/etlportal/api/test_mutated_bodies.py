"""Damaged bodies, thousands of them: each is refused in words, or gives rows to be stored."""

import base64
import io
import json
import random
import re
import time
from collections import Counter
from pathlib import Path
from statistics import fmean

from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from etlportal.api.errors import ApiError
from etlportal.api.parsers import RawBodyParser
from ingestion.reception.payloads import UNSTORABLE, records_in, stage
from tests.length import either
from tests.mutations import SEED, mutated_body

BODIES = either(short=8_000, full=50_000)
MOST_TIMES = 2_000  # the work of the average one
MOST_MEMORY_MB = 100


def context(encoding):
    """As for a request with that content encoding, and no announced length."""
    headers = {"Content-Encoding": encoding} if encoding else {}
    request = APIRequestFactory().generic("POST", "/", headers=headers)
    request.META["CONTENT_LENGTH"] = ""
    return {"request": Request(request)}


CONTEXTS = {encoding: context(encoding) for encoding in ("", "gzip")}


def outcome_of(body, encoding):
    """A refusal's code, or "taken" for a body that gives rows."""
    try:
        parsed = RawBodyParser().parse(io.BytesIO(body), "application/json", CONTEXTS[encoding])
        rows = [stage(record) for record in records_in(parsed.json, 10_000)]
    except ApiError as refusal:
        answer = (refusal.status, refusal.codice, refusal.messaggio, refusal.dettagli)
    else:
        for row in rows:
            assert_storable(row)
        return "taken"
    assert 400 <= answer[0] < 500
    assert_sayable(answer)
    return answer[1]


def assert_sayable(sentences):
    assert json.dumps(sentences, ensure_ascii=False).encode()


def assert_storable(row):
    for text in row.testi.values():
        assert text is None or not UNSTORABLE.search(text)
    for column in row[1:]:
        text = json.dumps(column, ensure_ascii=False, allow_nan=False)
        assert not UNSTORABLE.search(text)
        assert "\\u0000" not in text.replace("\\\\", "")


def memory_mb():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def test_a_mutated_body_is_refused_or_storable():
    rng = random.Random(SEED)
    outcomes = Counter()
    before = memory_mb()
    work = []
    for number in range(BODIES):
        body, encoding = mutated_body(rng)
        started = time.thread_time()
        try:
            outcomes[outcome_of(body, encoding)] += 1
            work.append(time.thread_time() - started)
        except BaseException:
            print(f"MUTATION_SEED={SEED}, body {number}, {encoding!r}:", base64.b64encode(body))  # noqa: T201
            raise
    assert max(work) < MOST_TIMES * fmean(work)
    assert memory_mb() - before < MOST_MEMORY_MB
    # The mutator still makes every kind, good ones too.
    assert outcomes["taken"] > BODIES / 20
    assert {
        *("json_non_valido", "formato_non_valido", "record_non_valido"),
        *("gzip_non_valido",),
    } <= outcomes.keys()
