"""Reads a request body as JSON, in the shapes that a flow may send it (docs/contratto.md, "Corpi").

Here: how many bytes, which content type, character set and content encoding. What the text says
is ``json_text``'s.
"""

import codecs
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from etlportal.api.errors import (
    BodyTooLarge,
    FormBody,
    IncompleteBody,
    OtherCharset,
    OtherCoding,
    OtherFormat,
    UnreadableGzip,
)
from etlportal.api.json_text import decode
from etlportal.server.chunked import UNANNOUNCED
from ingestion.reception.payloads import missing_body

FORMS = ("application/x-www-form-urlencoded", "multipart/")
# What a flow's other actions make ("Create CSV table", …): named, they are easier to mend than
# "not JSON at line 1". Any other type is read, because hand-made flows send odd ones with JSON.
NOT_JSON = ("text/csv", "text/html", "text/xml", "application/xml", "application/soap+xml")
ACCEPTED_CHARSETS = {"utf-8", "utf-8-sig", "ascii"}
GZIP = {"gzip", "x-gzip"}
GZIP_WITH_HEADER = 31  # zlib's wbits
# Each part of a multi-part gzip costs the making of a decompressor: 10 MB may hold 500,000.
MAX_GZIP_PARTS = 1000
STEP = 64 * 1024


@dataclass(frozen=True)
class Body:
    """What was posted: the bytes (out of their gzip) and the JSON value they hold.

    Two gzips of one text differ (they hold the time); a retry is known by the text.
    """

    bytes: bytes
    json: Any


class RawBodyParser(BaseParser):
    """Reads at most ``MAX_BODY_BYTES`` and decodes them."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        """A ``Body``; raises ``ApiError``s."""
        refuse_media_type(media_type or "")
        request: Request | None = (parser_context or {}).get("request")
        headers = request.headers if request else {}
        named = [name.strip().lower() for name in headers.get("Content-Encoding", "").split(",")]
        encodings = [name for name in named if name not in {"", "identity"}]
        if len(encodings) > 1 or not GZIP.issuperset(encodings):
            raise OtherCoding
        body = read_whole(stream, request._request.META if request else {})
        if not body:
            raise missing_body(headers)
        if encodings:
            body = inflate(body, settings.MAX_BODY_BYTES)
        return Body(bytes=body, json=decode(body))


def refuse_media_type(content_type: str) -> None:
    """Raises ``UnsupportedBody`` for a form, another format or another character set."""
    try:
        media_type, parameters = parse_header_parameters(content_type)
    except ValueError:
        media_type, parameters = content_type.partition(";")[0].strip(), {}
    media_type = media_type.lower()
    if media_type.startswith(FORMS):
        raise FormBody
    if media_type in NOT_JSON:
        raise OtherFormat
    if (charset := parameters.get("charset", "")) and not is_utf8(charset):
        raise OtherCharset


def is_utf8(charset: str) -> bool:
    """Any spelling of UTF-8, or of ASCII, which is a part of it."""
    try:
        return codecs.lookup(charset.strip(" '\"")).name in ACCEPTED_CHARSETS
    except (LookupError, ValueError):
        return False


def read_whole(stream: IO[bytes], meta: Mapping[str, Any]) -> bytes:
    """The whole body; raises ``BodyTooLarge`` (without reading it, if it was announced so) or
    ``IncompleteBody``.
    """
    length = "" if UNANNOUNCED in meta else meta.get("CONTENT_LENGTH", "")
    announced = int(length) if length.isascii() and length.isdecimal() else 0
    if announced > settings.MAX_BODY_BYTES:
        raise BodyTooLarge
    body = stream.read(settings.MAX_BODY_BYTES + 1)
    if len(body) > settings.MAX_BODY_BYTES:
        raise BodyTooLarge
    if len(body) < announced:
        raise IncompleteBody
    return body


def inflate(body: bytes, most: int) -> bytes:
    """What is in a gzip of one or more parts; raises ``UnreadableGzip``, or ``BodyTooLarge`` as
    soon as it makes more than ``most`` bytes.
    """
    parts = 1
    unpacked = bytearray()
    gzip = zlib.decompressobj(GZIP_WITH_HEADER)
    # In small steps, because a decompressor copies what is left over after the end of a part.
    for start in range(0, len(body), STEP):
        rest = body[start : start + STEP]
        while rest:
            if gzip.eof:
                parts += 1
                gzip = zlib.decompressobj(GZIP_WITH_HEADER)
            try:
                unpacked += gzip.decompress(rest, most + 1 - len(unpacked))
            except zlib.error as error:
                raise UnreadableGzip from error
            if len(unpacked) > most:
                raise BodyTooLarge
            rest = gzip.unconsumed_tail or gzip.unused_data
            if parts > MAX_GZIP_PARTS:
                raise UnreadableGzip
    if not gzip.eof:
        raise UnreadableGzip
    return bytes(unpacked)
