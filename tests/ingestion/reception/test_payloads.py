"""From posted JSON to staging columns: nothing judged, nothing lost."""

import json
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etlportal.api.errors import ApiError
from etlportal.api.parsers import decode
from ingestion.reception.payloads import (
    KNOWN_FIELDS,
    TEXT_FIELDS,
    UNSTORABLE,
    NumberText,
    records_in,
    stage,
)
from tests.cost import growth

RECORD = {"codice_pezzo": "PZC01"}


# --- Which bodies hold records --------------------------------------------------------------


def test_an_array_of_records():
    assert records_in([RECORD, RECORD], 10) == [RECORD, RECORD]


def test_one_record():
    assert records_in(RECORD, 10) == [RECORD]


def test_no_record_is_no_error():
    assert records_in([], 10) == []


@pytest.mark.parametrize("body", [{"value": [RECORD, RECORD]}, {"@x": 1, " Value ": [RECORD] * 2}])
def test_an_odata_wrapper(body):
    assert records_in(body, 10) == [RECORD, RECORD]


def test_an_empty_odata_wrapper():
    assert records_in({"@odata.context": "x", "value": []}, 10) == []


def test_a_record_with_a_member_called_value_is_a_record():
    record = {"codice_pezzo": "P", "value": [RECORD, RECORD]}

    assert records_in(record, 10) == [record]
    assert stage(record).altri_campi == {"value": [RECORD, RECORD]}


@pytest.mark.parametrize("value", [None, {}, RECORD, "[]", NumberText("3")])
def test_a_value_that_is_no_list_wraps_nothing(value):
    with pytest.raises(ApiError) as refusal:
        records_in({"value": value}, 10)

    assert refusal.value.codice == "record_non_valido"


def test_the_elements_of_a_wrapper_are_judged_by_their_own_positions():
    with pytest.raises(ApiError) as refusal:
        records_in({"value": [RECORD, {"value": [RECORD]}, 3]}, 10)

    assert [detail["indice"] for detail in refusal.value.dettagli] == [1, 2]


@pytest.mark.parametrize(
    "key",
    [
        *sorted(KNOWN_FIELDS),
        *("Codice_Pezzo", " ANOMALIA ", "Codice Pezzo", "Codice_x0020_Pezzo", "\u00a0id_ordine"),
        *("codice_x005F_pezzo", "_x0020_TIPO_x0020_FERMO", "peso  effettivo"),
    ],
)
def test_one_known_field_makes_a_record(key):
    assert records_in([{key: None, "altro": 1}], 10)


@pytest.mark.parametrize("body", [None, True, False, NumberText("3"), "", "testo"])
def test_a_bare_value_is_refused(body):
    with pytest.raises(ApiError) as refusal:
        records_in(body, 10)

    assert refusal.value.codice == "formato_non_valido"
    assert refusal.value.status == 400


def test_every_element_that_is_no_record_is_named():
    body = [RECORD, 7, RECORD, {"foo": 1}, None, {}, [RECORD], "x"]

    with pytest.raises(ApiError) as refusal:
        records_in(body, 10)

    assert refusal.value.codice == "record_non_valido"
    assert refusal.value.messaggio.startswith("6 elementi su 8 ")
    assert [detail["indice"] for detail in refusal.value.dettagli] == [1, 3, 4, 5, 6, 7]
    assert "Nessun campo conosciuto" in refusal.value.dettagli[1]["messaggio"]
    assert "Non è un oggetto" in refusal.value.dettagli[0]["messaggio"]


def test_an_object_without_a_known_field_is_refused():
    with pytest.raises(ApiError) as refusal:
        records_in({"foo": 1}, 10)

    assert [detail["indice"] for detail in refusal.value.dettagli] == [0]


def test_the_list_of_what_is_wrong_is_bounded():
    with pytest.raises(ApiError) as refusal:
        records_in([0] * 5000, 10_000)

    assert "5000 elementi" in refusal.value.messaggio
    assert len(refusal.value.dettagli) == 100


def test_as_many_records_as_are_allowed_and_no_more():
    assert len(records_in([RECORD] * 10, 10)) == 10
    with pytest.raises(ApiError) as refusal:
        records_in([RECORD] * 11, 10)

    assert refusal.value.status == 413
    assert refusal.value.codice == "troppi_record"
    assert "11" in refusal.value.messaggio


# --- One record -----------------------------------------------------------------------------


def staged(text):
    return stage(decode(text.encode()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"12,5"', "12,5"),
        ('""', ""),
        ('" x "', " x "),
        ("14.0", "14.0"),
        ("1e400", "1e400"),
        ("-0.10", "-0.10"),
        ("9" * 5000, "9" * 5000),
        ("true", "true"),
        ("false", "false"),
        ('{"b": 1.0, "à": [null]}', '{"b": 1.0, "à": [null]}'),
        ("[]", "[]"),
        ("null", None),
    ],
)
def test_a_value_is_staged_as_the_text_that_was_sent(value, text):
    record = staged(f'{{"peso_effettivo": {value}}}')

    assert record.testi["peso_effettivo"] == text
    assert record.avvisi is None


def test_absent_fields_are_null():
    record = staged('{"codice_pezzo": "P"}')

    assert record.testi == dict.fromkeys(TEXT_FIELDS) | {"codice_pezzo": "P"}
    assert record.anomalia is None
    assert record.altri_campi is None


def test_the_declared_anomalies_are_kept_whole():
    declared = '[{"id": 3, "nota": "calda", "quando": [1, {"x": null}]}, "sì", 4.50, []]'

    record = staged(f'{{"anomalia": {declared}}}')

    assert record.anomalia == [
        {"id": 3, "nota": "calda", "quando": [1, {"x": None}]},
        "sì",
        "4.50",
        [],
    ]


def test_unknown_keys_are_kept_under_their_own_names():
    record = staged('{"codice_pezzo": "P", "Esito": "4", "nota": {"a": [1.5]}, "vuoto": null}')

    assert record.altri_campi == {"Esito": "4", "nota": {"a": [1.5]}, "vuoto": None}


def test_a_key_may_come_in_another_case_with_blanks():
    record = staged('{" Codice_PEZZO ": "P", "ANOMALIA": []}')

    assert record.testi["codice_pezzo"] == "P"
    assert record.anomalia == []
    assert record.altri_campi is None


def test_a_space_in_a_key_may_be_written_as_a_code():
    record = staged('{"Codice_x0020_Pezzo": "P", "_x0041_ltro": 1, "_xZZZZ_": 2, "_xd800_": 3}')

    assert record.testi["codice_pezzo"] == "P"
    assert record.altri_campi == {"_x0041_ltro": 1, "_xZZZZ_": 2, "_xd800_": 3}


def test_a_long_key_is_nobodys():
    key = "codice_pezzo" + " " * 300

    assert stage({"id_ordine": "1", key: "P"}).altri_campi == {key: "P"}


def test_a_field_sent_twice_in_two_cases_is_kept_twice():
    record = staged('{"codice_pezzo": "A", "CODICE_PEZZO": "B", "anomalia": [1], "Anomalia": [2]}')

    assert record.testi["codice_pezzo"] == "A"
    assert record.anomalia == [1]
    assert record.altri_campi == {"CODICE_PEZZO": "B", "Anomalia": [2]}


def test_two_keys_that_are_stored_alike_are_kept_apart():
    record = staged('{"codice_pezzo": "P", "k\\u0000": 1, "k\\ud800": 2, "k\\ufffd": 3}')

    assert record.altri_campi == {"k\ufffd": 1, '"k\\ud800"': 2, '"k\\ufffd"': 3}


def test_the_work_for_keys_that_are_stored_alike_grows_with_their_number_alone():
    def alike(count):
        return {chr(0xD800 + n // 2000) + chr(0xD800 + n % 2000): None for n in range(count)}

    assert len(stage(alike(8_000)).altri_campi) == 8_000
    assert growth(stage, alike(2_000), alike(8_000)) < 8  # the square would be 16


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800", "\\udfff"])
def test_what_postgresql_cannot_hold_is_replaced_and_told(bad):
    record = staged(
        f'{{"codice_operatore": "O{bad}P", "anomalia": [{{"n{bad}": "x{bad}"}}],'
        f' "n{bad}": "{bad}"}}'
    )

    assert record.testi["codice_operatore"] == "O\ufffdP"
    assert record.anomalia == [{"n\ufffd": "x\ufffd"}]
    assert record.altri_campi == {"n\ufffd": "\ufffd"}
    assert Counter(notice["campo"] for notice in record.avvisi) == {
        "codice_operatore": 1,
        "anomalia": 2,
        "n\ufffd": 2,
    }
    assert {notice["motivo"] for notice in record.avvisi} == {"carattere_non_valido"}


def test_a_surrogate_pair_is_a_character():
    assert staged('{"codice_pezzo": "\\ud834\\udd1e"}').testi["codice_pezzo"] == "𝄞"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000])
def test_a_number_beyond_a_double_is_kept_as_text_and_told(number):
    record = staged(f'{{"codice_pezzo": "P", "extra": {number}}}')

    assert record.altri_campi == {"extra": number}
    assert [notice["motivo"] for notice in record.avvisi] == ["numero_non_rappresentabile"]


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        ("3", 3),
        ("-3", -3),
        ("123456789012345", 123456789012345),
        ("1234567890123456789", "1234567890123456789"),
        ("14.0", 14.0),
        ("0.1", 0.1),
        ("1.10", "1.10"),
        ("-0", "-0"),
        ("1E5", "1E5"),
        ("1e+22", "1e+22"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
    ],
)
def test_a_number_in_json_keeps_its_digits(number, stored):
    record = staged(f'{{"codice_pezzo": "P", "extra": {number}}}')

    assert record.altri_campi == {"extra": stored}
    assert type(record.altri_campi["extra"]) is type(stored)
    assert record.avvisi is None


# --- Whatever JSON can say ------------------------------------------------------------------

numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e400", "-0", "-0.0", "1E5", "1.10", "1e+22", "9" * 5000, "1e-400"]),
).map(NumberText)
# Lone surrogates and U+0000 too; not the start of JSON, so that a column's text tells which it is.
texts = st.text(st.characters(codec=None), max_size=8).filter(
    lambda text: not text.startswith(("[", "{"))
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
keys = texts | st.sampled_from([*sorted(KNOWN_FIELDS), " ANOMALIA", "Id_Ordine"])
records = st.dictionaries(keys, values, max_size=8)


def scalars(value):
    """Every scalar inside a JSON value, as text that can be stored."""
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return [scalar for item in items for scalar in scalars(item)]
    if value is None or isinstance(value, bool):
        return [json.dumps(value)]
    return [UNSTORABLE.sub("\ufffd", str(value))]


def scalars_of_members(members):
    """A null member is left out: in a column, null and absent are the same."""
    return Counter(
        scalar for value in members.values() if value is not None for scalar in scalars(value)
    )


def read_column(text):
    """What a text column holds: the text of a scalar, or of a whole array or object."""
    is_json = text is not None and text.startswith(("[", "{"))
    return json.loads(text, parse_int=str, parse_float=str) if is_json else text


@settings(deadline=None, max_examples=150)
@given(records)
@example({"a\x00": NumberText("1"), "a\ud800": NumberText("2")})
@example({"x": {"a\x00": NumberText("1"), "a\ufffd": NumberText("2")}})
@example({"x": NumberText("-0"), "y": NumberText("1e+22")})
def test_staging_loses_nothing_and_never_raises(record):
    staged_record = stage(record)

    columns = {field: read_column(text) for field, text in staged_record.testi.items()}
    kept = (
        scalars_of_members(columns)
        + scalars_of_members({"anomalia": staged_record.anomalia})
        + scalars_of_members(staged_record.altri_campi or {})
    )
    assert set(columns) == set(TEXT_FIELDS)
    assert kept == scalars_of_members(record)


@settings(deadline=None, max_examples=150)
@given(records)
def test_what_is_staged_can_be_stored(record):
    staged_record = stage(record)

    for text in staged_record.testi.values():
        assert text is None or not UNSTORABLE.search(text)
    for column in (staged_record.anomalia, staged_record.altri_campi, staged_record.avvisi):
        stored = json.dumps(column, ensure_ascii=False, allow_nan=False)
        assert not UNSTORABLE.search(stored)
        assert "\\u0000" not in json.dumps(column)


@settings(deadline=None, max_examples=100)
@given(values | records | st.lists(records, max_size=3))
def test_a_body_is_taken_or_refused_in_words(body):
    answer = taken_or_refused(body)

    if isinstance(answer, ApiError):
        assert answer.messaggio.endswith(".")
        assert answer.status in {400, 413}
    else:
        assert all(isinstance(record, dict) for record in answer)


def taken_or_refused(body):
    try:
        return records_in(body, 10)
    except ApiError as refusal:
        return refusal
