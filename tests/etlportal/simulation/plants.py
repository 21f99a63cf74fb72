"""Simulated plants and simulations for tests: the demo plant, a fixed start, a fixed seed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from etlportal.simulation.generator import Batch, Settings, Simulation
from etlportal.simulation.plant import SimulatedPiece, SimulatedPlant
from production.fields import PieceLimits

FIXTURE = Path(__file__).parents[3] / "production/fixtures/impianto_demo.json"
START = datetime(2024, 12, 20, 6, 0, tzinfo=UTC)


def make_piece(codice: str = "PZC01", **overrides: Any) -> SimulatedPiece:
    """A forged piece of 10-12 kg and 900-1100 °C; limits may be given as text, None = none."""
    final_step = overrides.pop("fase_finale", "forgiatura")
    fields = {
        "peso_min": "10",
        "peso_max": "12",
        "temperatura_min": "900",
        "temperatura_max": "1100",
    }
    limits = {
        name: None if limit is None else Decimal(limit)
        for name, limit in (fields | overrides).items()
    }
    return SimulatedPiece(codice, PieceLimits(**limits), final_step)


def make_simulated_plant(**overrides: Any) -> SimulatedPlant:
    """Two forged pieces and one that CNC ends, two forges and one CNC machine."""
    fields: dict[str, Any] = {
        "pezzi": [
            make_piece("PZC01"),
            make_piece("PZC02", temperatura_min="750", temperatura_max="850"),
            make_piece("PZC20", fase_finale="cnc"),
        ],
        "forge": ["FORGIA1", "FORGIA2"],
        "cnc": ["CNC1"],
        "operatori": ["OOP3", "OOP4"],
        "fermi": ["MATERIALE", "PAUSA"],
        "nessun_fermo": "nessun_fermo",
    }
    return SimulatedPlant(**(fields | overrides))


def demo_plant() -> SimulatedPlant:
    """The pieces of ``./run demo``."""
    rows = json.loads(FIXTURE.read_text())
    return make_simulated_plant(
        pezzi=[
            make_piece(
                row["pk"],
                **{name: row["fields"][name] for name in (*PieceLimits._fields, "fase_finale")},
            )
            for row in rows
            if row["model"] == "production.pezzo"
        ]
    )


def make_simulation(plant: SimulatedPlant | None = None, **overrides: Any) -> Simulation:
    """A day of the plant, with seed 1 and an order every two hours, without faults."""
    fields: dict[str, Any] = {
        "inizio": START,
        "ore": 24,
        "seme": 1,
        "ordini": 12,
        "scenario": "pulito",
    }
    return Simulation(plant or make_simulated_plant(), Settings(**(fields | overrides)))


def played(simulation: Simulation) -> Iterator[Batch]:
    """All its batches, with nobody to send them to."""
    yield from (simulation.hour(hour) for hour in range(simulation.settings.ore))
    yield simulation.leftovers()


def records_of(simulation: Simulation) -> list[dict[str, Any]]:
    return [record for batch in played(simulation) for record in batch.record]
