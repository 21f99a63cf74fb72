"""Start, end and duration: the rows about times of the table of docs/regole.md, "Convalida"."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ingestion.transfer.parse import parse
from ingestion.transfer.rules import judge
from production.fields import Limits
from production.timestamps import PLANT_TIME_ZONE
from tests.builders import make_raw_record
from tests.ingestion.transfer.judging import MASTER, judge_forge, judged, numbers, utc


def judge_pair(inizio, fine, **fields):
    return judge_forge(timestamp_inizio=inizio, timestamp_fine=fine, **fields)


@pytest.mark.parametrize("text", ["boh", "2024-02-30 10:00", "1999-12-31T23:59:59Z", "true"])
@pytest.mark.parametrize("campo", ["timestamp_inizio", "timestamp_fine"])
def test_an_unreadable_timestamp_is_null_and_1(campo, text):
    verdict = judge_forge(**{campo: text})
    assert numbers(verdict) == [(1, campo)]
    assert getattr(verdict.record, campo) is None
    assert verdict.record.durata is None
    assert verdict.anomalie[0].valore == text


def test_the_year_2000_is_valid():
    verdict = judge_pair("2000-01-01T00:00:00Z", "2000-01-01T00:10:00Z")
    assert verdict.anomalie == []


@pytest.mark.parametrize("text", [None, "", "N/D"])
def test_a_missing_start_is_1_and_a_missing_end_is_108(text):
    verdict = judge_pair(text, text)
    assert numbers(verdict) == [(1, "timestamp_inizio"), (108, "timestamp_fine")]
    assert [finding.valore for finding in verdict.anomalie] == [text, text]


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("2024-12-20T13:00:00Z", True),
        ("2024-12-20T14:00:00+01:00", True),
        ("20/12/2024 14:00", True),
        ("2024-12-20T13:00:00.000001Z", False),
        ("20/12/2024 14:01", False),
        ("9999-12-31T23:59:59Z", False),
        ("9999-12-31 23:59:59", False),
    ],
)
def test_an_end_may_be_sixty_minutes_later_than_reception(text, is_valid):
    verdict = judge_forge(timestamp_fine=text)
    assert numbers(verdict) == ([] if is_valid else [(1, "timestamp_fine")])
    assert (verdict.record.timestamp_fine is not None) == is_valid


@pytest.mark.parametrize(
    ("text", "anomalies"),
    [
        ("2024-12-20T13:00:00Z", []),
        ("2024-12-20T13:00:00.000001Z", [(1, "timestamp_inizio")]),
    ],
)
def test_a_start_may_be_sixty_minutes_later_than_reception(text, anomalies):
    assert numbers(judge_pair(text, "2024-12-20T13:00:00Z")) == anomalies


def test_two_times_in_the_future_are_two_anomalies():
    verdict = judge_pair("2025-12-20T10:00:00Z", "2025-12-20T10:20:00Z")
    assert numbers(verdict) == [(1, "timestamp_inizio"), (1, "timestamp_fine")]


def test_the_tolerance_is_a_setting():
    raw = make_raw_record(timestamp_fine="2024-12-20T12:05:01Z")
    assert numbers(judged(raw, tolleranza_futuro=timedelta(minutes=5))) == [(1, "timestamp_fine")]


@pytest.mark.parametrize(
    ("fine", "anomalies"),
    [("2024-10-27T01:30:00Z", []), ("2024-10-27T01:30:01Z", [(1, "timestamp_fine")])],
)
def test_sixty_minutes_are_real_time_across_a_clock_change(fine, anomalies):
    received_at = utc(2024, 10, 27, 0, 30).astimezone(PLANT_TIME_ZONE)
    raw = make_raw_record(timestamp_inizio="2024-10-27T00:30:00Z", timestamp_fine=fine)
    assert numbers(judge(parse(raw), received_at, MASTER, Limits())) == anomalies


@pytest.mark.parametrize(
    ("fine", "anomalies"),
    [
        ("2024-12-20T10:00:00.000000Z", []),
        ("2024-12-20T11:00:00+01:00", []),
        ("2024-12-20T09:59:59.999999Z", [(1, "timestamp_fine")]),
        ("2024-12-20T10:59:59+01:00", [(1, "timestamp_fine")]),
    ],
)
def test_only_an_end_before_its_start_is_wrong(fine, anomalies):
    verdict = judge_forge(timestamp_fine=fine)
    assert numbers(verdict) == anomalies
    assert verdict.record.timestamp_inizio == utc(2024, 12, 20, 10)
    assert (verdict.record.timestamp_fine is None) == bool(anomalies)


@pytest.mark.parametrize(
    ("fine", "anomalies"),
    [
        ("2024-12-19T10:00:00Z", []),
        ("2024-12-19T10:00:00.000001Z", [(107, "timestamp_fine")]),
    ],
)
def test_a_duration_over_24_hours_is_kept_and_107(fine, anomalies):
    verdict = judge_pair("2024-12-18T10:00:00Z", fine)
    assert numbers(verdict) == anomalies
    assert verdict.record.timestamp_fine is not None
    assert verdict.record.durata == 86_400 + (Decimal("0.000001") if anomalies else 0)


def test_a_winter_day_has_25_hours_at_the_clock_change():
    assert numbers(judge_pair("26/10/2024 12:00", "27/10/2024 12:00")) == [(107, "timestamp_fine")]
    assert numbers(judge_pair("30/03/2024 12:00", "31/03/2024 13:00")) == []


def test_duration_is_in_seconds_and_keeps_microseconds():
    verdict = judge_pair("2024-12-20T10:00:00.000001Z", "2024-12-20T10:00:01.5Z")
    assert verdict.record.durata == Decimal("1.499999")


@pytest.mark.parametrize(
    ("inizio", "fine", "expected"),
    [
        # the first occurrence, 00:30 UTC
        ("27/10/2024 02:30", "27/10/2024 03:30", (utc(2024, 10, 27, 0, 30), 7200)),
        ("27/10/2024 02:30", "27/10/2024 02:45", (utc(2024, 10, 27, 0, 30), 900)),
        ("27/10/2024 01:30", "27/10/2024 02:30", (utc(2024, 10, 26, 23, 30), 3600)),
        # the second one, because the first is before the start
        ("27/10/2024 02:50", "27/10/2024 02:10", (utc(2024, 10, 27, 0, 50), 1200)),
        ("2024-10-27T00:50:00Z", "27/10/2024 02:10", (utc(2024, 10, 27, 0, 50), 1200)),
        ("2024-10-27T02:15+01:00", "27/10/2024 02:15", (utc(2024, 10, 27, 1, 15), 0)),
        # an ordinary hour over the spring change
        ("31/03/2024 01:30", "31/03/2024 03:30", (utc(2024, 3, 31, 0, 30), 3600)),
    ],
)
def test_clock_changes(inizio, fine, expected):
    record, anomalies = judge_pair(inizio, fine)
    assert anomalies == []
    assert (record.timestamp_inizio, record.durata) == expected


def test_an_end_before_its_start_in_both_occurrences_is_wrong():
    verdict = judge_pair("2024-10-27T03:00:00+01:00", "27/10/2024 02:30")
    assert numbers(verdict) == [(1, "timestamp_fine")]


def test_without_a_start_the_double_hour_is_its_first_occurrence():
    verdict = judge_pair("boh", "27/10/2024 02:30")
    assert verdict.record.timestamp_fine == utc(2024, 10, 27, 0, 30)


@pytest.mark.parametrize("campo", ["timestamp_inizio", "timestamp_fine"])
def test_an_hour_that_the_clock_skips_is_1(campo):
    times = {"timestamp_inizio": "31/03/2024 01:30", "timestamp_fine": "31/03/2024 03:30"}
    verdict = judge_forge(**(times | {campo: "31/03/2024 02:30"}))
    assert numbers(verdict) == [(1, campo)]
    assert "ora legale" in verdict.anomalie[0].note
