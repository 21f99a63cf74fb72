"""What is measured of an operation, the limits it has, and how numbers are read and written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from production.catalogue import AnomaliaId
from production.models import Operazione, Pezzo

SECONDS_AN_HOUR = 3600
MAX_DIGITS = 15  # beyond this a number is shown in powers of ten
# How spreadsheets and flows write "no value" (domain.md), compared trimmed and case folded.
MISSING_WORDS = frozenset({"", "null", "n/d", "#n/a", "#n/d"})
PLAIN = re.compile(r"[+-]?\d+(?:[.,]\d+)?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+", re.ASCII)


class Range(NamedTuple):
    """Limits, both included; None checks nothing."""

    low: Decimal | None = None
    high: Decimal | None = None

    def holds(self, value: Decimal) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __bool__(self) -> bool:
        return self != (None, None)


@dataclass(frozen=True, eq=False)
class Measure:
    """``path`` leads from an operation to the stored value, ``divisor`` from it to ``unit``.

    ``piece``: the columns of the piece that limit it; ``plausible``: keys of the plausibility
    limits (settings), None where zero is the limit, "" where there is none.
    """

    label: Promise
    unit: str
    path: str
    plausible: tuple[str | None, str]
    piece: tuple[str, str] | None = None
    divisor: int = 1

    def stored(self, operazione: Operazione) -> Decimal | None:
        value: Any = operazione
        for name in self.path.split("__"):
            value = getattr(value, name, None)
        return self.read(value)

    def read(self, value: Any) -> Decimal | None:
        return None if value is None else Decimal(str(value)) / self.divisor

    def piece_range(self, pezzo: Pezzo | None) -> Range:
        if pezzo is None or self.piece is None:
            return Range()
        low, high = (getattr(pezzo, name) for name in self.piece)
        return Range(low, high)

    def plausible_range(self, limits: Mapping[str, Any]) -> Range:
        low, high = self.plausible
        return Range(Decimal(limits[low]) if low else Decimal(0), Decimal(limits[high]))

    def shown(self, value: Decimal) -> str:
        return f"{readable(value)} {self.unit}".strip()


PESO = Measure(
    gettext_lazy("Peso"),
    "kg",
    "forgiatura__peso_effettivo",
    (None, "peso_max"),
    ("peso_min", "peso_max"),
)
TEMPERATURA = Measure(
    gettext_lazy("Temperatura"),
    "°C",
    "forgiatura__temperatura_effettiva",
    ("temperatura_min", "temperatura_max"),
    ("temperatura_min", "temperatura_max"),
)
PEZZI_ORA = Measure(
    gettext_lazy("Pezzi all'ora"), "", "cnc__numero_pezzi_ora", (None, "pezzi_ora_max")
)
DURATA = Measure(
    gettext_lazy("Durata"), "h", "durata", (None, "durata_max_ore"), divisor=SECONDS_AN_HOUR
)
MEASURES: dict[int, Measure] = {
    AnomaliaId.PESO_NON_VALIDO: PESO,
    AnomaliaId.PESO_FUORI_SPECIFICA: PESO,
    AnomaliaId.TEMPERATURA_NON_VALIDA: TEMPERATURA,
    AnomaliaId.TEMPERATURA_FUORI_SPECIFICA: TEMPERATURA,
    AnomaliaId.PEZZI_ORA_NON_VALIDI: PEZZI_ORA,
    AnomaliaId.DURATA_ANOMALA: DURATA,
}
# Those whose value could not be true, so that it is not stored: only its text is kept.
IMPLAUSIBLE = frozenset(
    {
        AnomaliaId.PESO_NON_VALIDO,
        AnomaliaId.TEMPERATURA_NON_VALIDA,
        AnomaliaId.PEZZI_ORA_NON_VALIDI,
    }
)


def is_missing(text: str | None) -> bool:
    return (text or "").strip().casefold() in MISSING_WORDS


def number_in(text: str | None) -> Decimal | None:
    """The number that a received text says, Italian decimals too; None if it says none."""
    text = (text or "").strip()
    if THOUSANDS.fullmatch(text):
        text = text.replace(".", "")
    elif not PLAIN.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


def readable(value: Decimal) -> str:
    """12.50 as "12,5" or "12.5", as the language has it; of very many digits, the first ones."""
    if abs(value.adjusted()) > MAX_DIGITS or len(value.as_tuple().digits) > 2 * MAX_DIGITS:
        return f"{float(value):.6g}"
    text = f"{round(value, 6):f}"
    decimals = text.partition(".")[2].rstrip("0")
    return number_format(value, len(decimals), use_l10n=True)


def range_in_words(limits: Range, unit: str) -> str:
    """ "tra 10 e 12 kg", "almeno 10 kg", "al più 12 kg"; "" where there is no limit."""
    low, high = (None if limit is None else readable(limit) for limit in limits)
    if low and high:
        return _("tra %(low)s e %(high)s %(unit)s") % {"low": low, "high": high, "unit": unit}
    if low:
        return _("almeno %(low)s %(unit)s") % {"low": low, "unit": unit}
    return _("al più %(high)s %(unit)s") % {"high": high, "unit": unit} if high else ""
