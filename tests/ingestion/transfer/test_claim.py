"""Which rows a run takes, in which order and in what company."""

import threading

import pytest
from django.db import connections, transaction

from ingestion.transfer.claim import Span, claim, count_pending, last_id, peek, spans
from ingestion.transfer.records import RawRecord
from tests.builders import make_raw_operazione, make_raw_operazioni

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

EVERYTHING = 10**9


def ids(rows):
    return [row.id_operazione for row in rows]


def claimed(span):
    with transaction.atomic(using="default"):
        return ids(claim(span))


# --- Spans ----------------------------------------------------------------------------------


def test_a_backlog_goes_in_batches_oldest_first():
    rows = ids(make_raw_operazioni(5))

    assert list(spans(EVERYTHING, 2, None)) == [
        Span(rows[0], rows[1], tried=False),
        Span(rows[2], rows[3], tried=False),
        Span(rows[4], rows[4], tried=False),
    ]


def test_nothing_pending_gives_no_span():
    make_raw_operazione(stato="PROCESSED")
    make_raw_operazione(stato="ERROR")

    assert list(spans(EVERYTHING, 2, None)) == []


def test_rows_that_were_in_hand_at_a_death_go_last_and_one_by_one():
    tried = [make_raw_operazione(tentativi=1).pk for _ in range(2)]
    new = ids(make_raw_operazioni(3))

    assert list(spans(EVERYTHING, 10, None)) == [
        Span(new[0], new[2], tried=False),
        Span(tried[0], tried[0], tried=True),
        Span(tried[1], tried[1], tried=True),
    ]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1]), (2, [2]), (3, [2, 1]), (99, [2, 2, 1, 1])])
def test_a_limit_counts_rows_of_both_kinds(limit, sizes):
    make_raw_operazioni(5)
    make_raw_operazione(tentativi=1)

    assert [len(claimed(span)) for span in spans(EVERYTHING, 2, limit)] == sizes


def test_a_run_takes_nothing_that_came_after_it_began():
    old = make_raw_operazione()
    scope_end = last_id()
    make_raw_operazione()

    assert list(spans(scope_end, 10, None)) == [Span(old.pk, old.pk, tried=False)]
    assert count_pending(scope_end) == 1


def test_an_empty_staging_has_no_last_id():
    assert last_id() == 0
    assert list(spans(last_id(), 10, None)) == []


def test_rows_moved_meanwhile_do_not_stop_the_spans():
    rows = make_raw_operazioni(4)
    walk = spans(EVERYTHING, 2, None)
    next(walk)
    for row in rows[:3]:
        row.stato = "PROCESSED"
        row.save()

    assert list(walk) == [Span(rows[3].pk, rows[3].pk, tried=False)]


# --- Claiming -------------------------------------------------------------------------------


def test_a_claim_takes_the_pending_rows_of_its_span_in_order():
    rows = make_raw_operazioni(5)
    rows[2].stato = "PROCESSED"
    rows[2].save()

    assert claimed(Span(rows[1].pk, rows[3].pk, tried=False)) == [rows[1].pk, rows[3].pk]


def test_a_claim_keeps_to_its_kind():
    first, tried, last = (make_raw_operazione(tentativi=count) for count in (0, 1, 0))

    assert claimed(Span(first.pk, last.pk, tried=False)) == [first.pk, last.pk]
    assert claimed(Span(tried.pk, tried.pk, tried=True)) == [tried.pk]


def test_a_record_comes_as_it_was_staged():
    row = make_raw_operazione(anomalia=[{"id": 3}], avvisi=[{"campo": "x"}], id_ordine=None)

    (record,) = peek(Span(row.pk, row.pk, tried=False))

    assert isinstance(record, RawRecord)
    assert record == RawRecord(*(getattr(row, field) for field in RawRecord._fields))


def test_peeking_locks_nothing_and_needs_no_transaction():
    row = make_raw_operazione()

    assert ids(peek(Span(row.pk, row.pk, tried=False))) == [row.pk]


@pytest.mark.servers
def test_rows_that_another_worker_holds_are_passed_over():
    rows = ids(make_raw_operazioni(4))
    held, done = threading.Event(), threading.Event()

    def rival():
        try:
            with transaction.atomic(using="default"):
                claim(Span(rows[0], rows[1], tried=False))
                held.set()
                done.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=rival)
    thread.start()
    held.wait(10)
    ours = claimed(Span(rows[0], rows[3], tried=False))
    done.set()
    thread.join()

    assert ours == rows[2:]
    assert claimed(Span(rows[0], rows[3], tried=False)) == rows
