"""Realistic plant records for demos and load tests: same seed, same records.

Ten-minute cycles, a forging and a CNC record a cycle; measures are normal around the piece's
nominal, with a few faults of the kinds that real plants send (domain.md, "Simulation").
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from production.models import Macchinario, Operatore, Pezzo

CYCLE = timedelta(minutes=10)
DEFAULT_WEIGHT = (10.0, 14.0)
DEFAULT_TEMPERATURE = (900.0, 1100.0)
STOPS = ("UTENSILE", "MATERIALE", "ATTREZZAGGIO", "PAUSA", "GUASTO_MECCANICO")

Record = dict[str, Any]


@dataclass(frozen=True)
class SimulatedPiece:
    """A piece code with its weight (kg) and temperature (°C) ranges."""

    codice: str
    peso: tuple[float, float]
    temperatura: tuple[float, float]


@dataclass(frozen=True)
class SimulatedPlant:
    pezzi: Sequence[SimulatedPiece]
    forge: Sequence[str]
    cnc: Sequence[str]
    operatori: Sequence[str]


def plant_from_master_data() -> SimulatedPlant:
    """The plant as it stands in the database; machines whose code begins with CNC are CNC.

    Raises ``LookupError`` when there is nothing to simulate with.
    """
    machines = list(Macchinario.objects.values_list("pk", flat=True))
    plant = SimulatedPlant(
        pezzi=[_simulated(piece) for piece in Pezzo.objects.order_by("pk")],
        forge=[code for code in machines if not code.startswith("CNC")],
        cnc=[code for code in machines if code.startswith("CNC")],
        operatori=list(Operatore.objects.values_list("pk", flat=True)),
    )
    if not (plant.pezzi and plant.forge and plant.cnc and plant.operatori):
        raise LookupError("no pieces, machines or operators")
    return plant


def _simulated(piece: Pezzo) -> SimulatedPiece:
    return SimulatedPiece(
        piece.pk,
        _range(piece.peso_min, piece.peso_max, DEFAULT_WEIGHT),
        _range(piece.temperatura_min, piece.temperatura_max, DEFAULT_TEMPERATURE),
    )


def _range(lower: Any, upper: Any, default: tuple[float, float]) -> tuple[float, float]:
    return default if lower is None or upper is None else (float(lower), float(upper))


def simulate(plant: SimulatedPlant, start: datetime, hours: int, seed: int) -> Iterator[Record]:
    """``hours`` × 6 cycles from ``start`` (aware), two records each."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    for cycle in range(hours * 6):
        begin = start + cycle * CYCLE
        for record in (_forging(rng, plant, begin), _machining(rng, plant, begin)):
            _spoil(rng, record)
            yield record


def _common(rng: random.Random, plant: SimulatedPlant, begin: datetime) -> Record:
    return {
        "codice_operatore": rng.choice(plant.operatori),
        "timestamp_inizio": begin.isoformat(),
        "timestamp_fine": (begin + CYCLE).isoformat(),
    }


def _forging(rng: random.Random, plant: SimulatedPlant, begin: datetime) -> Record:
    piece = rng.choice(plant.pezzi)
    return {
        "tipo_operazione": "forgiatura",
        "codice_pezzo": piece.codice,
        "codice_macchinario": rng.choice(plant.forge),
        **_common(rng, plant, begin),
        "peso_effettivo": round(_around(rng, piece.peso), 3),
        "temperatura_effettiva": round(_around(rng, piece.temperatura), 1),
    }


def _machining(rng: random.Random, plant: SimulatedPlant, begin: datetime) -> Record:
    stopped = rng.random() < 0.08
    return {
        "tipo_operazione": "cnc",
        "codice_pezzo": rng.choice(plant.pezzi).codice,
        "codice_macchinario": rng.choice(plant.cnc),
        **_common(rng, plant, begin),
        "numero_pezzi_ora": 0 if stopped else rng.randint(1, 3),
        "tipo_fermo": rng.choice(STOPS) if stopped else "nessun_fermo",
    }


def _around(rng: random.Random, limits: tuple[float, float]) -> float:
    """Normal around the middle; about 1 in 100 is out of the piece's limits."""
    lower, upper = limits
    return rng.gauss((lower + upper) / 2, (upper - lower) / 5.2)


FAULTS: Sequence[tuple[str, Any]] = (
    ("temperatura_effettiva", 1350),  # a sensor that reads high
    ("peso_effettivo", 0),  # an empty scale
    ("peso_effettivo", "12,5 kg"),  # a unit typed into the cell
    ("timestamp_fine", None),  # still open
    ("timestamp_inizio", "31/02/2024 10:00"),  # not a date
    ("codice_operatore", "OOP99"),  # nobody we know
    ("tipo_fermo", "mistero"),
    ("numero_pezzi_ora", -1),
    ("anomalia", [{"id": 4}, {"id": 77}]),
)
FAULT_RATE = 0.03


def _spoil(rng: random.Random, record: Record) -> None:
    if rng.random() < FAULT_RATE:
        field, value = rng.choice([fault for fault in FAULTS if fault[0] in {*record, "anomalia"}])
        record[field] = value
