"""Computed values (docs/regole.md, "Valori calcolati") and the shape of the rows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.transfer import build as build_module
from ingestion.transfer.build import (
    ANOMALIE_COLUMNS,
    CELSIUS,
    CNC_COLUMNS,
    FORGIATURA_COLUMNS,
    KG,
    OPERAZIONI_COLUMNS,
    PERCENT,
    build,
    decimal_column,
    deviation,
    rounded,
)
from ingestion.transfer.parse import parse
from ingestion.transfer.rules import judge
from production.fields import Limits
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from tests.builders import (
    UID,
    make_cnc_record,
    make_master_data,
    make_piece_limits,
    make_raw_record,
)


def built(raw, **limits):
    """The rows of a record whose piece has the example limits, but for the given ones."""
    master = make_master_data(pezzi={"PZC01": make_piece_limits(**limits)})
    return build(raw.uid, judge(parse(raw), raw.ricevuto_il, master, Limits()), master)


def forging(raw=None, **limits):
    row = built(raw or make_raw_record(), **limits)
    return dict(zip(FORGIATURA_COLUMNS, row.forgiatura, strict=True))


def pezzi_prodotti(**fields):
    row = built(make_cnc_record(**fields))
    return dict(zip(CNC_COLUMNS, row.cnc, strict=True))["pezzi_prodotti"]


def exactly(value):
    """Value and number of decimals: 11.000 is not 11."""
    return None if value is None else str(value)


# --- Shape ----------------------------------------------------------------------------------


def test_a_forging_row():
    row = built(make_raw_record())
    assert row.uid is UID
    assert dict(zip(OPERAZIONI_COLUMNS, row.operazione, strict=True)) == {
        "raw_uid": UID,
        "id_ordine": 8,
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
        "codice_operatore": "OOP4",
        "timestamp_inizio": datetime(2024, 12, 20, 11, 0),  # noqa: DTZ001 - plant time
        "timestamp_fine": datetime(2024, 12, 20, 11, 20),  # noqa: DTZ001
        "tipo_operazione": "forgiatura",
        "durata": Decimal(1200),
    }
    assert row.cnc is None
    assert row.anomalie == []


def test_the_worked_example():
    values = forging()
    assert {name: exactly(value) for name, value in values.items()} == {
        "peso_effettivo": "11.5",
        "temperatura_effettiva": "1040.0",
        "id_anomalia": None,
        "peso_nominale": "11.000",
        "scarto_peso": "0.500",
        "scarto_peso_pct": "4.55",
        "temperatura_nominale": "1000.0",
        "scarto_temperatura": "40.0",
        "scarto_temperatura_pct": "4.00",
        "esito": "CONFORME",
    }
    assert isinstance(values["peso_effettivo"], float)
    assert isinstance(values["temperatura_effettiva"], float)


def test_a_cnc_row():
    row = built(make_cnc_record(tipo_fermo="Utensile"))
    assert row.forgiatura is None
    assert row.cnc == (3, "UTENSILE", Decimal("1.0000"))


def test_an_operation_without_type_has_no_detail_row():
    row = built(make_raw_record(tipo_operazione="tornitura"))
    assert (row.forgiatura, row.cnc) == (None, None)
    assert row.operazione[OPERAZIONI_COLUMNS.index("tipo_operazione")] is None
    assert [anomalia[0] for anomalia in row.anomalie] == [101]


def test_an_anomaly_row():
    row = built(make_raw_record(anomalia=[{"id": 3}]))
    assert [dict(zip(ANOMALIE_COLUMNS, anomalia, strict=True)) for anomalia in row.anomalie] == [
        {
            "id_anomalia": 3,
            "note": "Anomalia 3 dichiarata dalla macchina.",
            "campo": "anomalia",
            "valore_ricevuto": "3",
            "origine": "MACCHINA",
        }
    ]


def test_anomaly_numbers_are_plain_integers_for_the_driver():
    row = built(make_raw_record(peso_effettivo="0", anomalia=[{"id": 77}]))
    assert {type(anomalia[0]) for anomalia in row.anomalie} == {int}


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Operazione, OPERAZIONI_COLUMNS),
        (Forgiatura, FORGIATURA_COLUMNS),
        (Cnc, CNC_COLUMNS),
        (AnomaliaOperazione, ANOMALIE_COLUMNS),
    ],
)
def test_every_column_is_written_but_those_of_load_and_database_defaults(model, columns):
    fields = [field for field in model._meta.fields if not field.primary_key]
    written = {field.column for field in fields if not field.has_db_default()}
    later = {"sequenza", "gestita_da", "gestita_il", "nota_gestione"}  # by the feed and by staff
    assert set(columns) == written - {"id_operazione", "creata_il"} - later


@pytest.mark.parametrize(
    ("constant", "model", "column"),
    [
        ("DURATA", Operazione, "durata"),
        ("KG", Forgiatura, "peso_nominale"),
        ("KG", Forgiatura, "scarto_peso"),
        ("PERCENT", Forgiatura, "scarto_peso_pct"),
        ("CELSIUS", Forgiatura, "temperatura_nominale"),
        ("CELSIUS", Forgiatura, "scarto_temperatura"),
        ("PERCENT", Forgiatura, "scarto_temperatura_pct"),
        ("PEZZI_PRODOTTI", Cnc, "pezzi_prodotti"),
    ],
)
def test_decimal_ranges_are_those_of_the_tables(constant, model, column):
    field = model._meta.get_field(column)
    expected = decimal_column(field.max_digits, field.decimal_places)
    assert getattr(build_module, constant) == expected


# --- Times ----------------------------------------------------------------------------------


def test_times_are_naive_plant_time_with_microseconds():
    row = built(
        make_raw_record(
            timestamp_inizio="2024-07-01T10:00:00.000001Z", timestamp_fine="2024-07-01T12:30:00"
        )
    )
    inizio, fine = row.operazione[5:7]
    assert (inizio.isoformat(), fine.isoformat()) == (
        "2024-07-01T12:00:00.000001",
        "2024-07-01T12:30:00",
    )
    assert inizio.tzinfo is None


def test_the_double_hour_keeps_its_true_duration():
    row = built(
        make_raw_record(timestamp_inizio="27/10/2024 02:50", timestamp_fine="27/10/2024 02:10")
    )
    inizio, fine = row.operazione[5:7]
    assert (f"{inizio:%H:%M}", f"{fine:%H:%M}", row.operazione[8]) == ("02:50", "02:10", 1200)


# --- Forging --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "column", "expected"),
    [
        ("11.5", "10", "12", KG, ("11.000", "0.500", "4.55")),
        ("10.5", "10", "12", KG, ("11.000", "-0.500", "-4.55")),
        ("11", "10", "12", KG, ("11.000", "0.000", "0.00")),
        # half up, away from zero, and from the exact values: the nominal is 10.0005
        ("10.0010", "10", "10.001", KG, ("10.001", "0.001", "0.00")),
        ("10", "10", "10.001", KG, ("10.001", "-0.001", "0.00")),
        ("1000.05", "999", "1001", CELSIUS, ("1000.0", "0.1", "0.01")),
        ("999.95", "999", "1001", CELSIUS, ("1000.0", "-0.1", "-0.01")),
        ("1000.049999", "999", "1001", CELSIUS, ("1000.0", "0.0", "0.00")),
        ("999.9999", "999", "1001", CELSIUS, ("1000.0", "0.0", "0.00")),
        # rounding twice would give 0.050 and 0.01
        (f"1000.04{'9' * 60}", "999", "1001", CELSIUS, ("1000.0", "0.0", "0.00")),
        # a nominal of 0 has no percentage
        ("5", "0", "0", KG, ("0.000", "5.000", None)),
        ("5", "-1", "1", KG, ("0.000", "5.000", None)),
        # without measure or limits there is nothing to compare
        (None, "10", "12", KG, (None, None, None)),
        ("11", None, "12", KG, (None, None, None)),
        ("11", "10", None, KG, (None, None, None)),
        # beyond the column
        ("1", "0", "1e-12", KG, ("0.000", "1.000", None)),
        ("1", "-5000000000", "-5000000000", KG, (None, None, "-100.00")),
    ],
)
def test_deviation(value, low, high, column, expected):
    numbers = [None if number is None else Decimal(number) for number in (value, low, high)]
    assert tuple(exactly(part) for part in deviation(*numbers, column)) == expected


@pytest.mark.parametrize(
    ("fields", "limits", "esito"),
    [
        ({}, {}, "CONFORME"),
        ({"peso_effettivo": "10"}, {}, "CONFORME"),
        ({"peso_effettivo": "12", "temperatura_effettiva": "800"}, {}, "CONFORME"),
        ({"peso_effettivo": "12.001"}, {}, "FUORI_SPECIFICA"),
        ({"peso_effettivo": "9.999"}, {}, "FUORI_SPECIFICA"),
        ({"temperatura_effettiva": "799.9"}, {}, "FUORI_SPECIFICA"),
        ({"temperatura_effettiva": "1100.1"}, {"temperatura_max": "1100"}, "FUORI_SPECIFICA"),
        # a missing limit or measure is never CONFORME
        ({}, {"peso_min": None}, "NON_VALUTABILE"),
        ({}, {"peso_max": None}, "NON_VALUTABILE"),
        ({}, {"temperatura_min": None}, "NON_VALUTABILE"),
        ({}, {"temperatura_max": None}, "NON_VALUTABILE"),
        ({"peso_effettivo": None}, {}, "NON_VALUTABILE"),
        ({"peso_effettivo": "1200"}, {}, "NON_VALUTABILE"),
        ({"temperatura_effettiva": "boh"}, {}, "NON_VALUTABILE"),
        ({"codice_pezzo": None}, {}, "NON_VALUTABILE"),
        ({"codice_pezzo": "ZZZ"}, {}, "NON_VALUTABILE"),
        # but what is out is out, whatever is missing beside it
        ({"peso_effettivo": None, "temperatura_effettiva": "799"}, {}, "FUORI_SPECIFICA"),
        ({"peso_effettivo": "13"}, {"peso_min": None}, "FUORI_SPECIFICA"),
        ({"peso_effettivo": "13"}, {"temperatura_max": None}, "FUORI_SPECIFICA"),
    ],
)
def test_esito(fields, limits, esito):
    assert forging(make_raw_record(**fields), **limits)["esito"] == esito


@pytest.mark.parametrize(
    ("fields", "id_anomalia"),
    [
        ({}, None),
        ({"peso_effettivo": "0"}, 2),
        ({"temperatura_effettiva": "0"}, 3),
        ({"peso_effettivo": "13"}, 102),
        ({"temperatura_effettiva": "799"}, 103),
        ({"peso_effettivo": "0", "temperatura_effettiva": "0"}, 2),
        ({"peso_effettivo": "13", "temperatura_effettiva": "0"}, 3),
        ({"peso_effettivo": "13", "temperatura_effettiva": "799"}, 102),
        ({"timestamp_inizio": "boh", "codice_operatore": "ZZZ"}, None),
        ({"timestamp_inizio": "boh", "temperatura_effettiva": "799"}, 103),
        ({"anomalia": [{"id": 3}]}, 3),
    ],
)
def test_the_anomaly_repeated_on_the_forging_row(fields, id_anomalia):
    assert forging(make_raw_record(**fields))["id_anomalia"] == id_anomalia


# --- CNC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "fine", "pezzi"),
    [
        ("30", "10:30:00", "15.0000"),
        ("3", "10:10:00", "0.5000"),
        ("1", "10:10:00", "0.1667"),
        ("2", "10:10:00", "0.3333"),
        ("0", "10:10:00", "0.0000"),
        ("3", "10:00:00", "0.0000"),
        ("1", "10:00:00.18", "0.0001"),
        ("1", "10:00:00.179999", "0.0000"),
        ("1", "10:00:00.54", "0.0002"),
    ],
)
def test_pieces_are_rate_times_hours_to_four_decimals(rate, fine, pezzi):
    produced = pezzi_prodotti(numero_pezzi_ora=rate, timestamp_fine=f"2024-12-20T{fine}Z")
    assert str(produced) == pezzi


@pytest.mark.parametrize(
    "fields",
    [
        {"numero_pezzi_ora": None},
        {"numero_pezzi_ora": "-1"},
        {"timestamp_fine": None},
        {"timestamp_fine": "2024-12-20T09:00:00Z"},
        {"timestamp_inizio": "boh"},
    ],
)
def test_without_rate_start_or_end_there_is_no_number_of_pieces(fields):
    assert pezzi_prodotti(**fields) is None


def test_pieces_beyond_their_column_are_null():
    # 10,000 an hour since the year 2012 pass the 99,999,999.9999 of DECIMAL(12,4)
    assert pezzi_prodotti(numero_pezzi_ora="10000", timestamp_inizio="2012-01-01T00:00Z") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("99.94", "99.9"),
        ("99.95", None),
        ("-99.95", None),
        ("100", None),
        ("1e300", None),
        ("0.05", "0.1"),
        ("-0.05", "-0.1"),
        ("-0.04", "0.0"),
    ],
)
def test_rounding_stays_in_the_column(value, expected):
    assert exactly(rounded(Decimal(value), decimal_column(3, 1))) == expected


def half_up(value):
    """The rule, written with fractions: the nearest, and of two the one away from zero."""
    magnitude = (abs(value) * 100 + Fraction(1, 2)) // 1
    return Fraction(magnitude if value >= 0 else -magnitude, 100)


unhurried = settings(deadline=None)  # a busy machine is no failure
kilograms = st.decimals("0.001", "1000", places=3)


@unhurried
@given(kilograms, kilograms, kilograms)
def test_percentages_are_rounded_once_from_exact_values(value, low, high):
    _, _, pct = deviation(value, low, high, KG)
    nominal = (Fraction(low) + Fraction(high)) / 2
    exact = (Fraction(value) - nominal) * 100 / nominal
    assert Fraction(pct) == half_up(exact)
    assert pct == rounded(pct, PERCENT)


@unhurried
@given(st.integers(0, 10_000), st.timedeltas(timedelta(0), timedelta(hours=9)))
def test_produced_pieces_are_exact_to_half_a_unit_of_the_last_decimal(rate, duration):
    fine = datetime(2024, 12, 20, 1, tzinfo=UTC) + duration
    produced = pezzi_prodotti(
        numero_pezzi_ora=str(rate),
        timestamp_inizio="2024-12-20T01:00:00Z",
        timestamp_fine=fine.isoformat(),
    )
    exact = rate * Fraction(duration // timedelta(microseconds=1), 3_600_000_000)
    assert Fraction(-1, 20_000) <= exact - Fraction(produced) < Fraction(1, 20_000)
