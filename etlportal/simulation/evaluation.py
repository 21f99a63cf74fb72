"""Anomalies found against faults injected: precision and recall of each kind.

Only what records themselves cause is compared (validation and machines); surplus and missing
stock follow from the orders, not from the simulated faults.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from etlportal.simulation.truth import Truth

Anomaly = tuple[int, str | None]  # its kind and its field


class Row(NamedTuple):
    """A record as the portal has it: whether it is in ``operazioni``, and its anomalies."""

    caricato: bool
    anomalie: tuple[Anomaly, ...] = ()


# The receptions of each body, by SHA-256: its rows by place. A body may come more than once.
Received = Mapping[str, Sequence[Mapping[int, Row]]]
NOT_THERE = Row(caricato=False)


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


def evaluate(truth: Truth, received: Received) -> Evaluation:
    """Each record of each body against its lines of the truth; a body that never came has none."""
    result = Evaluation()
    expected: dict[tuple[str, int], Counter[Anomaly]] = defaultdict(Counter)
    for line in truth.guasti:
        expected[line.invio, line.indice].update((kind, line.campo) for kind in line.anomalie)
    for body in truth.invii:
        for rows in received.get(body.invio) or [{}]:
            for indice in range(body.record):
                row = rows.get(indice, NOT_THERE)
                _compare(result, body.invio, indice, expected[body.invio, indice], row)
    _score_faults(result, truth, received)
    return result


def _compare(
    result: Evaluation, invio: str, indice: int, expected: Counter[Anomaly], row: Row
) -> None:
    found = Counter(row.anomalie)
    result.record += 1
    result.caricati += row.caricato
    for score, anomalies in (
        ("attese", expected),
        ("trovate", found),
        ("giuste", expected & found),
    ):
        for (kind, _), count in anomalies.items():
            setattr(result.tipi[kind], score, getattr(result.tipi[kind], score) + count)
    result.mancanti += _listed(invio, indice, expected - found)
    result.inattese += _listed(invio, indice, found - expected)


def _listed(invio: str, indice: int, anomalies: Counter[Anomaly]) -> Iterator[dict[str, Any]]:
    for kind, campo in anomalies.elements():
        yield {"invio": invio, "indice": indice, "anomalia": kind, "campo": campo}


def _score_faults(result: Evaluation, truth: Truth, received: Received) -> None:
    for line in truth.guasti:
        score = result.guasti[line.guasto]
        for rows in received.get(line.invio) or [{}]:
            row = rows.get(line.indice, NOT_THERE)
            score.record += 1
            score.caricati += row.caricato
            score.attese += len(line.anomalie)
            score.trovate += sum((kind, line.campo) in row.anomalie for kind in line.anomalie)
