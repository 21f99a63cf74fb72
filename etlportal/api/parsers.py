"""Reads a request body as JSON. Gzip, text/plain and the other shapes a flow may send belong here.

The decoded JSON keeps numbers as they were written (``ingestion.payloads.NumberText``).
"""

import json
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import is_form_media_type

from ingestion.payloads import NumberText

MAX_NESTING = 32


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = "Il corpo è troppo grande: al più 10 MB e 10.000 record per richiesta."
    default_code = "corpo_troppo_grande"


class UnreadableJson(ParseError):
    default_code = "json_non_valido"


@dataclass(frozen=True)
class Body:
    """What was posted: the bytes as received and the JSON value they hold."""

    bytes: bytes
    json: Any


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableJson(f"{name} non è un numero JSON: usare null.")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnreadableJson(f"La chiave «{twice[:50]}» compare due volte nello stesso oggetto.")
    return members


_DECODER = json.JSONDecoder(
    parse_float=NumberText,
    parse_int=NumberText,
    parse_constant=_refuse_constant,
    object_pairs_hook=_refuse_duplicates,
)


def decode(body: bytes) -> Any:
    """The JSON value in ``body`` (UTF-8); raises ``UnreadableJson`` naming the position."""
    if not body.strip():
        raise UnreadableJson("Il corpo è vuoto: serve un elenco JSON di operazioni.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableJson(
            f"Il corpo non è testo UTF-8 (byte {error.start}): inviare JSON in UTF-8."
        ) from error
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableJson(
            f"Il corpo non è JSON valido: riga {error.lineno}, colonna {error.colno}."
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    _refuse_deep(value)
    return value


def _refuse_deep(value: Any) -> None:
    """What is nested deeper than ``MAX_NESTING`` would break the recursions that follow."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    if level:
        raise _too_deep()


def _too_deep() -> UnreadableJson:
    return UnreadableJson(f"Il corpo ha più di {MAX_NESTING} livelli annidati.")


class RawBodyParser(BaseParser):
    """Reads at most ``MAX_BODY_BYTES`` and decodes them, whatever the content type says."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        """A ``Body``; raises ``UnreadableJson``, ``BodyTooLarge`` or ``UnsupportedMediaType``."""
        if media_type and is_form_media_type(media_type):
            raise UnsupportedMediaType(
                media_type,
                "Il corpo è un modulo: inviare JSON (Content-Type: application/json).",
                code="tipo_contenuto_non_ammesso",
            )
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge
        return Body(bytes=body, json=decode(body))
