"""Judge a record: one pure function of the record, its reception time and the master data.

The validation table of domain.md, in its two layers: what cannot be true becomes None, what is
out of specification for the piece is kept; either way exactly one anomaly says so.
"""

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from ingestion.transfer import notes
from ingestion.transfer.parse import MAX_ELEMENTS, ParsedRecord
from ingestion.transfer.records import (
    CleanRecord,
    DoubleHour,
    Finding,
    Limits,
    MasterData,
    Unreadable,
    Verdict,
)
from ingestion.transfer.text import as_text, shorten
from production.catalogue import AnomaliaId

FORGIATURA = "forgiatura"
CNC = "cnc"
NESSUNO = "NESSUNO"
ALTRO = "ALTRO"
VALIDAZIONE = "VALIDAZIONE"
MACCHINA = "MACCHINA"

CODE_LENGTH = 50
CAMPO_LENGTH = 50
NAMES = {
    "timestamp_inizio": "Ora di inizio",
    "timestamp_fine": "Ora di fine",
    "id_ordine": "Numero d'ordine",
    "codice_pezzo": "Codice pezzo",
    "codice_macchinario": "Codice macchinario",
    "codice_operatore": "Codice operatore",
}


class Measure(NamedTuple):
    campo: str
    name: str
    unit: str
    implausible: AnomaliaId
    out_of_specification: AnomaliaId


PESO = Measure(
    "peso_effettivo", "Peso", "kg", AnomaliaId.PESO_NON_VALIDO, AnomaliaId.PESO_FUORI_SPECIFICA
)
TEMPERATURA = Measure(
    "temperatura_effettiva",
    "Temperatura",
    "°C",
    AnomaliaId.TEMPERATURA_NON_VALIDA,
    AnomaliaId.TEMPERATURA_FUORI_SPECIFICA,
)


def judge(
    parsed: ParsedRecord, received_at: datetime, master: MasterData, limits: Limits
) -> Verdict:
    """The record with every wrong field None, and one anomaly for each thing wrong.

    ``received_at`` is aware: "later than now" means later than that. Raises nothing for any
    content of the record; the same arguments give the same verdict.
    """
    found: list[Finding] = []
    inizio, fine, durata = _judge_times(parsed, received_at, limits, found)
    tipo_operazione = _judge_tipo_operazione(parsed, found)
    id_ordine = _judge_ordine(parsed, master, found)
    codice_pezzo = _judge_code(parsed, "codice_pezzo", master.pezzi, found)
    macchinario = _judge_code(parsed, "codice_macchinario", master.macchinari, found)
    operatore = _judge_code(parsed, "codice_operatore", master.operatori, found)
    peso = temperatura = numero_pezzi_ora = tipo_fermo = None
    if tipo_operazione == FORGIATURA:
        peso, temperatura = _judge_forgiatura(parsed, codice_pezzo, master, limits, found)
    elif tipo_operazione == CNC:
        numero_pezzi_ora = _judge_numero_pezzi_ora(parsed, limits, found)
        tipo_fermo = _judge_tipo_fermo(parsed, master, found)
    _judge_anomalia(parsed, master, found)
    _judge_avvisi(parsed, found)
    record = CleanRecord(
        id_ordine,
        codice_pezzo,
        macchinario,
        operatore,
        inizio,
        fine,
        tipo_operazione,
        durata,
        peso,
        temperatura,
        numero_pezzi_ora,
        tipo_fermo,
    )
    return Verdict(record, found)


def is_outside(value: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    """Whether a measure breaks a limit of the piece; limits are inclusive, None checks nothing."""
    return (low is not None and value < low) or (high is not None and value > high)


def _finding(parsed: ParsedRecord, anomalia: AnomaliaId, campo: str, note: str) -> Finding:
    received: str | None = getattr(parsed.raw, campo)
    valore = None if received is None else shorten(received)
    return Finding(int(anomalia), campo, valore, shorten(note), VALIDAZIONE)


# --- Times --------------------------------------------------------------------------------


def _judge_times(
    parsed: ParsedRecord, received_at: datetime, limits: Limits, found: list[Finding]
) -> tuple[datetime | None, datetime | None, Decimal | None]:
    """Start and end in UTC, and the seconds between them."""
    received = received_at.astimezone(UTC)

    def refuse(campo: str, note: str) -> None:
        found.append(_finding(parsed, AnomaliaId.TIMESTAMP_NON_VALIDO, campo, note))

    inizio = _judge_inizio(parsed, received, limits, refuse)
    if parsed.timestamp_fine is None:
        note = notes.missing_end()
        found.append(_finding(parsed, AnomaliaId.OPERAZIONE_APERTA, "timestamp_fine", note))
        return inizio, None, None
    fine = _judge_fine(parsed, inizio, received, limits, refuse)
    if inizio is None or fine is None:
        return inizio, fine, None
    duration = fine - inizio
    if duration > limits.durata_max:
        note = notes.long_duration(duration, limits.durata_max)
        found.append(_finding(parsed, AnomaliaId.DURATA_ANOMALA, "timestamp_fine", note))
    return inizio, fine, Decimal(duration // timedelta(microseconds=1)).scaleb(-6)


Refuse = Callable[[str, str], None]


def _judge_inizio(
    parsed: ParsedRecord, received: datetime, limits: Limits, refuse: Refuse
) -> datetime | None:
    inizio = parsed.timestamp_inizio
    if inizio is None:
        refuse("timestamp_inizio", notes.missing_start())
        return None
    if isinstance(inizio, DoubleHour):
        inizio = inizio.first
    return _judge_moment("timestamp_inizio", inizio, parsed, received, limits, refuse)


def _judge_fine(
    parsed: ParsedRecord,
    inizio: datetime | None,
    received: datetime,
    limits: Limits,
    refuse: Refuse,
) -> datetime | None:
    fine = parsed.timestamp_fine
    if isinstance(fine, DoubleHour):
        started_later = inizio is not None and fine.first < inizio
        fine = fine.second if started_later else fine.first
    fine = _judge_moment("timestamp_fine", fine, parsed, received, limits, refuse)
    if fine is not None and inizio is not None and fine < inizio:
        refuse("timestamp_fine", notes.end_before_start(inizio, fine))
        return None
    return fine
