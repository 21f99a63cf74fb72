"""Every row of docs/regole.md, "Convalida", but the times: both sides of each limit."""

from decimal import Decimal

import pytest

from production.vocabulary import ALTRO_FERMO, NESSUN_FERMO
from tests.builders import (
    TIPI_FERMO,
    make_cnc_record,
    make_master_data,
    make_piece_limits,
    make_raw_record,
)
from tests.ingestion.transfer.cases import (
    CNC_CASES,
    FORGE_CASES,
    POWER_AUTOMATE_CNC,
    POWER_AUTOMATE_FORGE,
)
from tests.ingestion.transfer.judging import judge_cnc, judge_forge, judged, numbers, utc

# --- The record that is right ---------------------------------------------------------------


def test_a_right_forging_record_has_no_anomaly():
    verdict = judge_forge()
    assert verdict.anomalie == []
    assert verdict.record._asdict() == {
        "id_ordine": 8,
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
        "codice_operatore": "OOP4",
        "timestamp_inizio": utc(2024, 12, 20, 10),
        "timestamp_fine": utc(2024, 12, 20, 10, 20),
        "tipo_operazione": "forgiatura",
        "durata": Decimal(1200),
        "peso_effettivo": Decimal("11.5"),
        "temperatura_effettiva": Decimal(1040),
        "numero_pezzi_ora": None,
        "tipo_fermo": None,
    }


def test_a_right_cnc_record_has_no_anomaly():
    verdict = judge_cnc()
    assert verdict.anomalie == []
    record = verdict.record
    assert (record.numero_pezzi_ora, record.tipo_fermo) == (3, "NESSUNO")
    assert (record.peso_effettivo, record.temperatura_effettiva) == (None, None)


def test_an_empty_record_gets_what_its_absence_means():
    empty = dict.fromkeys(make_raw_record()._fields[3:])
    verdict = judged(make_raw_record(**empty))
    assert numbers(verdict) == [
        (1, "timestamp_inizio"),
        (108, "timestamp_fine"),
        (101, "tipo_operazione"),
    ]
    assert set(verdict.record) == {None}


# --- Forging --------------------------------------------------------------------------------


NO_SPEC = {"codice_pezzo": "PZC10"}


@pytest.mark.parametrize(
    ("text", "kg"),
    [
        ("0.001", "0.001"),
        ("1e-300", "1e-300"),
        ("1000", "1000"),
        ("1.000,00", "1000"),
        ("999,999", "999.999"),
        ("1.054", "1.054"),
        ("0", None),
        ("0,0", None),
        ("-0.001", None),
        ("-5", None),
        ("1000.001", None),
        ("1200", None),
        ("9" * 400, None),
        ("NaN", None),
        ("1e400", None),
        ("true", None),
        ("1_000", None),
        ("12,5 kg", None),
        ("$1,234.50", None),
        ("undici", None),
        (None, None),
        ("", None),
        ("#N/A", None),
    ],
)
def test_weight_is_over_0_and_up_to_1000_kg(text, kg):
    verdict = judge_forge(peso_effettivo=text, **NO_SPEC)
    assert verdict.record.peso_effettivo == (None if kg is None else Decimal(kg))
    assert numbers(verdict) == ([] if kg else [(2, "peso_effettivo")])


@pytest.mark.parametrize(
    ("text", "celsius"),
    [
        ("700", "700"),
        ("1200", "1200"),
        ("1.054,50", "1054.50"),
        ("1.4e3", None),
        ("699.999", None),
        ("1200.001", None),
        ("1.054", None),
        ("-300", None),
        ("Infinity", None),
        ("false", None),
        ("caldo", None),
        (None, None),
        ("N/D", None),
    ],
)
def test_temperature_is_from_700_to_1200_degrees(text, celsius):
    verdict = judge_forge(temperatura_effettiva=text, **NO_SPEC)
    assert verdict.record.temperatura_effettiva == (None if celsius is None else Decimal(celsius))
    assert numbers(verdict) == ([] if celsius else [(3, "temperatura_effettiva")])


def test_plausibility_limits_are_settings():
    raw = make_raw_record(peso_effettivo="1500", temperatura_effettiva="650", **NO_SPEC)
    wider = judged(raw, peso_max=Decimal(1500), temperatura_min=Decimal(650))
    assert wider.anomalie == []
    narrower = judged(make_raw_record(), peso_max=Decimal(11), temperatura_max=Decimal(1039))
    assert numbers(narrower) == [(2, "peso_effettivo"), (3, "temperatura_effettiva")]


@pytest.mark.parametrize(
    ("campo", "text", "anomalia"),
    [
        ("peso_effettivo", "10", None),
        ("peso_effettivo", "9.999", 102),
        ("peso_effettivo", "12", None),
        ("peso_effettivo", "12,001", 102),
        ("temperatura_effettiva", "800", None),
        ("temperatura_effettiva", "799.9", 103),
        ("temperatura_effettiva", "1200", None),
    ],
)
def test_limits_of_the_piece_are_inclusive_and_keep_the_value(campo, text, anomalia):
    verdict = judge_forge(**{campo: text})
    assert numbers(verdict) == ([(anomalia, campo)] if anomalia else [])
    assert getattr(verdict.record, campo) == Decimal(text.replace(",", "."))


def test_the_upper_temperature_limit_of_the_piece():
    master = make_master_data(pezzi={"PZC01": make_piece_limits(temperatura_max="1100")})
    raw = make_raw_record(temperatura_effettiva="1100.1")
    assert numbers(judged(raw, master)) == [(103, "temperatura_effettiva")]
    assert numbers(judged(raw._replace(temperatura_effettiva="1100"), master)) == []


@pytest.mark.parametrize(
    ("limit", "field", "text"),
    [
        ("peso_min", "peso_effettivo", "1"),
        ("peso_max", "peso_effettivo", "900"),
        ("temperatura_min", "temperatura_effettiva", "701"),
        ("temperatura_max", "temperatura_effettiva", "1199"),
    ],
)
def test_a_null_limit_checks_nothing(limit, field, text):
    limits = make_piece_limits(**({"temperatura_max": "1100"} | {limit: None}))
    master = make_master_data(pezzi={"PZC01": limits})
    assert judged(make_raw_record(**{field: text}), master).anomalie == []


def test_an_implausible_measure_is_not_compared_with_the_piece():
    assert numbers(judge_forge(peso_effettivo="1200")) == [(2, "peso_effettivo")]


def test_an_unknown_piece_has_no_limits():
    assert numbers(judge_forge(codice_pezzo="ZZZ", peso_effettivo="500")) == [(106, "codice_pezzo")]


# --- CNC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0", 0), ("3", 3), ("3.0", 3), ("3,0", 3), ("10000", 10_000), ("1e4", 10_000), (" 3 ", 3)],
)
def test_rates_from_0_to_10000_are_kept(text, rate):
    verdict = judge_cnc(numero_pezzi_ora=text)
    assert (verdict.record.numero_pezzi_ora, verdict.anomalie) == (rate, [])


@pytest.mark.parametrize(
    "text",
    ["-1", "10001", "9999999", "3.5", "9" * 5_000, "true", "1_000", "tre", "NaN", "1e400", "³"],
    ids=lambda text: text[:20],
)
def test_other_rates_are_null_and_104(text):
    verdict = judge_cnc(numero_pezzi_ora=text)
    assert verdict.record.numero_pezzi_ora is None
    assert numbers(verdict) == [(104, "numero_pezzi_ora")]


@pytest.mark.parametrize("text", [None, "", "null"])
def test_a_stopped_machine_has_no_rate_and_no_anomaly(text):
    verdict = judge_cnc(numero_pezzi_ora=text)
    assert (verdict.record.numero_pezzi_ora, verdict.anomalie) == (None, [])


def test_the_highest_rate_is_a_setting():
    raw = make_cnc_record(numero_pezzi_ora="11")
    assert numbers(judged(raw, pezzi_ora_max=10)) == [(104, "numero_pezzi_ora")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "NESSUNO"),
        ("", "NESSUNO"),
        ("N/D", "NESSUNO"),
        ("NESSUNO", "NESSUNO"),
        ("none", "NESSUNO"),
        ("Nessun_Fermo", "NESSUNO"),
        (" Utensile\xa0", "UTENSILE"),
        ("ALTRO", "ALTRO"),
    ],
)
def test_known_stop_types(text, code):
    verdict = judge_cnc(tipo_fermo=text)
    assert (verdict.record.tipo_fermo, verdict.anomalie) == (code, [])


@pytest.mark.parametrize("text", ["Sciopero", "utensile rotto", "0"])
def test_an_unknown_stop_type_is_altro_and_105_with_its_text(text):
    verdict = judge_cnc(tipo_fermo=f" {text} ")
    assert verdict.record.tipo_fermo == "ALTRO"
    assert numbers(verdict) == [(105, "tipo_fermo")]
    assert f"«{text}»" in verdict.anomalie[0].note


def test_the_stop_types_that_validation_stores_are_seeded():
    assert {NESSUN_FERMO, ALTRO_FERMO} < set(TIPI_FERMO.values())


# --- Type of operation ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["cnc", "CNC", " Cnc\xa0"])
def test_known_types_after_trim_and_case_fold(text):
    verdict = judge_cnc(tipo_operazione=text)
    assert (verdict.record.tipo_operazione, verdict.anomalie) == ("cnc", [])


@pytest.mark.parametrize("text", [None, "", "null", "tornitura", "forgiatura,cnc", "x" * 10_000])
def test_another_type_is_null_and_101_and_no_detail_is_judged(text):
    verdict = judge_forge(
        tipo_operazione=text, peso_effettivo="boh", numero_pezzi_ora="boh", tipo_fermo="boh"
    )
    assert numbers(verdict) == [(101, "tipo_operazione")]
    assert verdict.record.tipo_operazione is None
    assert verdict.record[-4:] == (None, None, None, None)


def test_fields_of_the_other_type_are_ignored():
    forge = judge_forge(numero_pezzi_ora="boh", tipo_fermo="boh")
    assert (forge.anomalie, forge.record[-2:]) == ([], (None, None))
    cnc = judge_cnc(peso_effettivo="boh", temperatura_effettiva="5000")
    assert (cnc.anomalie, cnc.record[-4:-2]) == ([], (None, None))


# --- References -----------------------------------------------------------------------------


CODES = ["codice_pezzo", "codice_macchinario", "codice_operatore"]


@pytest.mark.parametrize("campo", [*CODES, "id_ordine"])
@pytest.mark.parametrize("text", [None, "", " null "])
def test_an_absent_reference_is_null_without_anomaly(campo, text):
    verdict = judge_forge(**{campo: text})
    assert (getattr(verdict.record, campo), verdict.anomalie) == (None, [])


@pytest.mark.parametrize("campo", CODES)
@pytest.mark.parametrize("text", ["SCONOSCIUTO", "x" * 50, "=1+1", "\ufffd"])
def test_an_unknown_code_is_null_and_106_with_the_code(campo, text):
    verdict = judge_forge(**{campo: f" {text}"})
    assert getattr(verdict.record, campo) is None
    assert numbers(verdict) == [(106, campo)]
    assert f"«{text}»" in verdict.anomalie[0].note


@pytest.mark.parametrize("campo", CODES)
def test_a_code_longer_than_its_column_is_null_and_999(campo):
    verdict = judge_forge(**{campo: "x" * 51})
    assert getattr(verdict.record, campo) is None
    assert numbers(verdict) == [(999, campo)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("PZC01", "PZC01"),
        (" PZC01\xa0", "PZC01"),
        ("8", "8"),
        ("008", "008"),
        ("8.0", None),
        ("pzc01", None),
        ("PŻC01", None),
        ("PZC 01", None),
    ],
)
def test_codes_are_compared_exactly(text, code):
    verdict = judge_forge(codice_pezzo=text, peso_effettivo="11")
    assert verdict.record.codice_pezzo == code
    assert numbers(verdict) == ([] if code else [(106, "codice_pezzo")])


@pytest.mark.parametrize("text", ["8", "8.0", " 8 ", "8e0"])
def test_a_known_order_number(text):
    assert judge_forge(id_ordine=text).record.id_ordine == 8


@pytest.mark.parametrize(
    "text",
    ["7", "-8", "8.5", "otto", "true", "NaN", str(2**63), "1e300", "9" * 5_000, "1e400"],
    ids=lambda text: text[:20],
)
def test_any_other_order_number_is_null_and_106(text):
    verdict = judge_forge(id_ordine=text)
    assert verdict.record.id_ordine is None
    assert numbers(verdict) == [(106, "id_ordine")]


# --- Sample requests ------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "anomalies"), FORGE_CASES.values(), ids=FORGE_CASES)
def test_forging_as_power_automate_sends_it(fields, anomalies):
    verdict = judge_forge(**(POWER_AUTOMATE_FORGE | fields))
    assert [finding.id_anomalia for finding in verdict.anomalie] == anomalies


@pytest.mark.parametrize(("fields", "anomalies"), CNC_CASES.values(), ids=CNC_CASES)
def test_machining_as_power_automate_sends_it(fields, anomalies):
    verdict = judge_cnc(**(POWER_AUTOMATE_CNC | fields))
    assert [finding.id_anomalia for finding in verdict.anomalie] == anomalies
