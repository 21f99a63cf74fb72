"""Judge a record: one pure function of the record, its reception time and the master data.

It walks the rows of the validation table (``production.fields``) in the table's two layers: what
cannot be true becomes None, what is out of specification for the piece is kept; either way exactly
one anomaly says so. The rules about several fields stand beside it.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ingestion.transfer.parse import ParsedRecord
from ingestion.transfer.records import CleanRecord, Finding, Verdict
from production import sentences
from production.catalogue import AnomaliaId
from production.fields import DURATA, FIELDS, NO_LIMITS, ROWS_OF, Criteria, Limits, MasterData
from production.reading import MAX_ELEMENTS, as_text, shorten
from production.sentences import ITALIAN
from production.timestamps import DoubleHour
from production.vocabulary import OrigineAnomalia

MICROSECOND = timedelta(microseconds=1)


def judge(
    parsed: ParsedRecord, received_at: datetime, master: MasterData, limits: Limits
) -> Verdict:
    """The record with every wrong field None, and one anomaly for each thing wrong.

    ``received_at`` is aware: a time is in the future if it is later than that. Raises nothing
    for any content of the record; the same arguments give the same verdict.
    """
    by = Criteria(received_at, master, limits)
    clean: dict[str, Any] = dict.fromkeys(FIELDS)
    found: list[Finding] = []
    read, raw = parsed.__dict__, parsed.raw
    for name, field in ROWS_OF.get(parsed.tipo_operazione, ROWS_OF[None]):
        value, received = read[name], getattr(raw, name)
        if value.__class__ is DoubleHour:
            value = value.not_before(clean["timestamp_inizio"])
        clean[name] = admitted = field.admit(value, by)
        if admitted is None:
            if anomaly := field.anomaly(value):
                note = field.sentence(value, received, by, ITALIAN)
                found.append(_finding(anomaly, name, received, note))
                clean[name] = field.stored_if_wrong
        elif field.out_of_specification and (pezzo := clean["codice_pezzo"]):
            allowed = field.allowed(master.pezzi.get(pezzo, NO_LIMITS))
            if not allowed.holds(admitted):
                note = field.beyond(admitted, pezzo, allowed, ITALIAN)
                found.append(_finding(field.out_of_specification, name, received, note))
    durata = _judge_duration(clean, raw.timestamp_fine, by, found)
    found += _declared(parsed, master)
    if parsed.avvisi:
        found += _altered(parsed, found)
    return Verdict(CleanRecord(durata, *clean.values()), found)


def _finding(
    anomaly: int,
    campo: str | None,
    valore: str | None,
    note: str,
    origine: OrigineAnomalia = OrigineAnomalia.VALIDAZIONE,
) -> Finding:
    value = None if valore is None else shorten(valore)
    return Finding(int(anomaly), shorten(note), campo, value, origine)


# --- Rules about several fields -----------------------------------------------------------


def _judge_duration(
    clean: dict[str, Any], received: str | None, by: Criteria, found: list[Finding]
) -> Decimal | None:
    """Seconds from start to end, to the microsecond; an end before the start is wrong.

    ``received``: the text of the end.
    """
    inizio, fine = clean["timestamp_inizio"], clean["timestamp_fine"]
    if inizio is None or fine is None:
        return None
    if fine < inizio:
        clean["timestamp_fine"] = None
        end = FIELDS["timestamp_fine"]
        note = end.say(ITALIAN, sentences.END_BEFORE_START, fine, start=inizio)
        found.append(_finding(end.wrong, "timestamp_fine", received, note))
        return None
    duration: timedelta = fine - inizio
    if duration > by.limits.durata_max:
        note = DURATA.sentence(sentences.hours(duration), None, by, ITALIAN)
        found.append(_finding(DURATA.wrong, "timestamp_fine", received, note))
    return Decimal(duration // MICROSECOND).scaleb(-6)


# --- What came with the record ------------------------------------------------------------


def _declared(parsed: ParsedRecord, master: MasterData) -> list[Finding]:
    """The machine's own anomalies; an id that the catalogue lacks is told in a note."""
    found = []
    for number in parsed.anomalia.ids:
        kind, note = number, ITALIAN.say(sentences.DECLARED, kind=str(number))
        if number not in master.anomalie:
            kind = AnomaliaId.ALTRO
            note = ITALIAN.say(sentences.DECLARED_UNKNOWN, number=str(number))
        found.append(_finding(kind, "anomalia", str(number), note, OrigineAnomalia.MACCHINA))
    if parsed.anomalia.malformed:
        note = ITALIAN.malformed(MAX_ELEMENTS)
        valore = as_text(parsed.raw.anomalia)
        found.append(_finding(AnomaliaId.ANOMALIA_STRUTTURA, "anomalia", valore, note))
    return found


def _altered(parsed: ParsedRecord, found: list[Finding]) -> list[Finding]:
    """What reception altered: one anomaly a field, unless the field has one of ours already."""
    told = {finding.campo for finding in found if finding.origine == OrigineAnomalia.VALIDAZIONE}
    altered = []
    for avviso in parsed.avvisi:
        if avviso.campo is None or avviso.campo not in told:
            told.add(avviso.campo)
            reason = sentences.REASONS_OF_RECEPTION.get(avviso.motivo or "", avviso.motivo)
            note = ITALIAN.altered(avviso.campo, reason or sentences.NOT_STORABLE)
            altered.append(_finding(AnomaliaId.ALTRO, avviso.campo, avviso.valore, note))
    return altered
