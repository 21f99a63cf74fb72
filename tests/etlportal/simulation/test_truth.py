from dataclasses import replace
from decimal import Decimal

import pytest

from etlportal.simulation.truth import (
    Fault,
    Injection,
    NotATruth,
    anomalies_of,
    as_line,
    ending,
    fault_lines,
    heading,
    read_truth,
)
from production.fields import Limits
from tests.etlportal.simulation.plants import make_simulated_plant

PLANT = make_simulated_plant()
UNKNOWN_ORDER = 1999


def make_forging(**overrides):
    """11 kg, 1000 °C: right in the middle of PZC01."""
    fields = {
        "id_ordine": 1001,
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
        "codice_operatore": "OOP3",
        "timestamp_inizio": "2024-12-20T06:00:00Z",
        "timestamp_fine": "2024-12-20T06:10:00Z",
        "tipo_operazione": "forgiatura",
        "peso_effettivo": 11.0,
        "temperatura_effettiva": 1000.0,
    }
    return fields | overrides


def make_machining(**overrides):
    fields = {
        **make_forging(tipo_operazione="cnc", codice_macchinario="CNC1"),
        "numero_pezzi_ora": 2,
        "tipo_fermo": "nessun_fermo",
    }
    del fields["peso_effettivo"], fields["temperatura_effettiva"]
    return fields | overrides


def anomalies(record, *spoiled, plant=PLANT):
    return anomalies_of(
        record, [Injection("codici", campo) for campo in spoiled], plant, UNKNOWN_ORDER
    )


class TestAnomalies:
    """The table of docs/regole.md, "Convalida", both sides of each limit."""

    def test_of_a_good_record_are_none(self):
        assert anomalies(make_forging()) == {}
        assert anomalies(make_machining()) == {}

    @pytest.mark.parametrize(
        ("weight", "kind"),
        [
            *((0, 2), (0.001, 102), (9.999, 102), (10, 0), (12, 0), (12.001, 102), (1000, 102)),
            *((1000.001, 2), ("ERR", 2), ("12,5 kg", 2)),
        ],
    )
    def test_of_a_weight(self, weight, kind):
        found = anomalies(make_forging(peso_effettivo=weight))

        assert found == ({"peso_effettivo": kind} if kind else {})

    @pytest.mark.parametrize(
        ("temperature", "kind"),
        [
            *((699.9, 3), (700, 103), (899.9, 103), (900, 0), (1100, 0), (1100.1, 103)),
            *((1200, 103), (1200.1, 3), ("ERR", 3)),
        ],
    )
    def test_of_a_temperature(self, temperature, kind):
        found = anomalies(make_forging(temperatura_effettiva=temperature))

        assert found == ({"temperatura_effettiva": kind} if kind else {})

    def test_follow_the_limits_of_the_portal(self):
        hotter = replace(PLANT, limiti=Limits(temperatura_max=Decimal(1300)))

        record = make_forging(temperatura_effettiva=1250)
        assert anomalies(record, plant=hotter) == {"temperatura_effettiva": 103}

    def test_of_an_unknown_piece_say_nothing_of_its_measures(self):
        record = make_forging(codice_pezzo="PZC01X", peso_effettivo=500)

        assert anomalies(record, "codice_pezzo") == {"codice_pezzo": 106}

    @pytest.mark.parametrize("campo", ["codice_macchinario", "codice_operatore"])
    def test_of_an_unknown_code(self, campo):
        assert anomalies(make_machining(**{campo: "X"}), campo) == {campo: 106}

    def test_of_an_unknown_order(self):
        assert anomalies(make_machining(id_ordine=UNKNOWN_ORDER)) == {"id_ordine": 106}

    @pytest.mark.parametrize(("rate", "wrong"), [(-1, 1), (0, 0), (10_000, 0), (10_001, 1)])
    def test_of_a_rate(self, rate, wrong):
        found = anomalies(make_machining(numero_pezzi_ora=rate))

        assert found == ({"numero_pezzi_ora": 104} if wrong else {})

    def test_of_an_unknown_stop(self):
        assert anomalies(make_machining(tipo_fermo="mistero")) == {"tipo_fermo": 105}


class TestLines:
    def lines(self, marks, found):
        return [
            (line.guasto, line.campo, line.anomalie)
            for line in fault_lines("abc", 3, make_forging(), marks, found)
        ]

    def test_an_anomaly_belongs_to_the_fault_in_its_field(self):
        marks = [Injection("deriva", "peso_effettivo"), Injection("ritardi")]

        assert self.lines(marks, {"peso_effettivo": 102, "temperatura_effettiva": 103}) == [
            ("deriva", "peso_effettivo", (102,)),
            ("ritardi", None, ()),
            ("rumore", "temperatura_effettiva", (103,)),
        ]

    def test_a_fault_may_cause_nothing(self):
        assert self.lines([Injection("deriva", "peso_effettivo")], {}) == [
            ("deriva", "peso_effettivo", ())
        ]


FAULT = Fault("abc", 3, "FORGIA1", "2024-12-20T06:00:00Z", "deriva", "peso_effettivo", (102,))
FILE = [heading({"seme": 1}), as_line({"invio": "abc", "record": 12}), as_line(FAULT), ending(12)]


class TestFile:
    def test_is_read_as_it_was_written(self):
        truth = read_truth(FILE)

        assert truth.simulazione["seme"] == 1
        assert truth.invii == {"abc": 12}
        assert truth.guasti == (FAULT,)

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            ["ciao"],
            ["[]"],
            FILE[:-1],
            FILE[1:],
            [*FILE[:-1], ending(13)],
            [FILE[0], *FILE[2:]],
        ],
        ids=["empty", "text", "list", "cut", "headless", "miscounted", "no body"],
    )
    def test_anything_else_is_refused(self, lines):
        with pytest.raises(NotATruth):
            read_truth(lines)

    def test_a_simulation_may_have_no_fault(self):
        assert read_truth([*FILE[:2], FILE[3]]).guasti == ()
