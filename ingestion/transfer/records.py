"""The values that travel along the corridor: claim → parse → judge → build → load → mark.

All are immutable; each step takes one and returns the next. Field names are the plant's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID


class RawRecord(NamedTuple):
    """One row of ``raw_operazione`` as claimed: record columns are text or None (absent)."""

    id_operazione: int
    uid: UUID
    ricevuto_il: datetime
    id_ordine: str | None = None
    codice_pezzo: str | None = None
    codice_macchinario: str | None = None
    codice_operatore: str | None = None
    timestamp_inizio: str | None = None
    timestamp_fine: str | None = None
    tipo_operazione: str | None = None
    peso_effettivo: str | None = None
    temperatura_effettiva: str | None = None
    numero_pezzi_ora: str | None = None
    tipo_fermo: str | None = None
    anomalia: Any = None
    avvisi: Any = None


class Unreadable(NamedTuple):
    """A field whose text is not of its type; ``motivo`` says in Italian why, if there is more
    to say than that.
    """

    testo: str
    motivo: str = ""


class DoubleHour(NamedTuple):
    """A plant time that the clock shows twice in autumn: both moments, in UTC."""

    first: datetime
    second: datetime


class PieceLimits(NamedTuple):
    """Specification of a piece, inclusive, kg and °C; None checks nothing."""

    peso_min: Decimal | None = None
    peso_max: Decimal | None = None
    temperatura_min: Decimal | None = None
    temperatura_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MasterData:
    """What the references of a record are checked against, loaded once per run.

    ``tipi_fermo`` maps every known word (code or synonym, trimmed and case folded) to its code.
    """

    pezzi: dict[str, PieceLimits]
    macchinari: frozenset[str]
    operatori: frozenset[str]
    ordini: frozenset[int]
    tipi_fermo: dict[str, str]
    anomalie: frozenset[int]


@dataclass(frozen=True, slots=True)
class Limits:
    """Plausibility limits (settings): what cannot be true, whatever the piece."""

    peso_max: Decimal = Decimal(1000)
    temperatura_min: Decimal = Decimal(700)
    temperatura_max: Decimal = Decimal(1200)
    pezzi_ora_max: int = 10_000
    durata_max: timedelta = timedelta(hours=24)
    tolleranza_futuro: timedelta = timedelta(minutes=60)


class Finding(NamedTuple):
    """One anomaly of one record. ``valore`` is the value as received, as text."""

    id_anomalia: int
    campo: str | None
    valore: str | None
    note: str
    origine: str


class CleanRecord(NamedTuple):
    """A judged record: every field is right or None. Times are aware UTC, durata in seconds."""

    id_ordine: int | None
    codice_pezzo: str | None
    codice_macchinario: str | None
    codice_operatore: str | None
    timestamp_inizio: datetime | None
    timestamp_fine: datetime | None
    tipo_operazione: str | None
    durata: Decimal | None
    peso_effettivo: Decimal | None = None
    temperatura_effettiva: Decimal | None = None
    numero_pezzi_ora: int | None = None
    tipo_fermo: str | None = None


class Verdict(NamedTuple):
    record: CleanRecord
    anomalie: list[Finding]
