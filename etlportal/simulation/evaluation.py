"""Anomalies found against faults injected: precision and recall of each kind.

Only what records themselves cause is compared (validation and machines); surplus and missing
stock follow from the orders, not from the simulated faults.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etlportal.simulation.truth import Truth

LISTED = 20

Anomaly = tuple[int, str | None]  # its kind and its field
# Of one reception of a body: the anomalies of each record by its place; None: it is not loaded.
Reception = Mapping[int, Sequence[Anomaly] | None]


@dataclass
class Score:
    """Of one kind of anomaly: how many there must be, how many there are, how many of both."""

    attese: int = 0
    trovate: int = 0
    giuste: int = 0

    @property
    def precisione(self) -> float:
        """Share of those found that were injected; 1 if none was found."""
        return self.giuste / self.trovate if self.trovate else 1.0

    @property
    def richiamo(self) -> float:
        """Share of those injected that were found; 1 if none was injected."""
        return self.giuste / self.attese if self.attese else 1.0

    def as_json(self) -> dict[str, Any]:
        shares = {"precisione": self.precisione, "richiamo": self.richiamo}
        return vars(self) | {name: round(share, 4) for name, share in shares.items()}


@dataclass
class FaultScore:
    """Of one fault: records that have it, those loaded, anomalies it must cause, those found."""

    record: int = 0
    caricati: int = 0
    attese: int = 0
    trovate: int = 0


@dataclass
class Evaluation:
    """``mancanti``: injected and not found; ``inattese``: found and not injected."""

    record: int = 0
    caricati: int = 0
    tipi: dict[int, Score] = field(default_factory=lambda: defaultdict(Score))
    guasti: dict[str, FaultScore] = field(default_factory=lambda: defaultdict(FaultScore))
    mancanti: list[dict[str, Any]] = field(default_factory=list)
    inattese: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tutto_bene(self) -> bool:
        """Everything loaded, everything injected found, nothing else found."""
        return self.record == self.caricati and not self.mancanti and not self.inattese

    @property
    def totale(self) -> Score:
        scores = self.tipi.values()
        return Score(
            sum(score.attese for score in scores),
            sum(score.trovate for score in scores),
            sum(score.giuste for score in scores),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.tutto_bene,
            "record": self.record,
            "caricati": self.caricati,
            "tipi": {kind: score.as_json() for kind, score in sorted(self.tipi.items())},
            "totale": self.totale.as_json(),
            "guasti": {name: vars(score) for name, score in sorted(self.guasti.items())},
            "mancanti": self.mancanti,
            "inattese": self.inattese,
        }

    def in_words(self, names: Mapping[int, str]) -> Iterator[str]:
        """``names`` of the kinds of anomaly, by their id."""
        yield f"Record: {self.caricati} caricati su {self.record}."
        yield ""
        columns = f"{'attese':>8}{'trovate':>9}{'giuste':>8}{'precisione':>12}{'richiamo':>10}"
        yield f"{'anomalia':32}{columns}"
        named = [(f"{kind} {names.get(kind, '')}", self.tipi[kind]) for kind in sorted(self.tipi)]
        for name, score in [*named, ("tutte", self.totale)]:
            shares = f"{score.precisione:12.1%}{score.richiamo:10.1%}".replace(".", ",")
            yield f"{name:32}{score.attese:8}{score.trovate:9}{score.giuste:8}{shares}"
        yield ""
        yield f"{'guasto':32}{'record':>8}{'caricati':>9}{'attese':>8}{'trovate':>12}"
        for name, fault in sorted(self.guasti.items()):
            yield f"{name:32}{fault.record:8}{fault.caricati:9}{fault.attese:8}{fault.trovate:12}"
        yield ""
        for title, anomalies in (
            ("Attesa ma non trovata", self.mancanti),
            ("Trovata ma non attesa", self.inattese),
        ):
            for anomaly in anomalies[:LISTED]:
                yield (
                    f"{title}: {anomaly['anomalia']} su {anomaly['campo']}, "
                    f"record {anomaly['indice']} dell'invio {anomaly['invio'][:12]}"
                )
            if len(anomalies) > LISTED:
                yield f"… e altre {len(anomalies) - LISTED}."
        yield (
            "Trovate tutte e sole le anomalie dei guasti."
            if self.tutto_bene
            else "Ci sono differenze fra anomalie e guasti."
        )


def evaluate(truth: Truth, received: Mapping[str, Sequence[Reception]]) -> Evaluation:
    """Each record of each body against its lines of the truth; a body that never came has none.

    ``received``: the receptions of each body, by its SHA-256; it may come more than once.
    """
    result = Evaluation()
    expected: dict[tuple[str, int], Counter[Anomaly]] = defaultdict(Counter)
    for line in truth.guasti:
        expected[line.invio, line.indice].update((kind, line.campo) for kind in line.anomalie)
        fault = result.guasti[line.guasto]
        for reception in received.get(line.invio) or [{}]:
            row = reception.get(line.indice)
            fault.record += 1
            fault.caricati += row is not None
            fault.attese += len(line.anomalie)
            fault.trovate += sum((kind, line.campo) in (row or ()) for kind in line.anomalie)
    for invio, records in truth.invii.items():
        for reception in received.get(invio) or [{}]:
            for indice in range(records):
                row = reception.get(indice)
                result.record += 1
                result.caricati += row is not None
                wanted, found = expected[invio, indice], Counter(row or ())
                for (kind, _), count in wanted.items():
                    result.tipi[kind].attese += count
                for (kind, _), count in found.items():
                    result.tipi[kind].trovate += count
                for (kind, _), count in (wanted & found).items():
                    result.tipi[kind].giuste += count
                result.mancanti += _listed(invio, indice, wanted - found)
                result.inattese += _listed(invio, indice, found - wanted)
    return result


def _listed(invio: str, indice: int, anomalies: Counter[Anomaly]) -> Iterator[dict[str, Any]]:
    for kind, campo in anomalies.elements():
        yield {"invio": invio, "indice": indice, "anomalia": kind, "campo": campo}
