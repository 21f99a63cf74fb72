import random
from decimal import Decimal
from statistics import fmean, pstdev

import pytest

from etlportal.simulation.plant import demand, take_temperature, weigh
from tests.etlportal.simulation.plants import demo_plant, make_piece, make_simulation, records_of


@pytest.fixture(scope="module")
def half_a_year():
    return records_of(make_simulation(demo_plant(), ore=24 * 182, ordini=998, seme=5))


def values(records, campo):
    return [record[campo] for record in records if campo in record]


class TestFactsOfTheRealPlant:
    """docs/regole.md, "Simulazione"."""

    def test_temperatures(self, half_a_year):
        temperatures = values(half_a_year, "temperatura_effettiva")

        assert len(temperatures) == 182 * 24 * 6
        assert fmean(temperatures) == pytest.approx(990, abs=5)
        assert pstdev(temperatures) == pytest.approx(116, abs=4)
        outside = sum(not 700 <= value <= 1200 for value in temperatures)
        assert len(temperatures) / outside == pytest.approx(283, rel=0.25)

    def test_weights(self, half_a_year):
        weights = values(half_a_year, "peso_effettivo")

        assert min(weights) == pytest.approx(5, abs=0.5)
        assert max(weights) == pytest.approx(993, abs=7)

    def test_rates(self, half_a_year):
        machined = [record for record in half_a_year if record["tipo_operazione"] == "cnc"]
        rates = {True: set(), False: set()}
        for record in machined:
            rates[record["tipo_fermo"] == "nessun_fermo"].add(record["numero_pezzi_ora"])
        stopped = sum(record["tipo_fermo"] != "nessun_fermo" for record in machined)

        assert rates == {True: {1, 2, 3}, False: {0}}
        assert stopped / len(machined) == pytest.approx(0.08, abs=0.01)


class TestMeasures:
    def test_are_normal_around_the_middle_of_the_specification(self):
        rng = random.Random(1)
        weights = [weigh(rng, make_piece()) for _ in range(20_000)]

        assert fmean(weights) == pytest.approx(11, abs=0.01)
        outside = sum(not 10 <= weight <= 12 for weight in weights) / len(weights)
        assert outside == pytest.approx(0.0093, abs=0.003)

    def test_a_temperature_goes_wild_now_and_then(self):
        rng = random.Random(1)
        temperatures = [take_temperature(rng, make_piece()) for _ in range(20_000)]

        wild = sum(not 700 <= value <= 1200 for value in temperatures)
        assert 20_000 / wild == pytest.approx(340, rel=0.3)


class TestRanges:
    def test_are_the_limits(self):
        assert make_piece().peso == (10, 12)
        assert make_piece().temperatura == (900, 1100)

    def test_without_limits_are_ordinary_ones(self):
        bare = make_piece(peso_min=None, peso_max=None, temperatura_min=None, temperatura_max=None)

        assert bare.peso == (10, 14)
        assert bare.temperatura == (900, 1100)

    def test_with_one_limit_reach_to_it(self):
        assert make_piece(peso_max=None).peso == pytest.approx((10, 14))
        assert make_piece(peso_min=None, peso_max="14").peso == pytest.approx((10, 14))


class TestDemand:
    def test_brings_mean_and_deviation_to_those_of_the_plant(self):
        pieces = demo_plant().pezzi
        weights = demand(pieces)

        middles = [sum(piece.temperatura) / 2 for piece in pieces]
        mean = sum(w * m for w, m in zip(weights, middles, strict=True)) / sum(weights)
        assert mean == pytest.approx(990, abs=0.01)
        assert min(weights) > 0.2

    def test_of_pieces_that_are_all_alike_is_equal(self):
        assert demand([make_piece("A"), make_piece("B")]) == [1, 1]

    def test_is_never_nothing(self):
        cold = make_piece("F", temperatura_min=Decimal(700), temperatura_max=Decimal(720))

        assert min(demand([make_piece("A"), make_piece("B"), cold])) > 0
