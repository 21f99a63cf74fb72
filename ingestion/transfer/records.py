"""The values that travel along the corridor: claim → parse → judge → build → load → mark.

All are immutable; each step takes one and returns the next. Field names are the plant's.
"""

from datetime import datetime
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


class Finding(NamedTuple):
    """One anomaly of one record, in the order of ``ANOMALIE_COLUMNS``. ``valore``: as received."""

    id_anomalia: int
    note: str
    campo: str | None
    valore: str | None
    origine: str


class CleanRecord(NamedTuple):
    """A judged record: every field is right or None; after ``durata``, in the table's order.

    Times are aware UTC, ``durata`` is in seconds.
    """

    durata: Decimal | None = None
    timestamp_inizio: datetime | None = None
    timestamp_fine: datetime | None = None
    tipo_operazione: str | None = None
    id_ordine: int | None = None
    codice_pezzo: str | None = None
    codice_macchinario: str | None = None
    codice_operatore: str | None = None
    peso_effettivo: Decimal | None = None
    temperatura_effettiva: Decimal | None = None
    numero_pezzi_ora: int | None = None
    tipo_fermo: str | None = None


class Verdict(NamedTuple):
    record: CleanRecord
    anomalie: list[Finding]
