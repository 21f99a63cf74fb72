"""The simulated plant: its pieces, machines and people, and what the forge measures.

Source of the figures: docs/regole.md, "Simulazione" (facts of the real plant).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from production.fields import Limits, PieceLimits
from production.vocabulary import TipoOperazione

# °C over all forgings of the plant: a mix of pieces, each hot in its own way.
MEAN_TEMPERATURE = 990.0
SD_TEMPERATURE = 116.0
# A reading far outside 700-1200 °C, besides the tails of the pieces: together 1 in 283.
WILD_SHARE = 1 / 340
WILD_READINGS = ((500.0, 690.0), (1210.0, 1390.0))
# Half a specification is so many standard deviations: 1 measure in 100 is outside it.
SPREAD = 2.6

DEFAULT_WEIGHT = (10.0, 14.0)
DEFAULT_TEMPERATURE = (900.0, 1100.0)
LEAST_DEMAND = 0.1

NO_LIMITS = PieceLimits()

Range = tuple[float, float]


@dataclass(frozen=True)
class SimulatedPiece:
    """A piece with its specification and the step that ends it (``forgiatura`` or ``cnc``)."""

    codice: str
    limiti: PieceLimits = NO_LIMITS
    fase_finale: str = TipoOperazione.FORGIATURA

    @property
    def peso(self) -> Range:
        """The kg between which it is meant to be, also where a limit is missing."""
        return _range(self.limiti.peso_min, self.limiti.peso_max, DEFAULT_WEIGHT)

    @property
    def temperatura(self) -> Range:
        """The same in °C."""
        limits = self.limiti
        return _range(limits.temperatura_min, limits.temperatura_max, DEFAULT_TEMPERATURE)


def _range(lower: Decimal | None, upper: Decimal | None, default: Range) -> Range:
    """Both limits; with one alone, as wide as the default is in proportion."""
    ratio = default[1] / default[0]
    if lower is None:
        return default if upper is None else (float(upper) / ratio, float(upper))
    return float(lower), float(lower) * ratio if upper is None else float(upper)


@dataclass(frozen=True)
class SimulatedPlant:
    """Codes of the plant. ``fermi``: stop types; ``nessun_fermo``: its word for none.

    ``limiti``: what the portal holds for plausible, so that the truth can say it.
    """

    pezzi: Sequence[SimulatedPiece]
    forge: Sequence[str]
    cnc: Sequence[str]
    operatori: Sequence[str]
    fermi: Sequence[str] = ()
    nessun_fermo: str = ""
    limiti: Limits = field(default_factory=Limits)

    def piece_by_code(self) -> Mapping[str, SimulatedPiece]:
        return {piece.codice: piece for piece in self.pezzi}


def middle(limits: Range) -> float:
    return (limits[0] + limits[1]) / 2


def half_width(limits: Range) -> float:
    return (limits[1] - limits[0]) / 2


def weigh(rng: random.Random, piece: SimulatedPiece) -> float:
    """A weight in kg, normal around the middle of the specification."""
    return rng.gauss(middle(piece.peso), half_width(piece.peso) / SPREAD)


def take_temperature(rng: random.Random, piece: SimulatedPiece) -> float:
    """A temperature in °C, normal like the weight; now and then a reading gone wild."""
    if rng.random() < WILD_SHARE:
        return rng.uniform(*rng.choice(WILD_READINGS))
    return rng.gauss(middle(piece.temperatura), half_width(piece.temperatura) / SPREAD)


def demand(pezzi: Sequence[SimulatedPiece]) -> list[float]:
    """How often each piece is ordered, so that the plant's temperatures get their mean and sd.

    Weights ``1 + a·x + b·y``, where x and y are a piece's parts in what mean and variance are
    off; a and b bring both to 0. Pieces that cannot give that mean or sd come close to it.
    """
    x = [middle(piece.temperatura) - MEAN_TEMPERATURE for piece in pezzi]
    y = [
        distance**2 + (half_width(piece.temperatura) / SPREAD) ** 2 - SD_TEMPERATURE**2
        for distance, piece in zip(x, pezzi, strict=True)
    ]
    sum_x, sum_y = sum(x), sum(y)
    xx = sum(xi * xi for xi in x)
    xy = sum(xi * yi for xi, yi in zip(x, y, strict=True))
    yy = sum(yi * yi for yi in y)
    determinant = xx * yy - xy * xy
    if abs(determinant) < 1e-6:  # all pieces are alike: no weights bring it about
        return [1.0] * len(pezzi)
    a = (xy * sum_y - yy * sum_x) / determinant
    b = (xy * sum_x - xx * sum_y) / determinant
    return [max(LEAST_DEMAND, 1 + a * xi + b * yi) for xi, yi in zip(x, y, strict=True)]
