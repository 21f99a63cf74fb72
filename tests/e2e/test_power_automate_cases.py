"""Every sample request against the living portal, each on a clean staging table."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.sample_requests import CASES, CNC, body_of, send
from tests.portal import Answer, LivePortal

PIECES = ("8", "008")
DETAILS = {"peso_effettivo": "forgiatura", "temperatura_effettiva": "forgiatura"}


@pytest.fixture(scope="module", autouse=True)
def two_more_pieces(portal: LivePortal) -> Iterator[None]:
    """The samples' codes that tell a number from a text; without limits."""
    portal.run_python(
        "from production.models import Pezzo\n"
        f"for code in {PIECES}: Pezzo.objects.create(codice_pezzo=code, nome=code)"
    )
    yield
    portal.empty()
    portal.sql("production", "DELETE FROM pezzi WHERE codice_pezzo IN (%s, %s)", PIECES)


def assert_well_formed(answer: Answer, method: str) -> None:
    assert answer.status < 500, answer.body
    assert not 300 <= answer.status < 400
    assert answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store"
    if method == "HEAD":
        assert answer.body == b""
        return
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    if answer.status >= 400:
        assert answer.json.keys() == {"error", "codice", "dettagli", "request_id"}


def test_the_samples_are_all_here() -> None:
    assert len(CASES) == 41


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_sample_request(clean_portal: LivePortal, case: dict[str, Any]) -> None:
    expected = case["expect"]
    logged = logs(clean_portal)
    answer = send(clean_portal, case, body_of(case))
    assert_well_formed(answer, case["method"])
    assert answer.status in expected.get("status", expected.get("first")), answer.body
    assert all(text.startswith(logged.get(name, "")) for name, text in logs(clean_portal).items())
    if "second" in expected:
        second = send(clean_portal, case, body_of(case | {"body": [CNC]}))
        assert_well_formed(second, case["method"])
        assert second.status in expected["second"], second.body
    assert_stored(clean_portal, expected, answer)
    if "anomalies" in expected or "values" in expected:
        run = clean_portal.transfer()
        assert run["stato"] == "OK", run
        assert run["caricati"] == clean_portal.count()
        assert_anomalies(clean_portal, **expected.get("anomalies", {}))
        for value in expected.get("values", ()):
            assert_value(clean_portal, value["i"], value["field"], value["equals"])


def logs(portal: LivePortal) -> dict[str, str]:
    """No sample may clear one."""
    return {file.name: file.read_text() for file in portal.folder.glob("logs/*.log")}


def assert_stored(portal: LivePortal, expected: dict[str, Any], answer: Answer) -> None:
    stored = portal.count()
    if "stored" in expected:
        assert stored == expected["stored"]
    if answer.status >= 400:
        assert stored == 0
        assert portal.value("default", "SELECT count(*) FROM lotto_ricevuto") == 0
    elif answer.body and "inseriti" in answer.json:
        assert answer.json["inseriti"] == stored


def assert_anomalies(portal: LivePortal, min: int = 0, max: int | None = None) -> None:
    raised = portal.sql("production", "SELECT id_anomalia, campo FROM anomalia_operazione")
    assert len(raised) >= min, raised
    assert max is None or len(raised) <= max, raised


def assert_value(portal: LivePortal, index: int, field: str, wanted: str | None) -> None:
    (found,) = portal.sql("default", "SELECT uid FROM raw_operazione WHERE indice = %s", [index])
    uid = UUID(str(found[0]))
    operations = portal.sql("production", f"SELECT raw_uid, {column(field)} FROM {source(field)}")
    values = {UUID(str(raw_uid)): value for raw_uid, value in operations}
    assert is_same(values[uid], wanted), values[uid]


def column(field: str) -> str:
    return f"{DETAILS.get(field, 'operazioni')}.{field}"


def source(field: str) -> str:
    detail = DETAILS.get(field)
    joined = f" JOIN {detail} ON {detail}.id_operazione = operazioni.id_operazione"
    return f"operazioni{joined if detail else ''}"


def is_same(value: Any, wanted: str | None) -> bool:
    """Numbers as numbers: 1054.50 is 1054.5."""
    if value is None or wanted is None or isinstance(value, str):
        return value == wanted
    try:
        return Decimal(str(value)) == Decimal(wanted)
    except InvalidOperation:
        return False
