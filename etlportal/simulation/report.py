"""What ``simula`` says at the end, in Italian or as JSON."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from etlportal.simulation.evaluation import Evaluation, Score
from etlportal.simulation.generator import Batch, Simulation
from production.timestamps import PLANT_TIME_ZONE

LISTED = 20


class Report:
    """What a simulation sent, and what the jobs made of it where it asked for them."""

    def __init__(self, simulation: Simulation, path: Path | None, *, dry_run: bool) -> None:
        """``path``: where the truth is written; None = nowhere."""
        self._simulation = simulation
        self._path = str(path or "")
        self._dry_run = dry_run
        self.records = 0
        self._bodies = 0
        self._sha256 = hashlib.sha256()
        self._faults: Counter[str] = Counter()
        self._jobs: Counter[str] = Counter()
        self._completed: list[int] = []

    def add(self, batch: Batch) -> None:
        self.records += len(batch.record)
        self._bodies += bool(batch.record)
        self._sha256.update(batch.body)
        self._faults.update(line.guasto for line in batch.guasti)

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
        return (
            f"{self._clock(hour)}  ordini arrivati {arrived}, "
            f"record trasferiti {now['trasferiti']}, anomalie {now['anomalie']}, "
            f"pezzi agli ordini {now['pezzi_attribuiti']}, "
            f"ordini completati: {', '.join(map(str, completed)) or 'nessuno'}"
        )

    def _clock(self, hour: int) -> str:
        """Plant time at the end of a simulated hour."""
        wanted = self._simulation.settings
        end = wanted.inizio + timedelta(hours=min(hour + 1, wanted.ore))
        return f"{end.astimezone(PLANT_TIME_ZONE):%d/%m %H:%M}"

    def as_json(self) -> dict[str, Any]:
        return {
            "record": self.records,
            "invii": self._bodies,
            **described(self._simulation),
            "guasti": dict(sorted(self._faults.items())),
            "sha256": self._sha256.hexdigest(),
            **{name: self._jobs[name] for name in ("trasferiti", "anomalie", "pezzi_attribuiti")},
            "ordini_completati": self._completed,
            "verita": self._path,
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


# --- The evaluation's report --------------------------------------------------------------


def evaluation_as_json(result: Evaluation) -> dict[str, Any]:
    return {
        "ok": result.tutto_bene,
        "record": result.record,
        "caricati": result.caricati,
        "tipi": {kind: _score_as_json(score) for kind, score in sorted(result.tipi.items())},
        "totale": _score_as_json(result.totale),
        "guasti": {name: vars(score) for name, score in sorted(result.guasti.items())},
        "mancanti": result.mancanti,
        "inattese": result.inattese,
    }


def _score_as_json(score: Score) -> dict[str, Any]:
    return {
        **vars(score),
        "precisione": round(score.precisione, 4),
        "richiamo": round(score.richiamo, 4),
    }


def evaluation_in_words(result: Evaluation, names: dict[int, str]) -> Iterator[str]:
    yield f"Record: {result.caricati} caricati su {result.record}."
    yield ""
    columns = f"{'attese':>8}{'trovate':>9}{'giuste':>8}{'precisione':>12}{'richiamo':>10}"
    yield f"{'anomalia':32}{columns}"
    for kind, score in sorted(result.tipi.items()):
        yield _score_line(f"{kind} {names.get(kind, '')}", score)
    yield _score_line("tutte", result.totale)
    yield ""
    yield f"{'guasto':32}{'record':>8}{'caricati':>9}{'attese':>8}{'trovate':>12}"
    for name, fault in sorted(result.guasti.items()):
        yield f"{name:32}{fault.record:8}{fault.caricati:9}{fault.attese:8}{fault.trovate:12}"
    yield ""
    yield from _list("Attesa ma non trovata", result.mancanti)
    yield from _list("Trovata ma non attesa", result.inattese)
    yield (
        "Trovate tutte e sole le anomalie dei guasti."
        if result.tutto_bene
        else "Ci sono differenze fra anomalie e guasti."
    )


def _score_line(name: str, score: Score) -> str:
    return (
        f"{name:32}{score.attese:8}{score.trovate:9}{score.giuste:8}"
        f"{score.precisione:12.1%}{score.richiamo:10.1%}".replace(".", ",")
    )


def _list(title: str, anomalies: list[dict[str, Any]]) -> Iterator[str]:
    for anomaly in anomalies[:LISTED]:
        yield (
            f"{title}: {anomaly['anomalia']} su {anomaly['campo']}, "
            f"record {anomaly['indice']} dell'invio {anomaly['invio'][:12]}"
        )
    if len(anomalies) > LISTED:
        yield f"… e altre {len(anomalies) - LISTED}."
