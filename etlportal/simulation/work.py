"""Orders that come in, and what forge and CNC make next: the oldest waiting line first.

The workshop counts as the portal will (orders/rules.py), so it stops where ``GET /ordine`` does.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from etlportal.simulation.plant import SimulatedPiece, SimulatedPlant, demand
from production.timestamps import utc_to_plant
from production.vocabulary import TipoOperazione

CYCLE = timedelta(minutes=10)
CYCLES_PER_HOUR = 6  # and so a rate of r pieces/hour makes r sixths of a piece in a cycle

# Order numbers of a simulation: its seed × 1000 + 1, 2, …; the last one is never used.
NUMBERS_PER_SEED = 1000
MOST_ORDERS = NUMBERS_PER_SEED - 2

MOST_LINES = 3
PIECES_PER_LINE = (2, 8)
CUSTOMERS = (
    ("Meccanica Brembana (simulata)", "IT00000000001"),
    ("Officine Adda (simulata)", "IT00000000002"),
    ("Riduttori Padani (simulata)", "IT00000000003"),
    ("Valvole Lario (simulata)", "IT00000000004"),
    ("Ferroviaria Ticino (simulata)", "IT00000000005"),
    ("Turbine Oglio (simulata)", "IT00000000006"),
)

FORGIATURA, CNC = TipoOperazione.FORGIATURA, TipoOperazione.CNC


class SimulatedOrder(NamedTuple):
    """An order as a customer places it. ``ora``: the simulated hour in which it comes in."""

    id_ordine: int
    cliente: tuple[str, str]
    ora: int
    data_inizio: date
    linee: tuple[tuple[str, int], ...]


class WaitingLine(NamedTuple):
    """A line of an order that is not of this simulation, as ``GET /ordine`` tells it."""

    id_ordine: int
    codice_pezzo: str
    quantita: int


def first_number(seed: int) -> int:
    return seed * NUMBERS_PER_SEED + 1


def unknown_number(seed: int) -> int:
    """An order number that nobody places."""
    return seed * NUMBERS_PER_SEED + NUMBERS_PER_SEED - 1


def place_orders(
    rng: random.Random, plant: SimulatedPlant, start: datetime, hours: int, seed: int, count: int
) -> list[SimulatedOrder]:
    """``count`` orders, spread over the hours, of 1-3 pieces each."""
    orders = []
    weights = demand(plant.pezzi)
    for number in range(count):
        hour = int((number + rng.random()) * hours / count)
        day = utc_to_plant(start + timedelta(hours=hour)).date()
        customer = rng.choice(CUSTOMERS)
        wanted = rng.randint(1, min(MOST_LINES, len(plant.pezzi)))
        codes: set[str] = set()
        while len(codes) < wanted:
            codes.update(piece.codice for piece in rng.choices(plant.pezzi, weights))
        lines = tuple((code, rng.randint(*PIECES_PER_LINE)) for code in sorted(codes))
        orders.append(SimulatedOrder(first_number(seed) + number, customer, hour, day, lines))
    return orders


@dataclass
class WorkItem:
    """Pieces to make for an order line; ``ordine`` None is work for stock, which never ends.

    ``forgiati`` pieces; ``sesti`` sixths of a piece that CNC has made.
    """

    ordine: int | None
    pezzo: SimulatedPiece
    quantita: int = 0
    forgiati: int = 0
    sesti: int = 0

    @property
    def lavorati(self) -> int:
        return self.sesti // CYCLES_PER_HOUR


class Workshop:
    """The jobs that wait, oldest first, and what is made for stock when there is none."""

    def __init__(self, plant: SimulatedPlant, rng: random.Random) -> None:
        self._plant = plant
        self._rng = rng
        self._pieces = plant.piece_by_code()
        self._demand = demand(plant.pezzi)
        self._machined = [piece for piece in plant.pezzi if piece.fase_finale == CNC]
        self._older: list[WorkItem] = []
        self._jobs: list[WorkItem] = []

    def take_order(self, order: SimulatedOrder) -> None:
        for code, quantity in order.linee:
            self._jobs.append(WorkItem(order.id_ordine, self._pieces[code], quantity))

    def take_waiting(self, lines: Iterable[WaitingLine]) -> None:
        """Lines that waited already go before ours; one that is known stays as it is."""
        known = {(job.ordine, job.pezzo.codice) for job in (*self._older, *self._jobs)}
        for line in lines:
            if (line.id_ordine, line.codice_pezzo) not in known and (
                piece := self._pieces.get(line.codice_pezzo)
            ):
                self._older.append(WorkItem(line.id_ordine, piece, line.quantita))

    def next_to_forge(self) -> WorkItem:
        for job in self._waiting():
            if job.forgiati < job.quantita:
                return job
        (piece,) = self._rng.choices(self._plant.pezzi, self._demand)
        return WorkItem(None, piece)

    def next_to_machine(self) -> WorkItem:
        """The oldest line that CNC ends and for which a forged piece is there."""
        for job in self._waiting():
            if job.pezzo.fase_finale == CNC and job.lavorati < min(job.quantita, job.forgiati):
                return job
        return WorkItem(None, self._rng.choice(self._machined or list(self._plant.pezzi)))

    def _waiting(self) -> Sequence[WorkItem]:
        """Jobs still to be done; those that are done are forgotten on the way."""
        self._older = [job for job in self._older if not _is_done(job)]
        self._jobs = [job for job in self._jobs if not _is_done(job)]
        return [*self._older, *self._jobs]


def _is_done(job: WorkItem) -> bool:
    made = job.lavorati if job.pezzo.fase_finale == CNC else job.forgiati
    return made >= job.quantita
