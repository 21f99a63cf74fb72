"""Read the text of a record into types, each field for itself.

A field that cannot be read becomes an ``Unreadable`` value instead of an exception, so that
all errors of a record come out in one pass. Nothing is judged here.
"""

from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, SkipValidation

from ingestion.transfer.records import RawRecord
from production.fields import Record
from production.reading import MAX_ELEMENTS, as_integer, as_text, present, shorten

CAMPO_LENGTH = 50  # anomalia_operazione.campo


class Declared(NamedTuple):
    """The anomalies that the machine declared: distinct ids as sent, and whether any part of
    the list was not of the form ``[{"id": 3}, …]``.
    """

    ids: tuple[int, ...] = ()
    malformed: bool = False


class Remark(NamedTuple):
    """What reception had to alter to be able to store the record; ``motivo`` is its code."""

    campo: str | None
    motivo: str | None
    valore: str | None


def read_declared(value: Any) -> Declared:
    """The ids in ``[{"id": 3}, {"id": "4"}]``; nothing, null and missing words declare none."""
    if value is None or (isinstance(value, str) and present(value) is None):
        return Declared()
    if not isinstance(value, list):
        return Declared(malformed=True)
    ids = [
        as_integer(element.get("id")) if isinstance(element, dict) else None
        for element in value[:MAX_ELEMENTS]
    ]
    known = dict.fromkeys(number for number in ids if number is not None)
    return Declared(tuple(known), malformed=None in ids or len(value) > MAX_ELEMENTS)


def read_avvisi(value: Any) -> tuple[Remark, ...]:
    """Reception's remarks; one of another shape is kept as its text."""
    if not value:
        return ()
    remarks = []
    for element in value[:MAX_ELEMENTS] if isinstance(value, list) else [value]:
        sent = element if isinstance(element, dict) else {"valore": as_text(element)}
        campo, motivo, valore = (sent.get(key) for key in Remark._fields)
        remarks.append(
            Remark(
                shorten(as_text(campo), CAMPO_LENGTH) if campo else None,
                as_text(motivo) if motivo else None,
                None if valore is None else as_text(valore),
            )
        )
    return tuple(remarks)


class ParsedRecord(Record):
    """What is judged of a record, and beside it what came with it. ``raw``: as received."""

    raw: SkipValidation[RawRecord]
    anomalia: Annotated[Declared, PlainValidator(read_declared)]
    avvisi: Annotated[tuple[Remark, ...], PlainValidator(read_avvisi)]


READ = (*RawRecord._fields[3:], "raw")  # all but what the portal gave the record itself


def parse(raw: RawRecord) -> ParsedRecord:
    """Reads every field of the record; never raises for what a field may hold."""
    return ParsedRecord.model_validate(dict(zip(READ, (*raw[3:], raw), strict=True)))
