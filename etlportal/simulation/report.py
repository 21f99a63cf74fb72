"""What ``simula`` says at the end, in Italian or as JSON."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from etlportal.simulation.database import CannotSimulate
from etlportal.simulation.generator import Batch, Simulation, batch_lines
from etlportal.simulation.truth import ending, heading
from production.timestamps import PLANT_TIME_ZONE


class Report:
    """What a simulation sent, and what the jobs made of it where it asked for them."""

    def __init__(self, simulation: Simulation, path: Path | None, *, dry_run: bool) -> None:
        """``path``: where the truth is written; None = nowhere."""
        self._simulation = simulation
        self._path = path
        self._dry_run = dry_run
        self.records = 0
        self._bodies = 0
        self._sha256 = hashlib.sha256()
        self._faults: Counter[str] = Counter()
        self._jobs: Counter[str] = Counter()
        self._completed: list[int] = []

    def taking(self, batches: Iterable[Batch]) -> Iterator[tuple[int, Batch]]:
        """Counts each batch, writes its truth and hands it on, after the number of its hour.

        Raises ``CannotSimulate`` before the first one where the truth cannot be written.
        """
        path = self._path or Path(os.devnull)
        try:
            truth = path.open("w", encoding="utf-8")
        except OSError as error:
            raise CannotSimulate(f"{path}: non si può scrivere ({error.strerror}).") from error
        with truth:
            truth.write(heading(described(self._simulation)))
            for hour, batch in enumerate(batches):
                self.records += len(batch.record)
                self._bodies += bool(batch.record)
                self._sha256.update(batch.body)
                self._faults.update(line.guasto for line in batch.guasti)
                truth.writelines(batch_lines(batch))
                yield hour, batch
            truth.write(ending(self.records))

    def add_jobs(self, hour: int, moved: dict[str, Any], counted: dict[str, Any]) -> str:
        """Takes in what transfer and count answered after this hour; a line that tells it."""
        run = moved["esecuzione"]
        completed = counted.get("ordini_completati", [])  # a count that got nowhere tells none
        now = Counter(
            trasferiti=run["caricati"],
            anomalie=run["anomalie"],
            pezzi_attribuiti=counted.get("pezzi_attribuiti", 0),
        )
        self._jobs += now
        self._completed += completed
        arrived = sum(order.ora <= hour for order in self._simulation.ordini)
        wanted = self._simulation.settings
        end = wanted.inizio + timedelta(hours=min(hour + 1, wanted.ore))  # of the simulated hour
        return (
            f"{end.astimezone(PLANT_TIME_ZONE):%d/%m %H:%M}  ordini arrivati {arrived}, "
            f"record trasferiti {now['trasferiti']}, anomalie {now['anomalie']}, "
            f"pezzi agli ordini {now['pezzi_attribuiti']}, "
            f"ordini completati: {', '.join(map(str, completed)) or 'nessuno'}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "record": self.records,
            "invii": self._bodies,
            **described(self._simulation),
            "guasti": dict(sorted(self._faults.items())),
            "sha256": self._sha256.hexdigest(),
            **{name: self._jobs[name] for name in ("trasferiti", "anomalie", "pezzi_attribuiti")},
            "ordini_completati": self._completed,
            "verita": str(self._path or ""),
            "prova": self._dry_run,
        }

    def in_words(self) -> str:
        did = "Prova: sarebbero" if self._dry_run else "Inviati"
        orders = len(self._simulation.ordini)
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self._faults.items()))
        lines = [
            f"{did} {self.records} record in {self._bodies} richieste, con {orders} ordini "
            f"(seme {self._simulation.settings.seme}).",
            f"Guasti per record: {faults or 'nessuno'}.",
        ]
        if self._path:
            lines.append(f"Verità: {self._path} (per il confronto: simula --valuta FILE)")
        return "\n".join(lines)


def described(simulation: Simulation) -> dict[str, Any]:
    wanted = simulation.settings
    return {
        "seme": wanted.seme,
        "inizio": f"{wanted.inizio.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "ore": wanted.ore,
        "scenario": wanted.scenario,
        "ordini": [order.id_ordine for order in simulation.ordini],
    }
