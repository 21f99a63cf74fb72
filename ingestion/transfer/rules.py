"""Judge a record: one pure function of the record, its reception time and the master data.

The validation table of domain.md, in its two layers: what cannot be true becomes None, what is
out of specification for the piece is kept; either way exactly one anomaly says so.
"""

from collections.abc import Container
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from ingestion.transfer import notes
from ingestion.transfer.findings import MACCHINA, Findings
from ingestion.transfer.parse import MAX_ELEMENTS, ParsedRecord
from ingestion.transfer.records import (
    CleanRecord,
    Limits,
    MasterData,
    PieceLimits,
    Unreadable,
    Verdict,
)
from ingestion.transfer.text import as_text
from ingestion.transfer.time_rules import judge_times
from production.catalogue import AnomaliaId

# Stored values of production.models.TipoOperazione and codes of the seeded stop types.
FORGIATURA = "forgiatura"
CNC = "cnc"
NESSUNO = "NESSUNO"
ALTRO = "ALTRO"

CODE_LENGTH = 50  # of every code column
CODE_NAMES = {
    "codice_pezzo": "Codice pezzo",
    "codice_macchinario": "Codice macchinario",
    "codice_operatore": "Codice operatore",
}
NO_LIMITS = PieceLimits()


class Measure(NamedTuple):
    """A measured field, how notes call it, and the anomalies of its two layers."""

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

    ``received_at`` is aware: a time is in the future if it is later than that. Raises nothing
    for any content of the record; the same arguments give the same verdict.
    """
    findings = Findings(parsed.raw)
    inizio, fine, durata = judge_times(parsed, received_at, limits, findings)
    tipo_operazione = _judge_tipo_operazione(parsed, findings)
    id_ordine = _judge_id_ordine(parsed, master, findings)
    pezzo, macchinario, operatore = _judge_codes(parsed, master, findings)
    peso = temperatura = numero_pezzi_ora = tipo_fermo = None
    if tipo_operazione == FORGIATURA:
        peso = _judge_peso(parsed, limits, findings)
        temperatura = _judge_temperatura(parsed, limits, findings)
        _check_specification(pezzo, peso, temperatura, master, findings)
    elif tipo_operazione == CNC:
        numero_pezzi_ora = _judge_numero_pezzi_ora(parsed, limits, findings)
        tipo_fermo = _judge_tipo_fermo(parsed, master, findings)
    _take_declared(parsed, master, findings)
    _take_avvisi(parsed, findings)
    record = CleanRecord(
        id_ordine,
        pezzo,
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
    return Verdict(record, findings.found)


def is_outside(value: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    """Whether a measure breaks a limit of the piece; limits are inclusive, None checks nothing."""
    return (low is not None and value < low) or (high is not None and value > high)


def _judge_tipo_operazione(parsed: ParsedRecord, findings: Findings) -> str | None:
    word = parsed.tipo_operazione
    if word in (FORGIATURA, CNC):
        return word
    note = notes.wrong_operation_type(word)
    findings.report(AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO, "tipo_operazione", note)
    return None


# --- References to master data ------------------------------------------------------------


def _judge_id_ordine(parsed: ParsedRecord, master: MasterData, findings: Findings) -> int | None:
    number = parsed.id_ordine
    if number is None or (isinstance(number, int) and number in master.ordini):
        return number
    code = number.testo if isinstance(number, Unreadable) else str(number)
    note = notes.unknown_reference("Numero d'ordine", code)
    findings.report(AnomaliaId.RIFERIMENTO_SCONOSCIUTO, "id_ordine", note)
    return None


def _judge_codes(
    parsed: ParsedRecord, master: MasterData, findings: Findings
) -> tuple[str | None, str | None, str | None]:
    """Codes of piece, machine and operator."""

    def known(campo: str, code: str | None, codes: Container[str]) -> str | None:
        if code is None or code in codes:
            return code
        _refuse_code(campo, code, findings)
        return None

    return (
        known("codice_pezzo", parsed.codice_pezzo, master.pezzi),
        known("codice_macchinario", parsed.codice_macchinario, master.macchinari),
        known("codice_operatore", parsed.codice_operatore, master.operatori),
    )


def _refuse_code(campo: str, code: str, findings: Findings) -> None:
    name = CODE_NAMES[campo]
    if len(code) > CODE_LENGTH:
        findings.report(AnomaliaId.ALTRO, campo, notes.too_long(name, code, CODE_LENGTH))
    else:
        note = notes.unknown_reference(name, code)
        findings.report(AnomaliaId.RIFERIMENTO_SCONOSCIUTO, campo, note)


# --- Forging ------------------------------------------------------------------------------


def _judge_peso(parsed: ParsedRecord, limits: Limits, findings: Findings) -> Decimal | None:
    """Weight in kg, 0 excluded."""
    peso = parsed.peso_effettivo
    if isinstance(peso, Decimal) and 0 < peso <= limits.peso_max:
        return peso
    expected = f"maggiore di 0 e {notes.between(None, limits.peso_max, PESO.unit)}"
    _refuse_measure(PESO, peso, expected, findings)
    return None


def _judge_temperatura(parsed: ParsedRecord, limits: Limits, findings: Findings) -> Decimal | None:
    """Temperature in °C, both limits included."""
    temperatura = parsed.temperatura_effettiva
    low, high = limits.temperatura_min, limits.temperatura_max
    if isinstance(temperatura, Decimal) and low <= temperatura <= high:
        return temperatura
    expected = notes.between(low, high, TEMPERATURA.unit)
    _refuse_measure(TEMPERATURA, temperatura, expected, findings)
    return None


def _refuse_measure(
    measure: Measure, value: Decimal | Unreadable | None, expected: str, findings: Findings
) -> None:
    note = notes.implausible_measure(measure.name, measure.unit, value, expected)
    findings.report(measure.implausible, measure.campo, note)


def _check_specification(
    pezzo: str | None,
    peso: Decimal | None,
    temperatura: Decimal | None,
    master: MasterData,
    findings: Findings,
) -> None:
    """The second layer: measures that are true, but bad for this piece, are kept and said."""
    if pezzo is None:
        return
    spec = master.pezzi.get(pezzo, NO_LIMITS)
    for measure, value, low, high in (
        (PESO, peso, spec.peso_min, spec.peso_max),
        (TEMPERATURA, temperatura, spec.temperatura_min, spec.temperatura_max),
    ):
        if value is not None and is_outside(value, low, high):
            expected = notes.between(low, high, measure.unit)
            note = notes.out_of_specification(measure.name, measure.unit, value, pezzo, expected)
            findings.report(measure.out_of_specification, measure.campo, note)


# --- CNC ----------------------------------------------------------------------------------


def _judge_numero_pezzi_ora(parsed: ParsedRecord, limits: Limits, findings: Findings) -> int | None:
    """Pieces per hour; a stopped machine has none, which is no anomaly."""
    rate = parsed.numero_pezzi_ora
    if rate is None or (isinstance(rate, int) and 0 <= rate <= limits.pezzi_ora_max):
        return rate
    note = notes.wrong_rate(rate, limits.pezzi_ora_max)
    findings.report(AnomaliaId.PEZZI_ORA_NON_VALIDI, "numero_pezzi_ora", note)
    return None


def _judge_tipo_fermo(parsed: ParsedRecord, master: MasterData, findings: Findings) -> str:
    """The code of the stop type; never None."""
    word = parsed.tipo_fermo
    if word is None:
        return NESSUNO
    code = master.tipi_fermo.get(word)
    if code is not None:
        return code
    received = (parsed.raw.tipo_fermo or word).strip()
    note = notes.unknown_stop_type(received)
    findings.report(AnomaliaId.TIPO_FERMO_SCONOSCIUTO, "tipo_fermo", note)
    return ALTRO


# --- What came with the record ------------------------------------------------------------


def _take_declared(parsed: ParsedRecord, master: MasterData, findings: Findings) -> None:
    """The machine's own anomalies; an id that the catalogue lacks is told in a note."""
    for number in parsed.anomalia.ids:
        if number in master.anomalie:
            findings.add(number, "anomalia", str(number), notes.declared(number), MACCHINA)
        else:
            note = notes.declared_unknown(number)
            findings.add(AnomaliaId.ALTRO, "anomalia", str(number), note, MACCHINA)
    if parsed.anomalia.malformed:
        note = notes.malformed_declaration(MAX_ELEMENTS)
        valore = as_text(parsed.raw.anomalia)
        findings.add(AnomaliaId.ANOMALIA_STRUTTURA, "anomalia", valore, note)


def _take_avvisi(parsed: ParsedRecord, findings: Findings) -> None:
    """What reception altered: one anomaly a field, unless the field has one already."""
    for avviso in parsed.avvisi:
        if avviso.campo is None or avviso.campo not in findings.reported_fields():
            note = notes.altered_at_reception(avviso.campo, avviso.motivo)
            findings.add(AnomaliaId.ALTRO, avviso.campo, avviso.valore, note)
