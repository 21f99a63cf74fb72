import random
from datetime import date

from etlportal.simulation.work import (
    SimulatedOrder,
    WaitingLine,
    Workshop,
    first_number,
    place_orders,
    unknown_number,
)
from tests.etlportal.simulation.plants import START, make_piece, make_simulated_plant

PLANT = make_simulated_plant()


def make_order(number=1001, **linee):
    return SimulatedOrder(number, ("Cliente", "IT1"), 0, date(2024, 12, 20), tuple(linee.items()))


def make_workshop(*orders, plant=PLANT):
    workshop = Workshop(plant, random.Random(1))
    for order in orders:
        workshop.take_order(order)
    return workshop


def forge(workshop):
    job = workshop.next_to_forge()
    job.forgiati += 1
    return job.ordine, job.pezzo.codice


class TestOrders:
    def placed(self, **overrides):
        fields = {"start": START, "hours": 24, "seed": 7, "count": 12} | overrides
        return place_orders(random.Random(1), PLANT, **fields)

    def test_are_numbered_by_the_seed(self):
        assert [order.id_ordine for order in self.placed()] == list(range(7001, 7013))
        assert first_number(7) == 7001
        assert unknown_number(7) == 7999

    def test_come_in_over_the_whole_time_in_their_order(self):
        hours = [order.ora for order in self.placed()]

        assert hours == sorted(hours)
        assert all(2 * n <= hour < 2 * n + 2 for n, hour in enumerate(hours))

    def test_have_one_to_three_lines_of_different_pieces(self):
        orders = self.placed(count=200, hours=400)

        assert {len(order.linee) for order in orders} == {1, 2, 3}
        for order in orders:
            codes = [code for code, _ in order.linee]
            assert codes == sorted(set(codes))
            assert all(2 <= quantity <= 8 for _, quantity in order.linee)

    def test_start_on_the_plant_day_on_which_they_come_in(self):
        """6:00 UTC is 7:00 in the plant, whose next day begins 17 hours later."""
        orders = self.placed(count=24)

        assert orders[16].data_inizio == date(2024, 12, 20)
        assert orders[17].data_inizio == date(2024, 12, 21)

    def test_of_a_plant_with_one_piece_have_one_line(self):
        plant = make_simulated_plant(pezzi=[make_piece()])
        orders = place_orders(random.Random(1), plant, START, 24, 1, 12)

        assert {len(order.linee) for order in orders} == {1}


class TestForge:
    def test_makes_the_oldest_waiting_line_first(self):
        workshop = make_workshop(make_order(1001, PZC01=2, PZC02=1), make_order(1002, PZC01=1))

        made = [forge(workshop) for _ in range(4)]

        assert made == [(1001, "PZC01"), (1001, "PZC01"), (1001, "PZC02"), (1002, "PZC01")]

    def test_works_for_stock_when_nothing_waits(self):
        workshop = make_workshop(make_order(1001, PZC01=1))
        forge(workshop)

        assert workshop.next_to_forge().ordine is None

    def test_takes_lines_that_waited_already_before_ours(self):
        workshop = make_workshop(make_order(1001, PZC01=1))
        workshop.take_waiting([WaitingLine(8, "PZC02", 1), WaitingLine(8, "UNKNOWN", 3)])

        assert [forge(workshop) for _ in range(2)] == [(8, "PZC02"), (1001, "PZC01")]

    def test_takes_a_line_that_it_is_told_again_as_it_stands(self):
        workshop = make_workshop()
        for quantity in (2, 1):
            workshop.take_waiting([WaitingLine(8, "PZC02", quantity)])
            forge(workshop)

        assert workshop.next_to_forge().ordine is None


class TestCnc:
    def test_ends_only_pieces_that_it_is_to_end_and_that_are_forged(self):
        workshop = make_workshop(make_order(1001, PZC01=3, PZC20=2))
        assert workshop.next_to_machine().ordine is None

        for _ in range(4):
            forge(workshop)

        job = workshop.next_to_machine()
        assert (job.ordine, job.pezzo.codice) == (1001, "PZC20")

    def test_waits_for_the_next_forged_piece(self):
        workshop = make_workshop(make_order(1001, PZC20=2))
        forge(workshop)
        workshop.next_to_machine().sesti += 6

        assert workshop.next_to_machine().ordine is None
        forge(workshop)
        assert workshop.next_to_machine().ordine == 1001

    def test_needs_whole_pieces(self):
        """docs/regole.md, "Simulazione": real rates are 1-3 an hour, so a cycle makes sixths of a
        piece.
        """
        workshop = make_workshop(make_order(1001, PZC20=1))
        forge(workshop)
        for _ in range(5):
            workshop.next_to_machine().sesti += 1

        assert workshop.next_to_machine().ordine == 1001
        workshop.next_to_machine().sesti += 1
        assert workshop.next_to_machine().ordine is None

    def test_for_stock_makes_pieces_that_it_ends(self):
        assert make_workshop().next_to_machine().pezzo.codice == "PZC20"
