"""What machine and reception say themselves: declared anomalies and altered fields."""

import pytest

from production.vocabulary import OrigineAnomalia
from tests.ingestion.transfer.judging import judge_forge, numbers

MACCHINA, VALIDAZIONE = OrigineAnomalia.MACCHINA, OrigineAnomalia.VALIDAZIONE


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
