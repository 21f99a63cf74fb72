"""Reading a body, without HTTP: what is JSON, what is not, and where it breaks."""

import io
import json
import re
import sys

import pytest
from rest_framework.exceptions import UnsupportedMediaType

from etlportal.api.parsers import BodyTooLarge, RawBodyParser, UnreadableJson, decode
from ingestion.payloads import NumberText


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[]", []),
        (b'\n [ {"a" : "b"} ]\r\n', [{"a": "b"}]),
        (b'\xef\xbb\xbf{"a": null}', {"a": None}),
        ('{"à": "€𝄞"}'.encode(), {"à": "€𝄞"}),
        (b"null", None),
        (b"true", True),
        (b'{"a": "\\u0000"}', {"a": "\x00"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": "1"}, "b": {"x": "1"}}),
    ],
)
def test_reads_json(body, value):
    assert decode(body) == value


@pytest.mark.parametrize(
    "text", ["14.0", "0", "-0", "1e400", "-1E-7", "1.10", "9" * 5000, "0." + "3" * 400]
)
def test_a_number_stays_as_it_was_written(text):
    (number,) = decode(f"[{text}]".encode())

    assert isinstance(number, NumberText)
    assert number == text


def test_a_text_of_digits_is_no_number():
    assert not isinstance(decode(b'["14.0"]')[0], NumberText)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "vuoto"),
        (b" \r\n\t", "vuoto"),
        (b"{", "riga 1, colonna 2"),
        (b'[{"a": 1},\n {"a": }]', "riga 2, colonna 8"),
        (b"{'a': 1}", "riga 1, colonna 2"),
        (b'[{"a": 1}] x', "riga 1, colonna 12"),
        (b'{"a": "aperta', "riga 1, colonna 7"),
        (b"a=1&b=2", "riga 1, colonna 1"),
        (b'[{"a": 01}]', "riga 1, colonna 9"),
        (b'{"a": "\xe8"}', "UTF-8 (byte 7)"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8 (byte 0)"),
        (b'[{"a": NaN}]', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"peso": 1, "x": 2, "peso": 3}', "«peso» compare due volte"),
        (b'[{"a": {"b": 1, "b": 1}}]', "«b» compare due volte"),
        (b'{"\\u0061": 1, "a": 1}', "«a» compare due volte"),
        (b"[" * 100_000, "annidati"),
        (b'{"a":' * 100_000, "annidati"),
    ],
)
def test_refuses_what_is_not_json_and_says_where(body, says):
    with pytest.raises(UnreadableJson) as refusal:
        decode(body)

    assert refusal.value.status_code == 400
    assert refusal.value.detail.code == "json_non_valido"
    assert says in str(refusal.value.detail)


def test_a_sentence_quotes_no_more_than_the_start_of_a_key():
    body = json.dumps({"k" * 9000: 1})
    doubled = re.sub("^{(.*)}$", r"{\1, \1}", body)

    with pytest.raises(UnreadableJson) as refusal:
        decode(doubled.encode())

    assert len(str(refusal.value.detail)) < 200


def nested(levels, inner="1"):
    return ("[" * levels + inner + "]" * levels).encode()


def test_takes_32_levels_and_no_more():
    decode(nested(32))
    with pytest.raises(UnreadableJson, match="annidati"):
        decode(nested(33))


@pytest.mark.parametrize("levels", [33, 200, 400, sys.getrecursionlimit() - 50])
def test_a_deep_value_is_refused_wherever_it_sits(levels):
    body = b'[{"codice_pezzo": "P", "note": ' + nested(levels) + b"}]"

    with pytest.raises(UnreadableJson, match="annidati"):
        decode(body)


# --- The parser -----------------------------------------------------------------------------


def parse(body, media_type="application/json"):
    return RawBodyParser().parse(io.BytesIO(body), media_type)


def test_keeps_the_bytes_beside_the_value():
    body = b'\xef\xbb\xbf[ {"a": 14.0} ]\n'

    parsed = parse(body)

    assert parsed.bytes == body
    assert parsed.json == [{"a": "14.0"}]


@pytest.mark.parametrize("media_type", ["text/plain", "", None, "application/octet-stream", "x"])
def test_reads_json_whatever_the_content_type_says(media_type):
    assert parse(b"[]", media_type).json == []


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_refuses_a_form(media_type):
    with pytest.raises(UnsupportedMediaType) as refusal:
        parse(b'[{"codice_pezzo": "P"}]', media_type)

    assert refusal.value.status_code == 415
    assert refusal.value.detail.code == "tipo_contenuto_non_ammesso"
    assert "modulo" in str(refusal.value.detail)


def test_reads_as_many_bytes_as_are_allowed_and_no_more(settings):
    settings.MAX_BODY_BYTES = 20

    assert parse(b"[]".ljust(20)).json == []
    with pytest.raises(BodyTooLarge) as refusal:
        parse(b"[]".ljust(21))

    assert refusal.value.status_code == 413
    assert refusal.value.default_code == "corpo_troppo_grande"


def test_never_reads_a_whole_body_that_is_too_large(settings):
    settings.MAX_BODY_BYTES = 20
    stream = io.BytesIO(b" " * 1000)

    with pytest.raises(BodyTooLarge):
        RawBodyParser().parse(stream, "application/json")

    assert stream.tell() == 21
