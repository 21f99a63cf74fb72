"""Reading a body, without HTTP: what is JSON, what is not, and where it breaks."""

import gzip
import io
import json
import re
import sys
import tracemalloc
import zlib

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from etlportal.api.errors import (
    ApiError,
    BodyTooLarge,
    TooManyValues,
    UnreadableJson,
    UnsupportedBody,
)
from etlportal.api.json_text import MAX_VALUES, decode
from etlportal.api.parsers import RawBodyParser, is_utf8
from ingestion.reception.payloads import NumberText
from tests.cost import growth


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

    assert refusal.value.status == 400
    assert refusal.value.codice == "json_non_valido"
    assert says in str(refusal.value.messaggio)


def test_a_sentence_quotes_no_more_than_the_start_of_a_key():
    body = json.dumps({"k" * 9000: 1})
    doubled = re.sub("^{(.*)}$", r"{\1, \1}", body)

    with pytest.raises(UnreadableJson) as refusal:
        decode(doubled.encode())

    assert len(str(refusal.value.messaggio)) < 200


def nested(levels, inner="1"):
    return ("[" * levels + inner + "]" * levels).encode()


def test_takes_32_levels_and_no_more():
    decode(nested(32))
    with pytest.raises(UnreadableJson, match="annidati"):
        decode(nested(33))


@pytest.mark.parametrize("inner", ["[", "]" * 40, "\\\\", '\\"[', "{" * 40])
def test_brackets_in_a_text_are_no_levels(inner):
    text = f'["{inner}", "{inner}"]'

    assert decode(text.encode()) == json.loads(text)


@pytest.mark.parametrize("levels", [33, 200, 400, sys.getrecursionlimit() - 50])
def test_a_deep_value_is_refused_wherever_it_sits(levels):
    body = b'[{"codice_pezzo": "P", "note": ' + nested(levels) + b"}]"

    with pytest.raises(UnreadableJson, match="annidati"):
        decode(body)


def test_takes_many_values_and_no_more():
    assert len(decode(b"[" + b"1," * (MAX_VALUES - 1) + b"1]")) == MAX_VALUES
    with pytest.raises(TooManyValues) as refusal:
        decode(b"[" + b"1," * MAX_VALUES + b"1]")

    assert refusal.value.status == 413
    assert refusal.value.codice == "troppi_valori"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5_000_000,
        b"[]," * 3_000_000,
        b'",",' * 2_000_000,
        b'{"a":' * 100_000,
        b'"' * 9_000_000,
    ],
    ids=lambda body: repr(body[:6]),
)
def test_masses_are_refused_before_they_are_made(body):
    def refuse(body):
        with pytest.raises((UnreadableJson, TooManyValues)):
            decode(body)

    tracemalloc.start()
    refuse(body)
    (_, peak) = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 6 * len(body)
    assert growth(refuse, body[: len(body) // 4], body) < 8  # the square would be 16


@pytest.mark.parametrize(
    ("body", "positions"),
    [
        ('[{"a": 1}, {"b": 1, "b": 2}, {"c": 1}, {"d": [{"e": 1, "e": 1}]}]', [(1, "b"), (3, "e")]),
        ('{"a": 1, "a": 2}', [(0, "a")]),
        ('[1, NaN, {"x": -Infinity}]', [(1, "NaN"), (2, "-Infinity")]),
        ('{"value": [1, {"a": 1, "a": 2}]}', [(1, "a")]),
        ('{"value": [1, 2], "x": NaN}', [(0, "NaN")]),
        ('{"a": NaN, "a": NaN}', [(0, "a")]),
        ('[{"\\ud800": 1, "\\ud800": 2}]', [(0, "\ufffd")]),
    ],
)
def test_names_the_records_of_what_json_does_not_say(body, positions):
    with pytest.raises(UnreadableJson) as refusal:
        decode(body.encode())

    details = refusal.value.dettagli
    assert [(detail["indice"], detail["campo"]) for detail in details] == positions
    assert str(refusal.value.messaggio) == f"Record {positions[0][0]}: {details[0]['messaggio']}"


def test_the_list_of_what_is_wrong_is_bounded():
    with pytest.raises(UnreadableJson) as refusal:
        decode(b"[" + b"NaN," * 5000 + b"1]")

    assert len(refusal.value.dettagli) == 100


# --- JSON in a string once more ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[{"a": 14.0}]', [{"a": "14.0"}]),
        ('{"value": []}', {"value": []}),
        ('\ufeff\n {"a": "è"}', {"a": "è"}),
        ('{"a": "\\ud800"}', {"a": "\ud800"}),
        ('{"a": "\ud800"}', {"a": "\ud800"}),
    ],
)
def test_json_in_a_string_is_read(text, value):
    assert decode(json.dumps(text).encode()) == value


@pytest.mark.parametrize("text", ["ciao", "", "3", "null", json.dumps("[]")])
def test_any_other_text_stays_one(text):
    assert decode(json.dumps(text).encode()) == text


@pytest.mark.parametrize("text", ["[1,", "{'a': 1}", '[{"a": NaN}]', "[" * 33 + "]" * 33])
def test_bad_json_in_a_string_is_refused(text):
    with pytest.raises(UnreadableJson):
        decode(json.dumps(text).encode())


# --- The parser -----------------------------------------------------------------------------


def parse(body, media_type="application/json", **headers):
    request = APIRequestFactory().generic("POST", "/", body, headers=headers)
    return RawBodyParser().parse(io.BytesIO(body), media_type, {"request": Request(request)})


def test_keeps_the_bytes_beside_the_value():
    body = b'\xef\xbb\xbf[ {"a": 14.0} ]\n'

    parsed = parse(body)

    assert parsed.bytes == body
    assert parsed.json == [{"a": "14.0"}]


@pytest.mark.parametrize(
    "media_type",
    [
        *(
            "text/plain",
            "",
            None,
            "application/octet-stream",
            "x",
            ";;",
            "application/json;charset",
        ),
        *("application/json; charset=utf-8", 'text/plain; charset="UTF8"', "x; charset='utf_8'"),
        *("application/json; charset=us-ascii", "application/json; odata.metadata=minimal"),
    ],
)
def test_reads_json_whatever_the_content_type_says(media_type):
    assert parse(b"[]", media_type).json == []


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_refuses_a_form(media_type):
    with pytest.raises(UnsupportedBody) as refusal:
        parse(b'[{"codice_pezzo": "P"}]', media_type)

    assert refusal.value.status == 415
    assert refusal.value.codice == "tipo_contenuto_non_ammesso"
    assert "modulo" in str(refusal.value.messaggio)


@pytest.mark.parametrize(
    "media_type",
    [
        *("text/csv", "Text/CSV; charset=utf-8", "application/xml", "text/html"),
        *("application/json; charset=utf-16", "text/plain; charset=latin-1"),
        *("application/json; charset=pippo", "x; charset=" + "y" * 9000, "x; charset=a\x00"),
    ],
)
def test_refuses_another_format_or_character_set(media_type):
    with pytest.raises(UnsupportedBody) as refusal:
        parse(b'[{"codice_pezzo": "P"}]', media_type)

    assert refusal.value.status == 415
    assert "JSON" in str(refusal.value.messaggio)


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "utf_8", " U8 ", '"utf-8"', "ascii"])
def test_utf8_in_any_spelling(charset):
    assert is_utf8(charset)


@pytest.mark.parametrize("size", [0, 1])
def test_no_bytes_are_an_empty_body(size):
    with pytest.raises(UnreadableJson) as refusal:
        parse(b" " * size)

    assert "vuoto" in str(refusal.value.messaggio)


def test_the_empty_start_of_a_chunked_upload_is_named():
    with pytest.raises(ApiError) as refusal:
        parse(b"", **{"x-ms-transfer-mode": "Chunked"})

    assert refusal.value.codice == "invio_a_blocchi"
    assert "x-ms-transfer-mode" in refusal.value.messaggio
    assert "disattivare" in refusal.value.messaggio


# --- Gzip ---------------------------------------------------------------------------------------

PACKED = gzip.compress(b'[{"a": 14.0}]', mtime=0)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", " gzip , identity"])
def test_reads_a_gzip(coding):
    parsed = parse(PACKED, **{"Content-Encoding": coding})

    assert parsed.json == [{"a": "14.0"}]
    assert parsed.bytes == b'[{"a": 14.0}]'


def test_two_gzips_of_one_body_are_one_body():
    earlier = gzip.compress(b"[]", mtime=1)
    later = gzip.compress(b"[]", mtime=2)

    assert earlier != later
    headers = {"Content-Encoding": "gzip"}
    assert parse(earlier, **headers).bytes == parse(later, **headers).bytes


@pytest.mark.parametrize("coding", ["", "identity", "Identity, identity"])
def test_reads_what_is_not_packed(coding):
    assert parse(b"[]", **{"Content-Encoding": coding}).json == []


@pytest.mark.parametrize("parts", [2, 1000])
def test_reads_a_gzip_in_parts(parts):
    packed = gzip.compress(b"[") + gzip.compress(b" ") * (parts - 2) + gzip.compress(b"]")

    assert parse(packed, **{"Content-Encoding": "gzip"}).json == []


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, br"])
def test_refuses_another_coding(coding):
    with pytest.raises(UnsupportedBody) as refusal:
        parse(PACKED, **{"Content-Encoding": coding})

    assert refusal.value.codice == "codifica_non_ammessa"
    assert "gzip" in str(refusal.value.messaggio)


@pytest.mark.parametrize(
    "body",
    [
        *(
            PACKED[:-1],
            PACKED[:12],
            PACKED + PACKED[:5],
            PACKED + b"x",
            b"[]",
            zlib.compress(b"[]"),
        ),
        PACKED[:-8] + b"\x00\x00\x00\x00" + PACKED[-4:],
        PACKED[:15] + b"\xff\xff" + PACKED[17:],
        gzip.compress(b" ", mtime=0) * 1001,
    ],
    ids=range(9),
)
def test_refuses_a_damaged_gzip(body):
    with pytest.raises(ApiError) as refusal:
        parse(body, **{"Content-Encoding": "gzip"})

    assert refusal.value.codice == "gzip_non_valido"


def test_unpacks_as_many_bytes_as_are_allowed_and_no_more(settings):
    settings.MAX_BODY_BYTES = 1000
    headers = {"Content-Encoding": "gzip"}

    assert parse(gzip.compress(b"[]".ljust(1000)), **headers).json == []
    for packed in (gzip.compress(b"[]".ljust(1001)), gzip.compress(b"[]".ljust(501)) * 2):
        with pytest.raises(BodyTooLarge):
            parse(packed, **headers)


def test_a_small_gzip_of_a_huge_body_is_left_packed():
    def bomb(parts):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        return b"".join(packer.compress(bytes(2**24)) for _ in range(parts)) + packer.flush()

    def refuse(body):
        with pytest.raises(BodyTooLarge):
            parse(body, **{"Content-Encoding": "gzip"})

    small, large = bomb(8), bomb(64)
    tracemalloc.start()
    refuse(large)
    (_, peak) = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 50_000_000
    assert growth(refuse, small, large) < 4  # unpacked whole, 8


# --- How many bytes -----------------------------------------------------------------------------


def test_a_body_announced_too_large_is_not_read():
    class Untouchable(io.BytesIO):
        def read(self, *args):
            raise AssertionError("the body was read")

    request = APIRequestFactory().generic("POST", "/")
    request.META["CONTENT_LENGTH"] = str(10 * 1024 * 1024 + 1)
    with pytest.raises(BodyTooLarge):
        RawBodyParser().parse(Untouchable(), "", {"request": Request(request)})


@pytest.mark.parametrize(("announced", "code"), [("3", "corpo_incompleto"), ("2", None)])
def test_a_body_shorter_than_announced_is_refused(announced, code):
    request = APIRequestFactory().generic("POST", "/")
    request.META["CONTENT_LENGTH"] = announced
    context = {"request": Request(request)}
    if code is None:
        assert RawBodyParser().parse(io.BytesIO(b"[]"), "", context).json == []
        return
    with pytest.raises(ApiError) as refusal:
        RawBodyParser().parse(io.BytesIO(b"[]"), "", context)
    assert refusal.value.codice == code


def test_reads_as_many_bytes_as_are_allowed_and_no_more(settings):
    settings.MAX_BODY_BYTES = 20

    assert parse(b"[]".ljust(20)).json == []
    with pytest.raises(BodyTooLarge) as refusal:
        parse(b"[]".ljust(21))

    assert refusal.value.status == 413
    assert refusal.value.codice == "corpo_troppo_grande"


def test_never_reads_a_whole_body_that_is_too_large(settings):
    settings.MAX_BODY_BYTES = 20
    stream = io.BytesIO(b" " * 1000)

    with pytest.raises(BodyTooLarge):
        RawBodyParser().parse(stream, "application/json")

    assert stream.tell() == 21
