"""What goes wrong in the simulated plant: which faults, how often, and what they do to a record."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from etlportal.simulation.plant import SimulatedPiece, SimulatedPlant, half_width
from etlportal.simulation.work import CYCLES_PER_HOUR, FORGIATURA, unknown_number

Record = dict[str, Any]

DERIVA = "deriva"  # a measure drifts out of specification over hours
SALTO = "salto"  # a measure jumps, and is put right within the hour
SENSORE = "sensore"  # a sensor is stuck, or reads what cannot be true
DUPLICATI = "duplicati"  # the same record twice
RITARDI = "ritardi"  # a record sent hours after
CODICI = "codici"  # a code that nobody knows
RUMORE = "rumore"  # no fault: a measure that came out so by itself

PESO = "peso_effettivo"
TEMPERATURA = "temperatura_effettiva"


class Rates(NamedTuple):
    """How often: measures go astray so many times a day, the others are shares of the records."""

    deriva: float = 0
    salto: float = 0
    bloccato: float = 0
    sensore: float = 0
    duplicati: float = 0
    ritardi: float = 0
    codici: float = 0


SCENARI = {
    "misto": Rates(1 / 3, 1 / 2, 1 / 2, 0.005, 0.005, 0.01, 0.005),
    "pulito": Rates(),
    DERIVA: Rates(deriva=2),
    SALTO: Rates(salto=4),
    SENSORE: Rates(bloccato=2, sensore=0.03),
    DUPLICATI: Rates(duplicati=0.05),
    RITARDI: Rates(ritardi=0.05),
    CODICI: Rates(codici=0.05),
}

# Cycles that each lasts, and how far it goes in halves of the specification.
DERIVA_CYCLES, DERIVA_REACH = (24, 48), (2.0, 3.0)
SALTO_CYCLES, SALTO_REACH = (3, 6), (2.0, 3.0)
STUCK_CYCLES = (4, 8)
LATE_HOURS = (2, 20)

# What cannot be true: values of sensors, as they are found in plants.
READINGS: Sequence[tuple[str, Any]] = (
    (TEMPERATURA, 1350.0),
    (TEMPERATURA, 0),
    (TEMPERATURA, "ERR"),
    (PESO, 0),
    (PESO, 9999.9),
    (PESO, "12,5 kg"),
)
RATES_READ = (-1, 65535)
CODES = ("codice_pezzo", "codice_macchinario", "codice_operatore")
UNKNOWN_STOP = "mistero"


class Episode(NamedTuple):
    """A time in which one measure goes astray, from cycle ``first`` to ``last``."""

    guasto: str
    campo: str
    first: int
    last: int
    reach: float = 0.0

    def shift(self, cycle: int, piece: SimulatedPiece) -> float:
        """What it adds to the measure, in kg or °C."""
        limits = piece.peso if self.campo == PESO else piece.temperatura
        progress = 1.0
        if self.guasto == DERIVA:
            progress = (cycle - self.first + 1) / (self.last - self.first + 1)
        return self.reach * half_width(limits) * progress


class FaultSchedule:
    """When what happens: drawn once, before the first record."""

    def __init__(self, rng: random.Random, rates: Rates, hours: int) -> None:
        cycles = hours * CYCLES_PER_HOUR
        self.episodes: list[Episode] = []
        for guasto, a_day, lasting, reach in (
            (DERIVA, rates.deriva, DERIVA_CYCLES, DERIVA_REACH),
            (SALTO, rates.salto, SALTO_CYCLES, SALTO_REACH),
            (SENSORE, rates.bloccato, STUCK_CYCLES, (0.0, 0.0)),
        ):
            for _ in range(_at_least_one(a_day * hours / 24)):
                length = min(rng.randint(*lasting), cycles)
                first, sign = rng.randint(0, cycles - length), rng.choice((-1, 1))
                campo = rng.choice((PESO, TEMPERATURA))
                distance = sign * rng.uniform(*reach)
                self.episodes.append(Episode(guasto, campo, first, first + length - 1, distance))
        records = range(cycles * 2)
        wanted = [
            guasto
            for guasto in (SENSORE, DUPLICATI, RITARDI, CODICI)
            for _ in range(_at_least_one(getattr(rates, guasto) * len(records)))
        ]
        # No record has two of these.
        numbers = rng.sample(records, min(len(wanted), len(records)))
        self._single = dict(zip(numbers, wanted, strict=False))

    def of_record(self, number: int) -> str | None:
        """The fault of the record with this number, if it has one of its own."""
        return self._single.get(number)

    def of_cycle(self, cycle: int) -> Iterator[Episode]:
        return (episode for episode in self.episodes if episode.first <= cycle <= episode.last)


def _at_least_one(count: float) -> int:
    """A fault that a scenario has is seen at least once, however short the simulation."""
    return max(1, round(count)) if count else 0


def spoil_reading(rng: random.Random, record: Record) -> str:
    """Puts a reading that cannot be true into the record; returns the field."""
    if record["tipo_operazione"] == FORGIATURA:
        campo, value = rng.choice(READINGS)
    else:
        campo, value = "numero_pezzi_ora", rng.choice(RATES_READ)
    record[campo] = value
    return campo


def spoil_code(rng: random.Random, record: Record, plant: SimulatedPlant, seed: int) -> str:
    """Puts an unknown code, order number or stop type into the record; returns the field."""
    stop = () if record["tipo_operazione"] == FORGIATURA else ("tipo_fermo",)
    campo = rng.choice((*CODES, "id_ordine", *stop))
    if campo == "id_ordine":
        record[campo] = unknown_number(seed)
    elif campo == "tipo_fermo":
        record[campo] = UNKNOWN_STOP
    else:
        pieces = (piece.codice for piece in plant.pezzi)
        known = {*pieces, *plant.forge, *plant.cnc, *plant.operatori}
        while record[campo] in known:  # a slip of the hand, until nobody knows it
            record[campo] += "X"
    return campo
