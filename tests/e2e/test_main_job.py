"""10,000 mixed records, from one POST to the production tables, through the living portal."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.mixed_records import (
    ORDER,
    PIECE_NAMED_BY_A_NUMBER,
    REFUSED_MACHINE,
    Anomaly,
    Case,
    body_of,
    expected_anomalies,
    expected_detail,
    expected_operation,
    mixed_cases,
)
from tests.portal import Answer, LivePortal

RECORDS = 10_000
DETAIL_TABLES = {"forgiatura": "id_forgiatura", "cnc": "id_cnc"}
MYSQL_TABLES = {
    "operazioni": "id_operazione",
    **DETAIL_TABLES,
    "anomalia_operazione": "internal_id",
}


@dataclass
class Story:
    """What was sent, what the portal answered, and what its databases hold afterwards."""

    cases: list[Case]
    answer: Answer
    accepted: Answer
    run: dict[str, Any]
    raws: list[dict[str, Any]]  # in the order of the cases
    operations: dict[UUID, list[dict[str, Any]]]
    details: dict[str, dict[int, list[dict[str, Any]]]]  # table → id_operazione → rows
    anomalies: dict[int, Counter[Anomaly]]

    def loaded(self) -> Iterator[tuple[Case, dict[str, Any]]]:
        """Each case that must be in MySQL with its row of ``operazioni``."""
        for case, raw in zip(self.cases, self.raws, strict=True):
            if not case.expected.refused:
                (operation,) = self.operations[UUID(str(raw["uid"]))]
                yield case, operation


@pytest.fixture(scope="module")
def story(portal: LivePortal) -> Iterator[Story]:
    """Posts the records in one request, has the worker transfer them, reads the tables."""
    portal.empty()
    cases = mixed_cases(RECORDS)
    with _master_data(portal):
        answer = portal.request("POST", "/insert-postgres", body_of(cases))
        accepted = portal.post("/process-transfer", {}, Prefer="respond-async")
        run = portal.follow(accepted).json["esecuzione"]
        yield Story(
            cases,
            answer,
            accepted,
            run,
            _rows(portal, "default", "raw_operazione", "indice"),
            _grouped(
                _rows(portal, "production", "operazioni", "id_operazione"),
                lambda row: UUID(str(row["raw_uid"])),
            ),
            {
                table: _grouped(
                    _rows(portal, "production", table, key), lambda row: row["id_operazione"]
                )
                for table, key in DETAIL_TABLES.items()
            },
            _anomalies(portal),
        )
        portal.empty()


@contextmanager
def _master_data(portal: LivePortal) -> Iterator[None]:
    """What the records need besides the demo plant, and a machine that MySQL itself refuses."""
    rows = {
        "ordine": ("id_ordine", ORDER),
        "pezzi": ("codice_pezzo", PIECE_NAMED_BY_A_NUMBER),
        "macchinari": ("codice_macchinario", REFUSED_MACHINE),
    }
    more = {
        "ordine": ("", ""),
        "pezzi": (", nome, descrizione, immagine", ", '', '', ''"),
        "macchinari": (", tipo", ", ''"),
    }
    for table, (column, value) in rows.items():
        names, values = more[table]
        insert = f"INSERT INTO {table} ({column}{names}) VALUES (%s{values})"
        portal.sql("production", insert, [value])
    refuse, allow = _refusal(portal)
    portal.sql("production", refuse)
    try:
        yield
    finally:
        portal.sql("production", allow)
        for table, (column, value) in rows.items():
            portal.sql("production", f"DELETE FROM {table} WHERE {column} = %s", [value])


def _refusal(portal: LivePortal) -> tuple[str, str]:
    if portal.on_servers:
        return (
            "ALTER TABLE operazioni ADD CONSTRAINT prova "
            f"CHECK (codice_macchinario <> '{REFUSED_MACHINE}')",
            "ALTER TABLE operazioni DROP CONSTRAINT prova",
        )
    return (
        "CREATE TRIGGER prova BEFORE INSERT ON operazioni "
        f"WHEN NEW.codice_macchinario = '{REFUSED_MACHINE}' "
        "BEGIN SELECT RAISE(ABORT, 'prova'); END",
        "DROP TRIGGER prova",
    )


def _rows(portal: LivePortal, alias: str, table: str, key: str) -> list[dict[str, Any]]:
    names = _columns(portal, alias, table)
    rows = portal.sql(alias, f"SELECT {', '.join(names)} FROM {table} ORDER BY {key}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _columns(portal: LivePortal, alias: str, table: str) -> list[str]:
    if not portal.on_servers:
        return [row[1] for row in portal.sql(alias, f"PRAGMA table_info({table})")]
    schema = "DATABASE()" if alias == "production" else "current_schema()"
    query = (
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = {schema} AND table_name = %s"
    )
    return [row[0] for row in portal.sql(alias, query, [table])]


def _grouped(rows: list[dict[str, Any]], key: Any) -> dict[Any, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _anomalies(portal: LivePortal) -> dict[int, Counter[Anomaly]]:
    found: dict[int, Counter[Anomaly]] = defaultdict(Counter)
    for row in _rows(portal, "production", "anomalia_operazione", "internal_id"):
        anomaly = Anomaly(row["id_anomalia"], row["campo"], row["valore_ricevuto"], row["origine"])
        found[row["id_operazione"]][anomaly] += 1
    return found


def comparable(value: Any) -> Any:
    """One form for what four drivers return: exact numbers, naive date-times."""
    if isinstance(value, int | float | Decimal):
        return Fraction(str(value))
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] in {" ", "T"}:
        return datetime.fromisoformat(value)
    return value


def differences(expected: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Columns whose value is not the expected one: name → (expected, stored)."""
    return {
        name: (value, stored[name])
        for name, value in expected.items()
        if comparable(value) != comparable(stored[name])
    }


def refused_count(story: Story) -> int:
    return sum(case.expected.refused for case in story.cases)


def test_one_request_takes_them_all(story: Story) -> None:
    assert story.answer.status == 200
    told = {name: story.answer.json[name] for name in ("message", "ricevuti", "inseriti")}
    assert told == {
        "message": "Dati inseriti con successo in PostgreSQL.",
        "ricevuti": RECORDS,
        "inseriti": RECORDS,
    }
    assert [raw["indice"] for raw in story.raws] == list(range(RECORDS))


def test_the_accepted_run_is_followed_to_its_end(story: Story) -> None:
    assert story.accepted.status == 202
    assert story.accepted.json["esecuzione"]["stato"] in {"IN_CODA", "IN_CORSO"}
    assert (story.run["stato"], story.run["origine"]) == ("PARZIALE", "api")


def test_received_is_loaded_plus_refused_plus_pending(story: Story) -> None:
    states = Counter(raw["stato"] for raw in story.raws)
    refused = refused_count(story)
    assert refused > 0
    assert states == {"PROCESSED": RECORDS - refused, "ERROR": refused}
    assert len(story.operations) == RECORDS - refused


def test_the_counters_of_the_run_balance(story: Story) -> None:
    refused = refused_count(story)
    assert {name: story.run[name] for name in ("letti", "caricati", "in_errore", "anomalie")} == {
        "letti": RECORDS,
        "caricati": RECORDS - refused,
        "in_errore": refused,
        "anomalie": sum(rows.total() for rows in story.anomalies.values()),
    }
    assert story.run["gia_presenti"] == story.run["rimanenti"] == 0


def test_each_uid_is_loaded_once(story: Story) -> None:
    uids = {UUID(str(raw["uid"])) for raw in story.raws if raw["stato"] == "PROCESSED"}
    assert uids == set(story.operations)
    assert {len(rows) for rows in story.operations.values()} == {1}


def test_a_row_that_mysql_refuses_is_in_error_with_a_reason(story: Story) -> None:
    for case, raw in zip(story.cases, story.raws, strict=True):
        if case.expected.refused:
            assert raw["stato"] == "ERROR"
            assert raw["errore_codice"]
            assert raw["errore_messaggio"].endswith(".")
            assert UUID(str(raw["uid"])) not in story.operations


def test_every_value_is_the_expected_one(story: Story) -> None:
    wrong = [
        (case.sent, different)
        for case, operation in story.loaded()
        if (different := differences(expected_operation(case.expected), operation))
    ]
    assert wrong == []


def test_every_detail_is_the_expected_one(story: Story) -> None:
    wrong = []
    for case, operation in story.loaded():
        found = {
            table: rows[operation["id_operazione"]]
            for table, rows in story.details.items()
            if operation["id_operazione"] in rows
        }
        expected = expected_detail(case.expected)
        if expected is None:
            different = found
        else:
            ((row,),) = (found.pop(case.expected.fields["tipo_operazione"]),)
            different = differences(expected, row) | found
        if different:
            wrong.append((case.sent, different))
    assert wrong == []


def test_every_anomaly_is_told_once_and_no_other(story: Story) -> None:
    wrong = [
        (case.sent, expected, found)
        for case, operation in story.loaded()
        if (expected := expected_anomalies(case.expected))
        != (found := story.anomalies[operation["id_operazione"]])
    ]
    assert wrong == []


def test_each_nulled_field_has_exactly_one_anomaly(story: Story) -> None:
    """Counted from the tables alone: sent, not stored, told once."""
    missing = {"", "null", "n/d", "#n/a"}
    nulled = 0
    for case, operation in story.loaded():
        kind = case.expected.fields["tipo_operazione"]
        rows = story.details.get(kind or "", {}).get(operation["id_operazione"], [])
        stored = operation | (rows[0] if rows else {})
        told = Counter(
            anomaly.campo
            for anomaly in story.anomalies[operation["id_operazione"]].elements()
            if anomaly.origine == "VALIDAZIONE"
        )
        for campo in stored.keys() & case.sent.keys() - {"anomalia", "tipo_fermo"}:
            sent = case.sent[campo]
            absent = sent is None or (isinstance(sent, str) and sent.strip().lower() in missing)
            if stored[campo] is None and not absent:
                nulled += 1
                assert told[campo] == 1, case.sent
    assert nulled > 500


def test_unknown_keys_are_kept(story: Story) -> None:
    kept = 0
    for case, raw in zip(story.cases, story.raws, strict=True):
        others = raw["altri_campi"]
        found = json.loads(others) if isinstance(others, str) else others
        assert (found or {}) == case.expected.others, case.sent
        kept += bool(found)
    assert kept > 10


def test_verifica_says_that_all_is_well(story: Story, portal: LivePortal) -> None:
    result = portal.manage("verifica", "--json")
    assert (result.returncode, json.loads(result.stdout)["problemi"]) == (0, [])


def test_status_tells_it(story: Story, portal: LivePortal) -> None:
    status = portal.request("GET", "/status").json
    assert status["running"] is False
    assert status["staging"] == {
        "pending": 0,
        "processed_24h": RECORDS - refused_count(story),
        "error": refused_count(story),
        "oldest_pending_s": 0,
    }
    assert status["db"] == {"postgresql": True, "mysql": True}
    assert status["last_success"] == story.run["finita_il"]


def checksums(portal: LivePortal, *, staging: bool = True) -> dict[str, str]:
    tables = [("production", table, key) for table, key in MYSQL_TABLES.items()]
    if staging:
        tables.append(("default", "raw_operazione", "id_operazione"))
    return {
        table: hashlib.sha256(repr(_rows(portal, alias, table, key)).encode()).hexdigest()
        for alias, table, key in tables
    }


def test_a_second_transfer_changes_nothing(story: Story, portal: LivePortal) -> None:
    before = checksums(portal)
    again = portal.request("POST", "/process-transfer")
    assert again.status == 200
    run = again.json["esecuzione"]
    assert run["id"] > story.run["id"]
    assert [run[name] for name in ("stato", "letti", "caricati", "anomalie")] == ["OK", 0, 0, 0]
    assert checksums(portal) == before


def test_rows_loaded_but_not_marked_are_not_loaded_again(story: Story, portal: LivePortal) -> None:
    """As after a crash between the two commits."""
    before = checksums(portal, staging=False)
    portal.sql("default", "UPDATE raw_operazione SET stato = 'PENDING' WHERE stato = 'PROCESSED'")
    run = portal.transfer()
    expected = RECORDS - refused_count(story)
    assert [run[name] for name in ("stato", "letti", "gia_presenti")] == ["OK", expected, expected]
    assert run["caricati"] == run["anomalie"] == 0
    assert checksums(portal, staging=False) == before
    assert portal.count("PROCESSED") == expected


def test_run_etl_stores_and_loads(clean_portal: LivePortal) -> None:
    cases = mixed_cases(300, seed=2)
    records = [case for case in cases if not case.expected.refused]
    accepted = clean_portal.request("POST", "/run-etl", body_of(records))
    assert accepted.status == 202
    assert accepted.json["status"] == "ETL avviato."
    ended = clean_portal.follow(accepted)
    assert ended.status == 200
    run = ended.json["esecuzione"]
    assert (run["id"], run["stato"]) == (accepted.json["esecuzione"]["id"], "OK")
    assert run["caricati"] == len(records)
    count = "SELECT count(*) FROM operazioni"
    assert clean_portal.value("production", count) == len(records)


def test_run_etl_with_nothing_starts_nothing(clean_portal: LivePortal) -> None:
    answer = clean_portal.post("/run-etl", [])
    assert answer.status == 200
    assert clean_portal.value("default", "SELECT count(*) FROM esecuzione_etl") == 0


def test_a_location_works_for_its_run_only(clean_portal: LivePortal) -> None:
    accepted = clean_portal.post("/process-transfer", {}, Prefer="respond-async")
    location = accepted.headers["Location"]
    assert location.startswith(clean_portal.url)
    clean_portal.follow(accepted)
    changed = location[:-2] + ("AA" if not location.endswith("AA") else "BB")
    assert clean_portal.request("GET", changed, key=None).status == 404


def test_records_inserted_by_plain_sql_are_loaded(clean_portal: LivePortal) -> None:
    """Another program names only record columns; uid, state and time come from the database."""
    insert = (
        "INSERT INTO raw_operazione (codice_pezzo, tipo_operazione, peso_effettivo) "
        "VALUES ('PZC12', 'forgiatura', '12,5')"
    )
    for _ in range(2):
        clean_portal.sql("default", insert)
    assert clean_portal.transfer()["caricati"] == 2
    weights = clean_portal.sql("production", "SELECT peso_effettivo FROM forgiatura")
    assert weights == [(12.5,), (12.5,)]
    assert clean_portal.manage("verifica").returncode == 0
