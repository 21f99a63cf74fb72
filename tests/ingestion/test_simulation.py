from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.payloads import records_in, stage
from ingestion.simulation import SimulatedPiece, SimulatedPlant, plant_from_master_data, simulate
from production.models import Macchinario, Operatore, Pezzo
from tests.builders import make_pezzo

START = datetime(2024, 12, 20, 6, 0, tzinfo=UTC)
PLANT = SimulatedPlant(
    pezzi=[
        SimulatedPiece("PZC01", (10.0, 12.0), (900.0, 1100.0)),
        SimulatedPiece("PZC02", (400.0, 600.0), (800.0, 1000.0)),
    ],
    forge=["FORGIA1", "FORGIA2"],
    cnc=["CNC1"],
    operatori=["OOP3", "OOP4"],
)


def simulated(hours=200, seed=1):
    return list(simulate(PLANT, START, hours, seed))


def test_the_same_seed_gives_the_same_records():
    assert simulated(seed=7) == simulated(seed=7)
    assert simulated(seed=7) != simulated(seed=8)


def test_a_forging_and_a_machining_record_every_ten_minutes():
    records = simulated(hours=2)

    assert [record["tipo_operazione"] for record in records] == ["forgiatura", "cnc"] * 12
    starts = [record["timestamp_inizio"] for record in records[::2]]
    assert starts == [(START + n * timedelta(minutes=10)).isoformat() for n in range(12)]


def test_every_record_is_one_that_the_portal_takes():
    records = simulated()

    assert len(records_in(records, 10_000)) == 2400
    assert all(stage(record).altri_campi is None for record in records)


def test_measures_are_around_the_middle_of_the_piece():
    weights = [
        record["peso_effettivo"]
        for record in simulated(hours=2000)
        if record.get("codice_pezzo") == "PZC01" and isinstance(record.get("peso_effettivo"), float)
    ]

    assert abs(sum(weights) / len(weights) - 11) < 0.05
    outside = sum(not 10 <= weight <= 12 for weight in weights) / len(weights)
    assert 0.003 < outside < 0.03


def test_a_few_records_have_faults_and_most_have_none():
    records = simulated(hours=2000)
    faults = Counter(
        fault
        for record in records
        for fault, there in {
            "open": record["timestamp_fine"] is None,
            "not a date": record["timestamp_inizio"].startswith("31/02"),
            "nobody": record["codice_operatore"] == "OOP99",
            "declared": "anomalia" in record,
            "empty scale": record.get("peso_effettivo") == 0,
            "hot": record.get("temperatura_effettiva") == 1350,
            "unknown stop": record.get("tipo_fermo") == "mistero",
        }.items()
        if there
    )

    assert len(faults) == 7
    assert 0.005 < faults.total() / len(records) < 0.05


@pytest.mark.django_db(databases=["default", "production"])
class TestPlant:
    def test_is_the_one_in_the_database(self, plant):
        simulated_plant = plant_from_master_data()

        pieces = {piece.codice: piece for piece in simulated_plant.pezzi}
        assert pieces["PZC01"] == SimulatedPiece("PZC01", (10.0, 12.0), (800.0, 1200.0))
        assert (simulated_plant.forge, simulated_plant.cnc) == (["FORGIA1"], ["CNC1"])
        assert sorted(simulated_plant.operatori) == ["OOP3", "OOP4"]

    def test_a_piece_without_limits_gets_ordinary_measures(self, plant):
        make_pezzo("NUOVO", peso_min=None)

        (piece,) = [p for p in plant_from_master_data().pezzi if p.codice == "NUOVO"]

        assert piece.peso[0] < piece.peso[1]
        assert piece.temperatura == (800.0, 1200.0)

    @pytest.mark.parametrize("missing", [Pezzo, Macchinario, Operatore])
    def test_nothing_to_simulate_with_is_an_error(self, plant, missing):
        missing.objects.all().delete()

        with pytest.raises(LookupError):
            plant_from_master_data()
