"""Every row of domain.md's validation table, both sides of each limit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.transfer.findings import MACCHINA, VALIDAZIONE
from ingestion.transfer.parse import CAMPO_LENGTH, parse
from ingestion.transfer.records import Limits
from ingestion.transfer.rules import ALTRO, CNC, FORGIATURA, NESSUNO, judge
from ingestion.transfer.text import SHOWN_LENGTH, present
from ingestion.transfer.timestamps import PLANT_TIME_ZONE
from production.models import Origine, TipoOperazione
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

MASTER = make_master_data()


def judged(raw, master=MASTER, **limits):
    return judge(parse(raw), raw.ricevuto_il, master, Limits(**limits))


def judge_forge(**fields):
    return judged(make_raw_record(**fields))


def judge_cnc(**fields):
    return judged(make_cnc_record(**fields))


def judge_pair(inizio, fine, **fields):
    return judge_forge(timestamp_inizio=inizio, timestamp_fine=fine, **fields)


def numbers(verdict):
    return [(finding.id_anomalia, finding.campo) for finding in verdict.anomalie]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


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


# --- Timestamps -----------------------------------------------------------------------------


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


# --- Declared anomalies and what reception altered ------------------------------------------


def declared(value):
    return [
        (finding.id_anomalia, finding.origine, finding.valore)
        for finding in judge_forge(anomalia=value).anomalie
    ]


def test_each_known_id_is_one_row_of_the_machine():
    assert declared([{"id": 3}, {"id": "4"}, {"id": 3.0}]) == [
        (3, MACCHINA, "3"),
        (4, MACCHINA, "4"),
    ]


def test_each_unknown_id_is_999_with_the_id():
    verdict = judge_forge(anomalia=[{"id": 77}, {"id": -1}, {"id": 77}])
    assert [(f.id_anomalia, f.origine, f.campo) for f in verdict.anomalie] == [
        (999, MACCHINA, "anomalia"),
        (999, MACCHINA, "anomalia"),
    ]
    assert "77" in verdict.anomalie[0].note
    assert "-1" in verdict.anomalie[1].note


@pytest.mark.parametrize("value", [None, "", "null", " N/D ", []])
def test_nothing_declared(value):
    assert declared(value) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("testo", "testo"),
        ({"id": 3}, '{"id": 3}'),
        (3, "3"),
        (True, "true"),
        ([3], "[3]"),
        ([{"id": True}], '[{"id": true}]'),
        ([{"ID": 3}], '[{"ID": 3}]'),
        ([{"id": "tre"}, {"id": None}], '[{"id": "tre"}, {"id": null}]'),
    ],
)
def test_a_wrong_structure_is_one_4(value, text):
    assert declared(value) == [(4, VALIDAZIONE, text)]


def test_valid_elements_of_a_wrong_structure_still_count():
    assert declared([{"id": 3}, "x"]) == [(3, MACCHINA, "3"), (4, VALIDAZIONE, '[{"id": 3}, "x"]')]


def test_of_more_than_100_elements_the_first_100_are_read():
    ids = [{"id": number} for number in range(1000, 1101)]
    assert [number for number, *_ in declared(ids[:100])] == [999] * 100
    assert [number for number, *_ in declared(ids)] == [999] * 100 + [4]


AVVISO = {"campo": "note", "motivo": "carattere_non_valido", "valore": "a\ufffdb"}


def test_what_reception_altered_is_999_with_a_sentence():
    verdict = judge_forge(avvisi=[AVVISO])
    assert numbers(verdict) == [(999, "note")]
    finding = verdict.anomalie[0]
    assert (finding.valore, finding.origine) == ("a\ufffdb", VALIDAZIONE)
    assert finding.note == (
        "Il campo «note» è stato modificato alla ricezione: "
        "un carattere che il database non accetta è diventato «\ufffd»."
    )


@pytest.mark.parametrize(
    ("motivo", "why"),
    [
        ("numero_non_rappresentabile", "un numero troppo grande è stato conservato come testo."),
        ("altro motivo", "altro motivo."),
        (None, "conteneva valori non memorizzabili."),
    ],
)
def test_why_reception_altered_a_field(motivo, why):
    assert judge_forge(avvisi=[AVVISO | {"motivo": motivo}]).anomalie[0].note.endswith(f": {why}")


def test_an_altered_field_that_is_wrong_anyway_has_one_anomaly():
    verdict = judge_forge(
        codice_pezzo="PZ\ufffd", avvisi=[AVVISO | {"campo": "codice_pezzo"}, AVVISO]
    )
    assert numbers(verdict) == [(106, "codice_pezzo"), (999, "note")]


def test_a_declared_anomaly_does_not_hide_what_reception_altered():
    verdict = judge_forge(anomalia=[{"id": 3}], avvisi=[AVVISO | {"campo": "anomalia"}])
    assert numbers(verdict) == [(3, "anomalia"), (999, "anomalia")]


def test_one_field_altered_twice_has_one_anomaly():
    assert numbers(judge_forge(avvisi=[AVVISO, AVVISO])) == [(999, "note")]
    long_name = AVVISO | {"campo": "x" * 100}
    assert len(judge_forge(avvisi=[long_name, long_name]).anomalie) == 1


@pytest.mark.parametrize("avvisi", ["testo", 7, ["testo"], [None], [[]], [{}], {"x": 1}])
def test_avvisi_of_another_shape_are_told_too(avvisi):
    assert numbers(judge_forge(avvisi=avvisi)) == [(999, None)]


def test_an_integer_too_long_to_print_is_a_wrong_structure():
    huge = 10**5000
    verdict = judge_forge(anomalia=[{"id": huge}], avvisi=[{"campo": "note", "valore": huge}])
    assert numbers(verdict) == [(4, "anomalia"), (999, "note")]


def test_avvisi_without_a_field_are_each_told():
    assert numbers(judge_forge(avvisi=["uno", "due"])) == [(999, None), (999, None)]


# --- Notes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "note"),
    [
        (
            judge_forge(peso_effettivo="1200"),
            "Peso 1200 kg non plausibile: deve essere maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo="1e300"),
            "Peso 1e+300 kg non plausibile: deve essere maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo="12,5 kg"),
            "Peso «12,5 kg» non leggibile: deve essere un numero maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo=None),
            "Peso mancante: deve essere un numero maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(temperatura_effettiva="1250.50"),
            "Temperatura 1250,5 °C non plausibile: deve essere tra 700 e 1200 °C.",
        ),
        (
            judge_forge(peso_effettivo="12.50"),
            "Peso 12,5 kg fuori specifica per il pezzo «PZC01»: deve essere tra 10 e 12 kg.",
        ),
        (
            judge_cnc(numero_pezzi_ora="3.5"),
            "Pezzi all'ora «3.5» non validi: deve essere un numero intero tra 0 e 10000.",
        ),
        (
            judge_cnc(numero_pezzi_ora="-1"),
            "Pezzi all'ora -1 non validi: deve essere un numero intero tra 0 e 10000.",
        ),
        (
            judge_cnc(tipo_fermo="Sciopero"),
            "Tipo di fermo «Sciopero» sconosciuto: registrato come ALTRO.",
        ),
        (
            judge_forge(tipo_operazione="Tornitura"),
            "Tipo di operazione «tornitura» sconosciuto: deve essere forgiatura o cnc.",
        ),
        (
            judge_forge(codice_operatore="OOP9"),
            "Codice operatore «OOP9» sconosciuto: non è tra i dati del portale.",
        ),
        (
            judge_forge(id_ordine="77"),
            "Numero d'ordine «77» sconosciuto: non è tra i dati del portale.",
        ),
        (
            judge_forge(timestamp_fine="boh"),
            "Ora di fine «boh» non valida: non è una data con ora riconoscibile. "
            "Si scrive per esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00.",
        ),
        (
            judge_forge(timestamp_fine="2024-12-20T09:00:00Z"),
            "Ora di fine 20/12/2024 10:00:00 non valida: viene prima dell'ora di inizio "
            "20/12/2024 11:00:00.",
        ),
        (
            judge_forge(timestamp_fine="2025-12-20T10:00:00Z"),
            "Ora di fine 20/12/2025 11:00:00 non valida: il record è stato ricevuto prima, "
            "20/12/2024 13:00:00, e sono ammessi al più 60 minuti di differenza.",
        ),
        (
            judge_forge(timestamp_inizio="2024-12-19T08:50:00Z"),
            "Durata di 25,5 ore anomala: ne sono previste al più 24.",
        ),
        (judge_forge(anomalia=[{"id": 3}]), "Anomalia 3 dichiarata dalla macchina."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_notes_say_what_came_and_what_was_expected(verdict, note):
    assert [finding.note for finding in verdict.anomalie] == [note]


@pytest.mark.parametrize(
    "fields",
    [
        {"peso_effettivo": "x" * 10_000},
        {"codice_pezzo": "x" * 10_000},
        {"tipo_operazione": "x" * 10_000},
        {"anomalia": "x" * 10_000},
        {"avvisi": [dict.fromkeys(AVVISO, "x" * 10_000)]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_long_text_is_cut_where_it_is_shown(fields):
    finding = judge_forge(**fields).anomalie[0]
    assert finding.valore == "x" * 499 + "…"
    assert len(finding.campo) <= CAMPO_LENGTH
    assert len(finding.note) <= SHOWN_LENGTH
    assert "…" in finding.note or "anomalia" in fields
    assert finding.note.endswith(".") or "avvisi" in fields  # what was expected is not cut


@pytest.mark.parametrize("text", ["a\x00b", "a\ud83db"])
def test_what_no_database_stores_is_shown_as_a_replacement(text):
    finding = judge_forge(peso_effettivo=text).anomalie[0]
    assert finding.valore == "a\ufffdb"
    assert "«a\ufffdb»" in finding.note


def test_a_limit_that_the_piece_lacks_is_not_in_the_note():
    lower = make_piece_limits(peso_max=None)
    upper = make_piece_limits(peso_min=None)
    light = judged(make_raw_record(peso_effettivo="9"), make_master_data(pezzi={"PZC01": lower}))
    heavy = judged(make_raw_record(peso_effettivo="13"), make_master_data(pezzi={"PZC01": upper}))
    assert light.anomalie[0].note.endswith("deve essere almeno 10 kg.")
    assert heavy.anomalie[0].note.endswith("deve essere al più 12 kg.")


def test_stored_words_are_those_of_the_tables():
    assert TipoOperazione.values == [FORGIATURA, CNC]
    assert {VALIDAZIONE, MACCHINA} < set(Origine.values)
    assert {NESSUNO, ALTRO} < set(TIPI_FERMO.values())


# --- Sample requests ------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "anomalies"), FORGE_CASES.values(), ids=FORGE_CASES)
def test_forging_as_power_automate_sends_it(fields, anomalies):
    verdict = judge_forge(**(POWER_AUTOMATE_FORGE | fields))
    assert [finding.id_anomalia for finding in verdict.anomalie] == anomalies


@pytest.mark.parametrize(("fields", "anomalies"), CNC_CASES.values(), ids=CNC_CASES)
def test_machining_as_power_automate_sends_it(fields, anomalies):
    verdict = judge_cnc(**(POWER_AUTOMATE_CNC | fields))
    assert [finding.id_anomalia for finding in verdict.anomalie] == anomalies


# --- Properties -----------------------------------------------------------------------------

FIELDS = make_raw_record()._fields[3:14]
DETAIL_OF = {
    "forgiatura": {"peso_effettivo", "temperatura_effettiva"},
    "cnc": {"numero_pezzi_ora", "tipo_fermo"},
    None: set(),
}
SHARED = set(FIELDS) - DETAIL_OF["forgiatura"] - DETAIL_OF["cnc"]
REQUIRED = {
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "peso_effettivo",
    "temperatura_effettiva",
}

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
near_miss = st.from_regex(r"[0-9+\-.,eE:/TZ \xa0]{1,30}", fullmatch=True)
known = st.sampled_from(
    [
        *["forgiatura", "cnc", "PZC01", "8", "OOP4", "none", "N/D", "11.5", "1040", "3"],
        *["2024-12-20T10:00:00Z", "20/12/2024 10:20", "27/10/2024 02:30", "45646.41667"],
        *["9999-12-31T23:59:59Z", "31/03/2024 02:30", "\x00", "\ud83d", "x" * 600],
    ]
)
field_text = st.none() | known | near_miss | any_text
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "campo", "motivo", "valore", "x"]), inner)
    ),
    max_leaves=8,
)
any_record = st.builds(
    make_raw_record, **dict.fromkeys(FIELDS, field_text), anomalia=json_value, avvisi=json_value
)


@given(any_record)
def test_no_content_raises_and_every_row_can_be_stored(raw):
    for finding in judged(raw).anomalie:
        assert finding.id_anomalia in MASTER.anomalie
        assert 0 < len(finding.note) <= SHOWN_LENGTH
        assert len(finding.valore or "") <= SHOWN_LENGTH
        assert len(finding.campo or "") <= CAMPO_LENGTH
        f"{finding.note}{finding.valore}{finding.campo}".encode()


@given(any_record)
def test_the_same_record_gets_the_same_verdict(raw):
    assert judged(raw) == judged(raw)


@given(any_record)
def test_each_nulled_field_has_exactly_one_anomaly(raw):
    record, found = judged(raw._replace(avvisi=None))
    ours = [finding.campo for finding in found if finding.origine == VALIDAZIONE]
    for campo in SHARED | DETAIL_OF[record.tipo_operazione]:
        is_missing = present(getattr(raw, campo)) is None
        if getattr(record, campo) is not None:
            assert ours.count(campo) <= 1
        elif not is_missing or campo in REQUIRED:
            assert ours.count(campo) == 1
        else:
            assert ours.count(campo) == 0
    assert set(ours) <= SHARED | DETAIL_OF[record.tipo_operazione] | {"anomalia"}


WRONG_SHARED = {
    "id_ordine": ["77", "otto"],
    "codice_pezzo": ["ZZZ", "x" * 51],
    "codice_macchinario": ["ZZZ", "x" * 51],
    "codice_operatore": ["ZZZ", "oop4"],
    "timestamp_inizio": ["boh", "2031-01-01T00:00:00Z", None],
    "timestamp_fine": ["boh", "2031-01-01T00:00:00Z", None],
    "anomalia": ["x", [{"id": 77}]],
}
WRONG_FORGE = WRONG_SHARED | {
    "peso_effettivo": ["0", "1001", "boh", None],
    "temperatura_effettiva": ["699", "1201", "boh", ""],
}
WRONG_CNC = WRONG_SHARED | {"numero_pezzi_ora": ["-1", "3.5"], "tipo_fermo": ["boh"]}


def some_wrong(values):
    """A choice of fields, each with one of its wrong values."""
    return st.fixed_dictionaries(
        {}, optional={campo: st.sampled_from(wrong) for campo, wrong in values.items()}
    )


@given(some_wrong(WRONG_FORGE))
def test_k_wrong_fields_of_a_forging_give_k_anomalies(wrong):
    verdict = judge_forge(**wrong)
    assert sorted(finding.campo for finding in verdict.anomalie) == sorted(wrong)


@given(some_wrong(WRONG_CNC))
def test_k_wrong_fields_of_a_machining_give_k_anomalies(wrong):
    verdict = judge_cnc(**wrong)
    assert sorted(finding.campo for finding in verdict.anomalie) == sorted(wrong)


def italian_text(number):
    return f"{number:,}".replace(",", "_").replace(".", ",").replace("_", ".")


def either_text(numbers_):
    """A number with the text it is sent as, plain or Italian with thousands."""
    forms = st.sampled_from([lambda number: f"{number:f}", italian_text])
    return st.tuples(numbers_, forms).map(lambda pair: (pair[0], pair[1](pair[0])))


weights = st.decimals("0.01", "1000", places=2)
temperatures = st.decimals("700", "1200", places=1)
moments = st.datetimes(datetime(2000, 1, 2), datetime(2024, 12, 20))  # noqa: DTZ001
durations = st.timedeltas(timedelta(0), timedelta(hours=12))
noise = dict.fromkeys(["id_ordine", "codice_macchinario", "codice_operatore"], field_text)


@given(
    either_text(weights),
    either_text(temperatures),
    moments,
    durations,
    st.fixed_dictionaries(noise),
)
def test_a_valid_field_is_never_altered(weight, temperature, start, duration, others):
    verdict = judge_forge(
        peso_effettivo=weight[1],
        temperatura_effettiva=temperature[1],
        timestamp_inizio=f"{start.isoformat()}Z",
        timestamp_fine=f"{(start + duration).isoformat(sep=' ')}+00:00",
        **others,
    )
    record = verdict.record
    assert (record.peso_effettivo, record.temperatura_effettiva) == (weight[0], temperature[0])
    assert record.timestamp_inizio == start.replace(tzinfo=UTC)
    assert record.timestamp_fine == (start + duration).replace(tzinfo=UTC)
    assert record.durata == Decimal(duration // timedelta(microseconds=1)) / 1_000_000
