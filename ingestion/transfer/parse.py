"""Read the text of a record into types, each field for itself.

A field that cannot be read becomes an ``Unreadable`` value instead of an exception, so that
all errors of a record come out in one pass. Nothing is judged here.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, PlainValidator, SkipValidation

from ingestion.transfer.numbers import as_integer, read_integer, read_number
from ingestion.transfer.records import DoubleHour, RawRecord, Unreadable
from ingestion.transfer.text import as_text, present, read_word, shorten
from ingestion.transfer.timestamps import read_timestamp

CAMPO_LENGTH = 50  # anomalia_operazione.campo
MAX_ELEMENTS = 100  # of a list inside a record; no machine declares more at once


class Declared(NamedTuple):
    """The anomalies that the machine declared: distinct ids as sent, and whether any part of
    the list was not of the form ``[{"id": 3}, …]``.
    """

    ids: tuple[int, ...] = ()
    malformed: bool = False


class Avviso(NamedTuple):
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


def read_avvisi(value: Any) -> tuple[Avviso, ...]:
    """Reception's remarks; one of another shape is kept as its text."""
    if not value:
        return ()
    elements = value if isinstance(value, list) else [value]
    return tuple(_read_avviso(element) for element in elements[:MAX_ELEMENTS])


def _read_avviso(value: Any) -> Avviso:
    if not isinstance(value, dict):
        return Avviso(None, None, as_text(value))
    campo, motivo, valore = (value.get(key) for key in Avviso._fields)
    return Avviso(
        shorten(as_text(campo), CAMPO_LENGTH) if campo else None,
        as_text(motivo) if motivo else None,
        None if valore is None else as_text(valore),
    )


Code = Annotated[str | None, PlainValidator(present)]
Word = Annotated[str | None, PlainValidator(read_word)]
Number = Annotated[Decimal | Unreadable | None, PlainValidator(read_number)]
Integer = Annotated[int | Unreadable | None, PlainValidator(read_integer)]
Timestamp = Annotated[datetime | DoubleHour | Unreadable | None, PlainValidator(read_timestamp)]


class ParsedRecord(BaseModel):
    """A record with its fields read; None = missing. ``raw`` is the record as received."""

    model_config = ConfigDict(frozen=True)

    raw: SkipValidation[RawRecord]
    id_ordine: Integer
    codice_pezzo: Code
    codice_macchinario: Code
    codice_operatore: Code
    timestamp_inizio: Timestamp
    timestamp_fine: Timestamp
    tipo_operazione: Word
    peso_effettivo: Number
    temperatura_effettiva: Number
    numero_pezzi_ora: Integer
    tipo_fermo: Word
    anomalia: Annotated[Declared, PlainValidator(read_declared)]
    avvisi: Annotated[tuple[Avviso, ...], PlainValidator(read_avvisi)]


def parse(raw: RawRecord) -> ParsedRecord:
    """Reads every field of the record; never raises for what a field may hold."""
    return ParsedRecord.model_validate(raw._asdict() | {"raw": raw})
