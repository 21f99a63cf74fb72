"""Reads JSON that nobody vouches for: in bounded memory, every refusal naming its position.

Numbers stay as they were written (``NumberText``). Python's own decoder does
the reading; what it would take without a word (a key twice, NaN) or die of (deep nesting, very
many tiny values) is caught here.
"""

import json
import re
from itertools import islice
from typing import Any, NamedTuple

from etlportal.api.errors import (
    EmptyBody,
    NotUtf8,
    RefusedValue,
    TooDeep,
    TooManyValues,
    UnreadableJson,
)
from ingestion.reception.payloads import MAX_DETAILS, NumberText, storable_text

MAX_NESTING = 32
# 10,000 records of 40 members each: 10 MB of real records hold fewer. Python takes 100 to 200
# bytes a value: without this cap, 10 MB of "{},{},…" would take 250 MB.
MAX_VALUES = 400_000
# Enough to tell which of the two reasons to give for a body that is refused anyway.
DEPTH_SAMPLE = 100_000

_STRUCTURE = b'"[]{},'
_ALL_BUT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_BRACES_AS_BRACKETS = bytes.maketrans(b"{}", b"[]")
_STRING = re.compile(rb'"[^"]*"?')


class _Refused(NamedTuple):
    """Stands in the decoded value where something may not be; ``sentence`` says what, of
    ``campo``.
    """

    campo: str
    sentence: str

    def detail(self, index: int) -> dict[str, Any]:
        campo = storable_text(self.campo[:50])
        return {"indice": index, "campo": campo, "messaggio": self.sentence.format(campo)}


def decode(body: bytes) -> Any:
    """The JSON value in ``body`` (UTF-8); a JSON text inside one JSON string is read, too.

    Raises ``UnreadableJson`` naming the position, or ``TooManyValues``.
    """
    if not body.strip():
        raise EmptyBody
    value = _decode_once(body)
    if not isinstance(value, str) or isinstance(value, NumberText):
        return value
    # What a flow means that wraps its body in string(); any other string stays one.
    text = value.removeprefix("\ufeff")
    if not text.lstrip().startswith(("[", "{")):
        return text
    return _decode_once(text.encode("utf-8", "surrogatepass"), "surrogatepass")


def _decode_once(body: bytes, errors: str = "strict") -> Any:
    refuse_shape(body)
    try:
        text = body.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise NotUtf8(byte=error.start) from error
    refused: list[_Refused] = []

    def refuse(campo: str, sentence: str) -> _Refused:
        """The object takes the place of what is wrong in the value."""
        refused.append(_Refused(campo, sentence))
        return refused[-1]

    def constant(name: str) -> Any:
        return refuse(name, "{} non è un numero JSON: usare null.")

    def members(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return refuse(repeated, "La chiave «{}» compare due volte nello stesso oggetto.")

    try:
        value = json.loads(
            text,
            parse_float=NumberText,
            parse_int=NumberText,
            parse_constant=constant,
            object_pairs_hook=members,
        )
    except json.JSONDecodeError as error:
        raise UnreadableJson(riga=error.lineno, colonna=error.colno) from error
    if refused:
        raise _refusal(value)
    return value


def _refusal(value: Any) -> RefusedValue:
    """Names what was refused by the index of the record it is in (also in an OData wrapper)."""
    inner = value.get("value") if isinstance(value, dict) else value
    records = inner if isinstance(inner, list) and _first_refused(inner) else [value]
    found = (
        wrong.detail(index)
        for index, record in enumerate(records)
        if (wrong := _first_refused(record))
    )
    details = list(islice(found, MAX_DETAILS))
    return RefusedValue(details, indice=details[0]["indice"], motivo=details[0]["messaggio"])


def _first_refused(value: Any) -> _Refused | None:
    if isinstance(value, _Refused):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((wrong for item in inner if (wrong := _first_refused(item))), None)


def refuse_shape(body: bytes) -> None:
    """Refuses deep nesting and masses of values, before any of them is made.

    Only brackets, commas and quotes are looked at, each step one pass in C: 3 MB take 10 ms,
    and 10 MB of brackets 0.1 s. Where the text is no JSON the decoder stops at the first wrong
    character, and up to there both read the same.
    """
    quoted = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _ALL_BUT_STRUCTURE)
    if quoted.count(b'"') > 4 * MAX_VALUES:  # a value's two, and its key's two
        raise TooManyValues(most=MAX_VALUES)
    outside = _STRING.sub(b"", quoted.replace(b'""', b""))
    many = outside.count(b",") + outside.count(b"[") + outside.count(b"{") > MAX_VALUES
    if _is_deep(outside[:DEPTH_SAMPLE] if many else outside):
        raise TooDeep(most=MAX_NESTING)
    if many:
        raise TooManyValues(most=MAX_VALUES)


def _is_deep(structure: bytes) -> bool:
    """Whether brackets nest deeper than ``MAX_NESTING``: taking the innermost pairs away that
    many times leaves nothing of what does not. (Unclosed ones are the decoder's to refuse.)
    """
    brackets = structure.translate(_BRACES_AS_BRACKETS, b",")
    for _ in range(MAX_NESTING):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return b"[]" in brackets or brackets.count(b"[") > MAX_NESTING
