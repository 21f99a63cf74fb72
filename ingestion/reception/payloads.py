"""From posted JSON to the columns of ``raw_operazione``: shape only, values are not judged.

Pure: no query, no clock, no settings. A wrong value is staged as it is and becomes an anomaly
in the transfer; only what holds no records at all is refused here.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from etlportal.api.errors import (
    ApiError,
    ChunkedUpload,
    EmptyBody,
    NoList,
    NoRecord,
    TooManyRecords,
)

TEXT_FIELDS = (
    "id_ordine",
    "codice_pezzo",
    "codice_macchinario",
    "codice_operatore",
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "peso_effettivo",
    "temperatura_effettiva",
    "numero_pezzi_ora",
    "tipo_fermo",
)
KNOWN_FIELDS = frozenset({*TEXT_FIELDS, "anomalia"})

# PostgreSQL text holds neither U+0000 nor half a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"
SHORT_INTEGER = re.compile(r"-?[0-9]{1,15}")
MAX_DETAILS = 100
# How SharePoint and Excel write a character in a column's internal name: _x0020_ is a space.
ENCODED_CHARACTER = re.compile(r"_x([0-9a-fA-F]{4})_")
# No name of ours is longer, even with every character encoded.
MAX_KEY = 200


class NumberText(str):
    """A JSON number as its own text: what is staged is what was sent, digit for digit."""

    __slots__ = ()


class StagedRecord(NamedTuple):
    """One record, ready for ``raw_operazione``.

    ``testi``: the eleven text columns by name, None where absent. ``anomalia``: the declared
    list as JSON. ``altri_campi``: unknown keys. ``avvisi``: what had to be altered to store it,
    ``[{"campo", "motivo", "valore"}]``, or None.
    """

    testi: dict[str, str | None]
    anomalia: Any
    altri_campi: dict[str, Any] | None
    avvisi: list[dict[str, str]] | None


def missing_body(headers: Mapping[str, str]) -> ApiError:
    """The refusal of a body of no bytes, from the request's headers."""
    chunked = headers.get("x-ms-transfer-mode", "").strip().lower() == "chunked"
    return ChunkedUpload() if chunked else EmptyBody()


def records_in(body: Any, max_records: int) -> list[dict[str, Any]]:
    """The records of a decoded body: an array of objects, one object, or either's OData wrapper
    ``{"value": [...]}``.

    Raises ``NoList``, ``TooManyRecords``, or ``NoRecord`` naming every element that is none.
    """
    if isinstance(body, dict):
        # An object that has a field of ours is a record, even if it has a member ``value`` too (an
        # unknown key, kept like any other).
        members = {} if _has_known_field(body) else body
        lists = (
            inner
            for key, inner in members.items()
            if normalised_key(key) == "value" and isinstance(inner, list)
        )
        body = next(lists, [body])
    if not isinstance(body, list):
        raise NoList
    if len(body) > max_records:
        raise TooManyRecords(most=max_records, ricevuti=len(body))
    wrong = []
    for index, element in enumerate(body):
        if not isinstance(element, dict):
            wrong.append({"indice": index, "campo": "", "messaggio": "Non è un oggetto JSON."})
        elif not _has_known_field(element):
            told = "Nessun campo conosciuto: controllare i nomi dei campi."
            wrong.append({"indice": index, "campo": "", "messaggio": told})
    if wrong:
        raise NoRecord(wrong[:MAX_DETAILS], wrong=len(wrong), ricevuti=len(body))
    return body


def _has_known_field(record: dict[str, Any]) -> bool:
    return not KNOWN_FIELDS.isdisjoint(map(normalised_key, record))


def normalised_key(key: str) -> str:
    """A field's name however it was written: in any case, with spaces (also as ``_x0020_``)
    round it or for its underscores.
    """
    if key in KNOWN_FIELDS or len(key) > MAX_KEY:
        return key
    return _normalised(key)


@lru_cache(maxsize=1024)
def _normalised(key: str) -> str:
    if "_x" in key:
        key = ENCODED_CHARACTER.sub(lambda code: chr(int(code[1], 16)), key)
    return "_".join(key.split()).lower()


def storable_text(text: str) -> str:
    """The text with U+FFFD for what PostgreSQL and UTF-8 cannot hold."""
    return UNSTORABLE.sub(REPLACEMENT, text)


def stage(record: dict[str, Any]) -> StagedRecord:
    """The record's columns, every value kept as text exactly as sent (numbers digit by digit)."""
    notices: list[dict[str, str]] = []
    texts: dict[str, str | None] = dict.fromkeys(TEXT_FIELDS)
    declared: Any = None
    others: dict[str, Any] = {}
    for key, value in record.items():
        name = normalised_key(key)
        if name == "anomalia" and declared is None:
            declared = _storable(value, name, notices)
        elif name in texts and texts[name] is None:
            if isinstance(value, str):
                texts[name] = _storable_text(str(value), name, notices)
            elif value is not None:
                stored = _storable(value, name, notices)
                texts[name] = json.dumps(stored, ensure_ascii=False)
        else:
            field = storable_text(key)
            _note_alteration(key, field, field, notices)
            others[_free_key(key, others)] = _storable(value, field, notices)
    return StagedRecord(texts, declared, others or None, notices or None)


def _storable_text(text: str, field: str, notices: list[dict[str, str]]) -> str:
    clean = storable_text(text)
    _note_alteration(text, clean, field, notices)
    return clean


def _note_alteration(text: str, clean: str, field: str, notices: list[dict[str, str]]) -> None:
    if clean != text:
        notices.append({"campo": field, "motivo": "carattere_non_valido", "valore": clean[:500]})


def _free_key(key: str, taken: dict[str, Any]) -> str:
    """The key made storable; as its JSON text where that is another key's name already."""
    free = storable_text(key)
    while free in taken:
        key = free = json.dumps(key)
    return free


def _storable(value: Any, field: str, notices: list[dict[str, str]]) -> Any:
    """The same JSON value in a form that a ``jsonb`` column keeps without loss."""
    if isinstance(value, dict):
        members: dict[str, Any] = {}
        for key, item in value.items():
            _note_alteration(key, storable_text(key), field, notices)
            members[_free_key(key, members)] = _storable(item, field, notices)
        return members
    if isinstance(value, list):
        return [_storable(item, field, notices) for item in value]
    if not isinstance(value, NumberText):
        return _storable_text(value, field, notices) if isinstance(value, str) else value
    # A number where ``jsonb`` gives it back to the digit, else its text.
    number = float(value)
    if math.isinf(number):
        told = {"campo": field, "motivo": "numero_non_rappresentabile", "valore": value[:500]}
        notices.append(told)
    elif "e" in value.lower() or (number == 0 and value.startswith("-")):
        return str(value)
    elif SHORT_INTEGER.fullmatch(value):
        return int(value)
    return number if repr(number) == value else str(value)
