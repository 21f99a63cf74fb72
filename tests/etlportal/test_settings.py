import os
import subprocess
import sys
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from etlportal import settings as portal

# Empty values, and not absent ones: a developer's own .env must not fill them in.
COMPLETE = {
    "SECRET_KEY": "chiave-solo-per-questa-prova-0123456789-abcdefghij",
    "API_KEY": "chiave-api-solo-per-questa-prova",
    "DATABASE_URL": "",
    "PRODUCTION_DATABASE_URL": "",
}
POSTGRESQL = "postgres://u:p@127.0.0.1:1/x"
MYSQL = "mysql://u:p@127.0.0.1:1/x"


def start(**overrides):
    return subprocess.run(
        [sys.executable, "-c", "import etlportal.settings"],
        env=os.environ | COMPLETE | overrides,
        capture_output=True,
        text=True,
        check=False,
    )


def test_starts_with_what_is_required():
    result = start()

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("overrides", "missing"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "  "}, "SECRET_KEY"),
        ({"API_KEY": ""}, "API_KEY"),
        ({"DATABASE_URL": POSTGRESQL}, "PRODUCTION_DATABASE_URL"),
        ({"PRODUCTION_DATABASE_URL": MYSQL}, "DATABASE_URL"),
    ],
)
def test_a_missing_value_stops_the_start_with_a_sentence(overrides, missing):
    result = start(**overrides)

    assert result.returncode != 0
    assert f"ImproperlyConfigured: Manca {missing}:" in result.stderr.splitlines()[-1]


def test_the_sentence_says_where_to_put_it(monkeypatch):
    monkeypatch.setenv("API_KEY", "")

    with pytest.raises(ImproperlyConfigured, match=r"nel file \.env"):
        portal.required("API_KEY")


def test_a_value_is_taken_without_its_blanks(monkeypatch):
    monkeypatch.setenv("API_KEY", " chiave \n")

    assert portal.required("API_KEY") == "chiave"


@pytest.mark.parametrize(
    ("text", "value"), [("24", 24), (" 24.5 ", Decimal("24.5")), ("0.001", Decimal("0.001"))]
)
def test_a_positive_number(monkeypatch, text, value):
    monkeypatch.setenv("DURATA_MAX_ORE", text)

    assert portal.number("DURATA_MAX_ORE", "1") == value


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "24,5", "NaN", "Infinity"])
def test_what_is_no_positive_number_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("DURATA_MAX_ORE", text)

    with pytest.raises(ImproperlyConfigured, match="DURATA_MAX_ORE deve essere un numero positivo"):
        portal.number("DURATA_MAX_ORE", "1")


def test_a_whole_number(monkeypatch):
    monkeypatch.setenv("TRANSFER_BATCH_SIZE", "10.5")

    with pytest.raises(ImproperlyConfigured, match="deve essere un numero intero positivo"):
        portal.number("TRANSFER_BATCH_SIZE", "1", whole=True)


@pytest.mark.parametrize(("text", "value"), [("0", 0), (" 30 ", 30), ("43200", 43200)])
def test_a_whole_number_that_may_be_zero(monkeypatch, text, value):
    monkeypatch.setenv("DEDUP_MINUTI", text)

    assert portal.up_to(43200, "DEDUP_MINUTI", default="1") == value


@pytest.mark.parametrize("text", ["", "x", "-1", "43201", "1.5", "1e3", "9" * 5000, "٣"])
def test_what_is_no_number_up_to_the_most_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("DEDUP_MINUTI", text)

    with pytest.raises(ImproperlyConfigured, match="DEDUP_MINUTI deve essere un numero intero da "):
        portal.up_to(43200, "DEDUP_MINUTI", default="1")


def test_the_same_bytes_are_a_repetition_for_half_an_hour_unless_told(settings):
    assert settings.DEDUP_MINUTI == 30


def test_one_of_few_values(monkeypatch):
    monkeypatch.setenv("ORDINI_FITTIZI", "forse")

    with pytest.raises(ImproperlyConfigured, match="ORDINI_FITTIZI può essere: crea, no"):
        portal.one_of("ORDINI_FITTIZI", "crea", "no")

    monkeypatch.setenv("ORDINI_FITTIZI", "no")
    assert portal.one_of("ORDINI_FITTIZI", "crea", "no") == "no"


def test_no_statement_outlives_a_job_on_postgresql():
    config = portal.postgresql("postgres://u:p@host:5433/etl")

    assert config["ENGINE"] == "logviewer.backends.postgresql"
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("host", 5433, "etl")
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert limit in config["OPTIONS"]["options"]


def test_no_statement_outlives_a_job_on_mysql():
    options = portal.mysql("mysql://u:p@host/etl")["OPTIONS"]

    assert options["read_timeout"] <= 60
    assert options["write_timeout"] <= 60
    assert "innodb_lock_wait_timeout" in options["init_command"]
    assert options["isolation_level"] == "read committed"
    assert options["charset"] == "utf8mb4"


def test_an_address_may_bring_options_of_its_own():
    options = portal.mysql("mysql://u:p@host/etl?read_timeout=5")["OPTIONS"]

    assert options["read_timeout"] == 5
    assert options["write_timeout"] == 60


@pytest.mark.django_db(databases=["default", "production"])
def test_plant_time_in_mysql_and_utc_in_postgresql():
    assert connections["production"].timezone_name == "Europe/Rome"
    assert connections["default"].timezone_name == "UTC"
