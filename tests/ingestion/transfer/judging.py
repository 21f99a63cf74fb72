"""Shorthands of the tests that judge a record."""

from datetime import UTC, datetime

from ingestion.transfer.parse import parse
from ingestion.transfer.rules import judge
from production.fields import Limits
from tests.builders import make_cnc_record, make_master_data, make_raw_record

MASTER = make_master_data()


def judged(raw, master=MASTER, **limits):
    return judge(parse(raw), raw.ricevuto_il, master, Limits(**limits))


def judge_forge(**fields):
    return judged(make_raw_record(**fields))


def judge_cnc(**fields):
    return judged(make_cnc_record(**fields))


def numbers(verdict):
    """Which anomalies, and of which fields."""
    return [(finding.id_anomalia, finding.campo) for finding in verdict.anomalie]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)
