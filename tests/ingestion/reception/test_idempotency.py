"""By what a request is known again: headers and bytes, without a database."""

from datetime import timedelta

import pytest

from etlportal.api.errors import ApiError
from ingestion.reception.idempotency import KEPT_FOR, MAX_KEY, Mark, mark_of

SHA = "0" * 64
HALF_AN_HOUR = timedelta(minutes=30)
ACTION = {"x-ms-action-tracking-id": "1f2e3d4c-0000-4000-8000-0123456789ab"}


def mark(headers, dedup=HALF_AN_HOUR):
    return mark_of(headers, SHA, dedup)


def test_a_key_is_kept_for_thirty_days():
    assert mark({"Idempotency-Key": "k-1"}) == Mark("chiave:k-1", timedelta(days=30))


def test_a_key_comes_before_the_engines_own_id():
    assert mark({"Idempotency-Key": "k-1"} | ACTION).valore == "chiave:k-1"


def test_the_engines_own_id_counts_with_the_body():
    action = ACTION["x-ms-action-tracking-id"]

    assert mark(ACTION) == Mark(f"azione:{action}:{SHA}", KEPT_FOR)


@pytest.mark.parametrize("action", ["", " ", "x" * 256, "a\x00b", "a\nb"])
def test_an_id_that_no_engine_sends_is_passed_over(action):
    assert mark({"x-ms-action-tracking-id": action}).valore == f"corpo:{SHA}"


def test_without_either_the_bytes_count_for_a_while():
    assert mark({}) == Mark(f"corpo:{SHA}", HALF_AN_HOUR, per_corpo=True)


def test_the_bytes_alone_may_count_for_nothing():
    off = timedelta(0)

    assert mark({}, off) is None
    assert mark(ACTION, off).valore.startswith("azione:")
    assert mark({"Idempotency-Key": "k-1"}, off).valore == "chiave:k-1"


@pytest.mark.parametrize(
    "key", ["", " ", "x" * (MAX_KEY + 1), "a\x00b", "a\x1fb", "a\x7fb", "a\tb", "a\x85b", "più"]
)
def test_a_key_that_identifies_nothing_is_refused(key):
    with pytest.raises(ApiError) as refusal:
        mark({"Idempotency-Key": key})

    assert (refusal.value.status, refusal.value.codice) == (400, "chiave_idempotenza_non_valida")
    assert refusal.value.messaggio.endswith(".")


@pytest.mark.parametrize("key", ["x" * MAX_KEY, "k", "due parole", '"k-1"', "corpo:x"])
def test_any_other_text_is_a_key(key):
    assert mark({"Idempotency-Key": key}).valore == f"chiave:{key}"
    assert mark({"Idempotency-Key": f"  {key} "}).valore == f"chiave:{key}"
