"""The validation table of docs/regole.md is the one that the code declares."""

import re
from pathlib import Path

import pytest

from production import sentences
from production.catalogue import AnomaliaId
from production.fields import DURATA, FIELDS, Field, Limits, Measure, Moment, Reference
from production.reading import present, read_integer, read_number, read_word
from production.sentences import ITALIAN
from production.timestamps import read_timestamp

RULES = Path(__file__).parents[2] / "docs" / "regole.md"
HEADER = "| campo | tipo di operazione | lettura |"
READ = {
    read_timestamp: "data e ora",
    read_word: "parola",
    present: "codice",
    read_integer: "numero intero",
    read_number: "numero",
}


def told() -> dict[str, list[str]]:
    """The cells of each row of the document, by field."""
    lines = RULES.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(HEADER)) + 2
    rows = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0].split("`")[1]] = cells
    return rows


TOLD = told()
NAMES = list(FIELDS)


def kinds(cell: str) -> set[int]:
    """The anomalies of a cell: "1; 108 se manca"."""
    return {int(number) for number in re.findall(r"(?:^|; )(\d+)", cell)}


def test_the_fields_are_those_of_the_table_in_its_order() -> None:
    fields = [name for name in TOLD if name not in ("durata", "anomalia")]
    assert sorted(fields) == sorted(NAMES)
    assert fields[:3] == NAMES[:3]


@pytest.mark.parametrize("name", NAMES)
def test_how_a_field_is_read_and_what_is_raised(name: str) -> None:
    row = FIELDS[name]
    _campo, tipo, read, _plausible, specification, wrong, beyond, _sentence = TOLD[name]
    assert tipo == (row.tipo or "tutte")
    assert read == READ[row.read]
    raised = {row.missing, row.wrong} - {None}
    if isinstance(row, Reference) and row.read is present:
        raised.add(row.anomaly("x" * 51))
    assert kinds(wrong) == raised
    assert kinds(beyond) == {row.out_of_specification} - {None}
    assert tuple(re.findall(r"`(\w+)`", specification)) == (row.specification or ())


def test_the_duration() -> None:
    _campo, _tipo, _read, _plausible, limit, _wrong, beyond, _sentence = TOLD["durata"]
    assert kinds(beyond) == {DURATA.wrong}
    assert "24 ore (`DURATA_MAX_ORE`)" in limit
    assert DURATA.plausible(Limits()).high == 24


@pytest.mark.parametrize("name", [name for name, row in FIELDS.items() if isinstance(row, Measure)])
def test_the_limits_with_their_settings(name: str) -> None:
    row, plausible = FIELDS[name], TOLD[name][3]
    assert isinstance(row, Measure)
    names = [limit.upper() for limit in (row.low, row.high) if limit]
    assert re.findall(r"`(\w+)`", plausible) == names
    for limit in row.plausible(Limits()):
        assert limit is not None
        assert re.search(rf"\b{ITALIAN.shown(limit)}\b", plausible)


def test_the_tolerance_of_times() -> None:
    assert isinstance(FIELDS["timestamp_inizio"], Moment)
    minutes = Limits().tolleranza_futuro.total_seconds() / 60
    assert f"al più {minutes:g} minuti" in TOLD["timestamp_inizio"][3]


TEMPLATES = [
    text for name, text in vars(sentences).items() if name.isupper() and isinstance(text, str)
]


def written(template: str, row: Field | None) -> re.Pattern[str]:
    """What a sentence of this template looks like."""
    pattern = re.escape(template)
    if row is not None:
        pattern = pattern.replace(re.escape("%(label)s"), re.escape(row.label))
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", ".+", pattern))


@pytest.mark.parametrize("name", list(TOLD))
def test_the_sentences(name: str) -> None:
    row = DURATA if name == "durata" else FIELDS.get(name)
    for sentence in TOLD[name][7].split("<br>"):
        assert any(written(template, row).fullmatch(sentence) for template in TEMPLATES), sentence


def test_every_kind_that_validation_raises_is_in_the_table() -> None:
    by_orders = {AnomaliaId.SOVRAPPRODUZIONE, AnomaliaId.SCORTA_INSUFFICIENTE}
    found = set().union(*(kinds(row[5]) | kinds(row[6]) for row in TOLD.values()))
    assert found == set(AnomaliaId) - by_orders
