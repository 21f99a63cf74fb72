import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from etlportal.simulation.faults import SCENARI, FaultSchedule
from etlportal.simulation.generator import batch_lines
from etlportal.simulation.truth import fingerprint
from etlportal.simulation.work import WaitingLine
from ingestion.reception.payloads import records_in, stage
from orders.rules import PIECE, Book, Line, Production, count
from tests.etlportal.simulation.plants import (
    START,
    demo_plant,
    make_simulated_plant,
    make_simulation,
    played,
    records_of,
)


def sent(**overrides):
    """The bodies and the truth of a simulation, as bytes and text."""
    batches = list(played(make_simulation(demo_plant(), **overrides)))
    return [batch.body for batch in batches], [line for b in batches for line in batch_lines(b)]


class TestReproducible:
    @pytest.mark.parametrize("scenario", SCENARI)
    def test_the_same_seed_gives_the_same_bytes(self, scenario):
        assert sent(scenario=scenario, seme=7) == sent(scenario=scenario, seme=7)

    @pytest.mark.parametrize(
        "other", [{"seme": 8}, {"inizio": START + timedelta(hours=1)}, {"scenario": "salto"}]
    )
    def test_another_seed_start_or_scenario_gives_other_bytes(self, other):
        assert sent(seme=7)[0] != sent(**({"seme": 7} | other))[0]

    def test_the_bytes_stay_what_they_were(self):
        """A change here is a change of every simulation that somebody noted down."""
        bodies, _ = sent(scenario="misto", seme=1, ore=6, ordini=3)

        known = "1ecadc2b29388e95c58033798f833a6d4913b2dfc4efc86069d6871a9d9bb133"
        assert fingerprint(b"".join(bodies)) == known

    def test_local_time_makes_no_difference(self):
        """A night in which the clock is put back: an hour is an hour all the same."""
        begin = datetime(2024, 10, 26, 22, tzinfo=UTC)
        local = begin.astimezone(ZoneInfo("Europe/Rome"))

        assert sent(inizio=local) == sent(inizio=begin)

    def test_a_fault_more_changes_no_order(self):
        orders = {scenario: make_simulation(scenario=scenario).ordini for scenario in SCENARI}

        assert all(placed == orders["pulito"] for placed in orders.values())


class TestCycles:
    def test_a_forging_and_a_machining_record_every_ten_minutes(self):
        records = records_of(make_simulation(ore=2))

        assert [record["tipo_operazione"] for record in records] == ["forgiatura", "cnc"] * 12
        starts = [record["timestamp_inizio"] for record in records[::2]]
        expected = [START + n * timedelta(minutes=10) for n in range(12)]
        assert starts == [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in expected]

    def test_every_record_is_one_that_the_portal_takes(self):
        for scenario in SCENARI:
            records = records_of(make_simulation(scenario=scenario))
            assert len(records_in(records, 10_000)) == len(records) >= 288
            assert all(stage(record).altri_campi is None for record in records)

    def test_an_hour_is_a_body(self):
        bodies = [batch.body for batch in played(make_simulation(ore=3)) if batch.body]

        assert [len(json.loads(body)) for body in bodies] == [12, 12, 12]


def given_by(simulation):
    """Pieces that the portal's own counting gives to each order line, and the surplus."""
    lines = {
        (order.id_ordine, piece): Line(quantity, 0, aperta=True)
        for order in simulation.ordini
        for piece, quantity in order.linee
    }
    pieces = simulation.plant.piece_by_code()
    book = Book(lines, {}, {code: piece.fase_finale for code, piece in pieces.items()})
    counted = count([as_production(r) for r in records_of(simulation)], book)
    surplus = sum(row.eccedenza for row in counted if row.id_ordine is not None)
    return Counter({key: line.rimanente for key, line in lines.items()}), surplus


def as_production(record):
    rate = record.get("numero_pezzi_ora")
    return Production(
        1,
        record["id_ordine"],
        record["codice_pezzo"],
        record["tipo_operazione"],
        rate,
        None if rate is None else rate * PIECE,
        None if rate is None else Decimal(600),
    )


class TestOrders:
    def test_are_made_whole_and_not_one_piece_more(self):
        simulation = make_simulation(demo_plant(), ore=48, ordini=10)

        missing, surplus = given_by(simulation)

        assert missing.total() == 0
        assert surplus == 0

    def test_nothing_is_made_for_an_order_that_has_not_come_in(self):
        simulation = make_simulation(ore=24, ordini=12)
        hour_of = {order.id_ordine: order.ora for order in simulation.ordini}

        for hour in range(24):
            for record in simulation.hour(hour).record:
                if record["id_ordine"] is not None:
                    assert hour_of[record["id_ordine"]] <= hour

    def test_several_are_complete_after_a_day(self):
        simulation = make_simulation(demo_plant())
        missing, _ = given_by(simulation)

        open_orders = {order for (order, _), pieces in missing.items() if pieces}
        assert len(open_orders) <= 4

    def forged(self, faults):
        """Forgings that name each order of one piece, wanted and made, with these faults drawn."""
        plant = make_simulated_plant(pezzi=make_simulated_plant().pezzi[:1])
        simulation = make_simulation(plant, ore=24, ordini=6)
        simulation._schedule._single = faults
        made = Counter(
            record["id_ordine"]
            for record in records_of(simulation)
            if record["tipo_operazione"] == "forgiatura" and record["codice_pezzo"] == "PZC01"
        )
        wanted = {order.id_ordine: sum(q for _, q in order.linee) for order in simulation.ordini}
        return wanted, {order: made[order] for order in wanted}

    def test_a_piece_that_nobody_counts_is_made_again(self):
        wanted, made = self.forged(dict.fromkeys(range(0, 120, 2), "codici"))

        assert made == wanted

    def test_a_duplicate_counts_for_two(self):
        """As GET /ordine counts it; only the last piece of an order may be one too many."""
        wanted, made = self.forged(dict.fromkeys(range(0, 288, 2), "duplicati"))

        assert made == {order: pieces + pieces % 2 for order, pieces in wanted.items()}

    def test_lines_of_others_are_made_first_when_told(self):
        simulation = make_simulation(ore=2, ordini=2)
        lines = [WaitingLine(8, "PZC02", 3), WaitingLine(1001, "PZC01", 5)]

        records = simulation.hour(0, lines).record

        forged = [r["id_ordine"] for r in records if r["tipo_operazione"] == "forgiatura"]
        assert forged[:3] == [8, 8, 8]
        assert 8 not in forged[3:]

    def test_ours_are_not_taken_for_lines_of_others(self):
        told, untold = make_simulation(ore=2, ordini=2), make_simulation(ore=2, ordini=2)

        told.hour(0, [WaitingLine(1001, "PZC02", 5), WaitingLine(1002, "PZC02", 5)])
        untold.hour(0)
        assert told.hour(1).body == untold.hour(1).body


def faults_of(simulation):
    return [line for batch in played(simulation) for line in batch.guasti]


class TestScenarios:
    @pytest.mark.parametrize("scenario", [name for name in SCENARI if name != "misto"])
    def test_have_their_fault_and_no_other(self, scenario):
        found = {line.guasto for line in faults_of(make_simulation(scenario=scenario))}

        assert found - {"rumore"} == ({scenario} - {"pulito"})

    def test_the_mixed_one_has_them_all_and_few_of_each(self):
        simulation = make_simulation(scenario="misto", ore=24 * 14, ordini=100)
        found = Counter(line.guasto for line in faults_of(simulation))

        assert set(found) == {*SCENARI, "rumore"} - {"misto", "pulito"}
        assert found.total() < 0.1 * 24 * 14 * 12

    @pytest.mark.parametrize("scenario", [n for n in SCENARI if n not in ("misto", "pulito")])
    def test_show_their_fault_even_in_an_hour(self, scenario):
        simulation = make_simulation(scenario=scenario, ore=1, ordini=0)

        assert scenario in {line.guasto for line in faults_of(simulation)}

    def test_a_drift_grows_over_hours_until_it_is_out_of_specification(self):
        lines = [x for x in faults_of(make_simulation(scenario="deriva")) if x.guasto == "deriva"]

        assert len(lines) >= 24
        assert lines[0].anomalie == ()
        assert lines[-1].anomalie != ()

    def test_a_jump_is_out_of_specification_at_once(self):
        lines = [x for x in faults_of(make_simulation(scenario="salto")) if x.guasto == "salto"]

        assert sum(line.anomalie != () for line in lines) / len(lines) > 0.8

    def test_a_stuck_sensor_repeats_its_reading(self):
        simulation = make_simulation(scenario="sensore")
        (first, *_) = simulation._schedule.episodes
        records = [r for r in records_of(simulation) if r["tipo_operazione"] == "forgiatura"]

        stuck = {r[first.campo] for r in records[first.first : first.last + 1]}
        plausible = {value for value in stuck if isinstance(value, float) and value < 1200}
        assert len(plausible) == 1

    def test_duplicates_are_the_same_record_twice(self):
        records = [json.dumps(r) for r in records_of(make_simulation(scenario="duplicati"))]

        twice = [n for n in Counter(records).values() if n > 1]
        assert twice == [2] * round(0.05 * 288)

    def test_late_records_come_hours_after(self):
        late = []
        for hour, batch in enumerate(played(make_simulation(scenario="ritardi"))):
            for record in batch.record:
                made = datetime.fromisoformat(record["timestamp_inizio"]) - START
                if made < timedelta(hours=hour):
                    late.append(hour - made // timedelta(hours=1))

        assert len(late) == round(0.05 * 288)
        assert min(late) >= 1
        assert max(late) <= 20

    def test_nothing_late_is_lost(self):
        records = records_of(make_simulation(scenario="ritardi"))

        assert len(records) == 288
        assert len({(r["codice_macchinario"], r["timestamp_inizio"]) for r in records}) == 288

    def test_faults_of_records_are_drawn_apart(self):
        schedule = FaultSchedule(random.Random(1), SCENARI["misto"], 1000)

        drawn = Counter(schedule.of_record(n) for n in range(12_000))
        del drawn[None]
        assert drawn == {"sensore": 60, "duplicati": 60, "ritardi": 120, "codici": 60}
