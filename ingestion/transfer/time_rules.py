"""The rules about start, end and duration (domain.md, validation table). All times are UTC."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ingestion.transfer import notes
from ingestion.transfer.findings import Findings
from ingestion.transfer.parse import ParsedRecord
from ingestion.transfer.records import DoubleHour, Limits, Unreadable
from production.catalogue import AnomaliaId

NAMES = {"timestamp_inizio": "Ora di inizio", "timestamp_fine": "Ora di fine"}


def judge_times(
    parsed: ParsedRecord, received_at: datetime, limits: Limits, findings: Findings
) -> tuple[datetime | None, datetime | None, Decimal | None]:
    """Start, end, and the seconds between them, to the microsecond."""
    received = received_at.astimezone(UTC)
    inizio = _judge_inizio(parsed, received, limits, findings)
    fine = _judge_fine(parsed, inizio, received, limits, findings)
    if inizio is None or fine is None:
        return inizio, fine, None
    duration = fine - inizio
    if duration > limits.durata_max:
        note = notes.long_duration(duration, limits.durata_max)
        findings.report(AnomaliaId.DURATA_ANOMALA, "timestamp_fine", note)
    return inizio, fine, Decimal(duration // timedelta(microseconds=1)).scaleb(-6)


def _judge_inizio(
    parsed: ParsedRecord, received: datetime, limits: Limits, findings: Findings
) -> datetime | None:
    inizio = parsed.timestamp_inizio
    if inizio is None:
        note = notes.missing_start()
        findings.report(AnomaliaId.TIMESTAMP_NON_VALIDO, "timestamp_inizio", note)
        return None
    if isinstance(inizio, DoubleHour):
        inizio = inizio.first
    return _judge_moment(inizio, "timestamp_inizio", received, limits, findings)


def _judge_fine(
    parsed: ParsedRecord,
    inizio: datetime | None,
    received: datetime,
    limits: Limits,
    findings: Findings,
) -> datetime | None:
    fine = parsed.timestamp_fine
    if fine is None:
        findings.report(AnomaliaId.OPERAZIONE_APERTA, "timestamp_fine", notes.missing_end())
        return None
    if isinstance(fine, DoubleHour):
        too_early = inizio is not None and fine.first < inizio
        fine = fine.second if too_early else fine.first
    moment = _judge_moment(fine, "timestamp_fine", received, limits, findings)
    if moment is not None and inizio is not None and moment < inizio:
        note = notes.end_before_start(inizio, moment)
        findings.report(AnomaliaId.TIMESTAMP_NON_VALIDO, "timestamp_fine", note)
        return None
    return moment


def _judge_moment(
    moment: datetime | Unreadable,
    campo: str,
    received: datetime,
    limits: Limits,
    findings: Findings,
) -> datetime | None:
    """A moment alone: readable, and not later than reception plus the tolerance."""
    if isinstance(moment, Unreadable):
        note = notes.unreadable_moment(NAMES[campo], moment)
    elif moment - received > limits.tolleranza_futuro:
        note = notes.future_moment(NAMES[campo], moment, received, limits.tolleranza_futuro)
    else:
        return moment
    findings.report(AnomaliaId.TIMESTAMP_NON_VALIDO, campo, note)
    return None
