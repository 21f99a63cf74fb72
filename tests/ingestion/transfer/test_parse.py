"""Text to types, form by form of docs/regole.md, "Lettura"."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ingestion.transfer.parse import Declared, parse, read_avvisi, read_declared
from production.reading import (
    Unreadable,
    as_integer,
    as_text,
    present,
    read_integer,
    read_number,
    shorten,
)
from production.timestamps import (
    SKIPPED_HOUR,
    TOO_OLD,
    UNKNOWN_FORM,
    DoubleHour,
    read_timestamp,
    utc_to_plant,
)
from tests.builders import make_raw_record
from tests.cost import growth

MISSING = [
    "",
    " ",
    "\xa0",
    "\t\n",
    "null",
    "NULL",
    " Null ",
    "N/D",
    "n/d",
    "#N/A",
    "#N/D",
    "#n/a\xa0",
]


@pytest.mark.parametrize("text", [None, *MISSING])
def test_missing_words_are_none_in_every_field(text):
    fields = [
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
    ]
    parsed = parse(make_raw_record(**dict.fromkeys(fields, text)))
    assert {field: getattr(parsed, field) for field in fields} == dict.fromkeys(fields)


@pytest.mark.parametrize("text", ["0", "-", "N.D.", "nulla", "none", "NA", "#N/A!"])
def test_other_words_are_not_missing(text):
    assert present(text) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", "12"),
        ("12.5", "12.5"),
        ("12,5", "12.5"),
        ("-12,5", "-12.5"),
        ("1054.5", "1054.5"),
        ("1.054,5", "1054.5"),
        ("1.054,50", "1054.50"),
        ("1054,50", "1054.50"),
        ("1.234.567,8", "1234567.8"),
        ("1.054", "1.054"),
        ("1,054", "1.054"),
        ("1.4e1", "14"),
        ("1.4E+01", "14"),
        ("14e-1", "1.4"),
        ("+3", "3"),
        (".5", "0.5"),
        ("0", "0"),
        (" 12,5\xa0", "12.5"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("5e-324", "5e-324"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
    ],
)
def test_numbers_are_read_exactly(text, number):
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "nan",
        "sNaN",
        "Infinity",
        "-inf",
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999",
        "0e99999999999999999999",
        "true",
        "false",
        "True",
        "1_000",
        "12,5 kg",
        "€ 5,00",
        "$1,234.50",
        "1,234.50",
        "1.05,4",
        "1.0544,5",
        "0.054,5",
        "12,",
        "1,2,3",
        "1 054",
        "1\xa0054,5",
        "0x10",
        "--1",
        "e5",
        ".",
        "٣",
        "１２",
        "²",
        "−5",
        "undici",
        "=1+1",
        "\x00",
        "\ud83d",
    ],
)
def test_what_is_no_number_is_unreadable(text):
    assert read_number(text) == Unreadable(text.strip())
    assert read_integer(text) == Unreadable(text.strip())


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("3.0", 3), ("3,0", 3), ("3,00", 3), ("0", 0), ("-0.0", 0), ("3e0", 3), ("-7", -7)],
)
def test_whole_numbers(text, number):
    read = read_integer(text)
    assert (read, type(read)) == (number, int)


@pytest.mark.parametrize("text", ["3.5", "3,5", "1e-3"])
def test_a_fraction_is_no_whole_number(text):
    assert read_integer(text) == Unreadable(text)


@pytest.mark.parametrize(
    "text",
    ["9" * 5_000, "9" * 1_000_000, "1" * 200_000 + "x"],
    ids=["5,000", "1,000,000", "200,000 and a letter"],
)
def test_thousands_of_digits_are_refused(text):
    assert isinstance(read_integer(text), Unreadable)
    assert isinstance(read_timestamp(text), Unreadable)


@pytest.mark.parametrize("read", [read_integer, read_timestamp])
def test_the_work_for_digits_grows_with_their_number_alone(read):
    assert growth(read, "9" * 250_000, "9" * 1_000_000) < 8  # the square would be 16


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # ISO 8601 with an offset
        ("2024-12-20T10:00:00Z", utc(2024, 12, 20, 10)),
        ("2024-12-20T10:00:00z", utc(2024, 12, 20, 10)),
        ("2024-12-20t10:00:00Z", utc(2024, 12, 20, 10)),
        ("2024-12-20 10:00:00Z", utc(2024, 12, 20, 10)),
        ("2024-12-20T10:00Z", utc(2024, 12, 20, 10)),
        ("2024-12-20T10:00:00+01:00", utc(2024, 12, 20, 9)),
        ("2024-12-20T10:00:00+0100", utc(2024, 12, 20, 9)),
        ("2024-12-20T10:00:00+01", utc(2024, 12, 20, 9)),
        ("2024-12-20 10:00:00 +01:00", utc(2024, 12, 20, 9)),
        ("2024-12-20T23:30:00-05:30", utc(2024, 12, 21, 5)),
        ("2024-12-20T10:00:00-00:00", utc(2024, 12, 20, 10)),
        # decimals: none to nine, cut (not rounded) to microseconds
        ("2024-12-20T10:00:00.5Z", utc(2024, 12, 20, 10, 0, 0, 500_000)),
        ("2024-12-20T10:00:00,5Z", utc(2024, 12, 20, 10, 0, 0, 500_000)),
        ("2024-12-20T10:00:00.0000000Z", utc(2024, 12, 20, 10)),
        ("2024-12-20T10:00:00.1234569Z", utc(2024, 12, 20, 10, 0, 0, 123_456)),
        ("2024-12-20T10:00:00.123456999Z", utc(2024, 12, 20, 10, 0, 0, 123_456)),
        # no offset: plant time, UTC+1 in winter and UTC+2 in summer
        ("2024-12-20T10:00:00.0000000", utc(2024, 12, 20, 9)),
        ("2024-12-20 10:00:00", utc(2024, 12, 20, 9)),
        ("2024-12-20 10:00:00.25", utc(2024, 12, 20, 9, 0, 0, 250_000)),
        ("2024-12-20 10:00", utc(2024, 12, 20, 9)),
        ("2024-07-20 10:00:00", utc(2024, 7, 20, 8)),
        (" 2024-12-20 10:00:00\xa0", utc(2024, 12, 20, 9)),
        # Italian
        ("20/12/2024 10:00", utc(2024, 12, 20, 9)),
        ("20/12/2024 10:00:30", utc(2024, 12, 20, 9, 0, 30)),
        ("20/07/2024 10:00", utc(2024, 7, 20, 8)),
        ("01/02/2024 10:00", utc(2024, 2, 1, 9)),
        # spreadsheet serial: days of plant time since 1899-12-30, to the nearest second
        ("45646.41667", utc(2024, 12, 20, 9)),
        ("45646.416666666664", utc(2024, 12, 20, 9)),
        ("45646,41667", utc(2024, 12, 20, 9)),
        ("45646", utc(2024, 12, 19, 23)),
        ("45646.0", utc(2024, 12, 19, 23)),
        ("45646.5", utc(2024, 12, 20, 11)),
        ("45646.999999", utc(2024, 12, 20, 23)),
        ("45493.41667", utc(2024, 7, 20, 8)),
        # the year 2000, as written
        ("2000-01-01T00:00:00Z", utc(2000, 1, 1)),
        ("2000-01-01 00:00:00", utc(1999, 12, 31, 23)),
        ("01/01/2000 00:00", utc(1999, 12, 31, 23)),
        ("36526", utc(1999, 12, 31, 23)),
        # around the clock changes
        ("2024-03-31 01:59:59", utc(2024, 3, 31, 0, 59, 59)),
        ("2024-03-31 03:00:00", utc(2024, 3, 31, 1)),
        ("2024-03-31T02:30:00Z", utc(2024, 3, 31, 2, 30)),
        ("2024-10-27 01:59:59", utc(2024, 10, 26, 23, 59, 59)),
        ("2024-10-27 03:00:00", utc(2024, 10, 27, 2)),
        ("2024-10-27T02:30:00+01:00", utc(2024, 10, 27, 1, 30)),
        # the far future is read; the rules refuse it
        ("9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59)),
        ("9999-12-31 23:59:59", utc(9999, 12, 31, 22, 59, 59)),
    ],
)
def test_timestamps_are_read_to_utc(text, moment):
    read = read_timestamp(text)
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    ("text", "motivo"),
    [
        ("boh", UNKNOWN_FORM),
        ("0000-00-00 00:00:00", UNKNOWN_FORM),
        ("2024-12-20", UNKNOWN_FORM),
        ("20/12/2024", UNKNOWN_FORM),
        ("10:00:00", UNKNOWN_FORM),
        ("2024-13-01T10:00:00Z", UNKNOWN_FORM),
        ("2024-02-30T10:00:00Z", UNKNOWN_FORM),
        ("2024-12-20T24:00:01Z", UNKNOWN_FORM),
        ("2024-12-20T10:60:00Z", UNKNOWN_FORM),
        ("2024-12-20T10:00:60Z", UNKNOWN_FORM),
        ("2024-12-20T10:00:00.1234567890Z", UNKNOWN_FORM),
        ("2024-12-20T10:00:00+24:00", UNKNOWN_FORM),
        ("2024-12-20T10:00:00 Europe/Rome", UNKNOWN_FORM),
        ("2024-W51-5T10:00:00", UNKNOWN_FORM),
        ("20241220T100000Z", UNKNOWN_FORM),
        ("2024-12-20T10", UNKNOWN_FORM),
        ("2024-12-20T٣0:00:00Z", UNKNOWN_FORM),
        ("12/31/2024 10:00", UNKNOWN_FORM),
        ("31/02/2024 10:00", UNKNOWN_FORM),
        ("1/2/2024 10:00", UNKNOWN_FORM),
        ("20/12/24 10:00", UNKNOWN_FORM),
        ("20/12/2024 10:00 PM", UNKNOWN_FORM),
        ("1734688800", UNKNOWN_FORM),
        ("3000000", UNKNOWN_FORM),
        ("-45646.41667", UNKNOWN_FORM),
        ("NaN", UNKNOWN_FORM),
        ("true", UNKNOWN_FORM),
        ("9999-12-31T23:59:59-01:00", UNKNOWN_FORM),
        ("1999-12-31T23:59:59Z", TOO_OLD),
        ("1999-12-31 23:59:59", TOO_OLD),
        ("31/12/1999 23:59:59", TOO_OLD),
        ("36525.99998", TOO_OLD),
        ("0001-01-01T00:00:00+14:00", TOO_OLD),
        ("2024-03-31 02:00:00", SKIPPED_HOUR),
        ("31/03/2024 02:30", SKIPPED_HOUR),
        ("2024-03-31T02:59:59.999999", SKIPPED_HOUR),
        ("45382.104167", SKIPPED_HOUR),
    ],
)
def test_other_timestamps_are_unreadable(text, motivo):
    assert read_timestamp(text) == Unreadable(text, motivo)


@pytest.mark.parametrize("text", ["2024-10-27 02:30:00", "27/10/2024 02:30", "45592.104167"])
def test_the_double_hour_keeps_both_moments(text):
    first, second = utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 1, 30)
    assert read_timestamp(text) == DoubleHour(first, second)


def test_utc_to_plant_gives_naive_wall_time_and_keeps_microseconds():
    assert utc_to_plant(utc(2024, 7, 1, 10, 0, 0, 7)) == datetime(2024, 7, 1, 12, 0, 0, 7)  # noqa: DTZ001
    second_occurrence = utc_to_plant(utc(2024, 10, 27, 1, 30))
    assert (second_occurrence.isoformat(), second_occurrence.fold) == ("2024-10-27T02:30:00", 0)


def test_codes_are_trimmed_and_keep_their_case():
    parsed = parse(make_raw_record(codice_pezzo="\xa0 pZc 01\u2003", codice_operatore="È\n"))
    assert (parsed.codice_pezzo, parsed.codice_operatore) == ("pZc 01", "È")


def test_words_are_trimmed_and_case_folded():
    parsed = parse(make_raw_record(tipo_operazione=" FORGIATURA\xa0", tipo_fermo="STRASSE ẞ"))
    assert (parsed.tipo_operazione, parsed.tipo_fermo) == ("forgiatura", "strasse ss")


def test_every_field_is_read_although_all_are_wrong():
    wrong = dict.fromkeys(
        ["id_ordine", "timestamp_inizio", "timestamp_fine", "peso_effettivo", "numero_pezzi_ora"],
        "x",
    )
    parsed = parse(make_raw_record(**wrong))
    assert all(isinstance(getattr(parsed, field), Unreadable) for field in wrong)


def test_the_record_as_received_is_kept():
    raw = make_raw_record(peso_effettivo=" 11,50 ")
    assert parse(raw).raw is raw


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (3.0, 3),
        ("3", 3),
        (" 3.0 ", 3),
        (-1, -1),
        (3.5, None),
        (True, None),
        (False, None),
        ("true", None),
        ("x", None),
        ("", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**308, None),
        ([3], None),
        ({"id": 3}, None),
    ],
)
def test_whole_numbers_of_json(value, number):
    assert as_integer(value) == number


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (None, Declared()),
        ("", Declared()),
        ("null", Declared()),
        ("N/D", Declared()),
        ([], Declared()),
        ([{"id": 3}], Declared((3,))),
        ([{"id": "3"}, {"id": 4.0}], Declared((3, 4))),
        ([{"id": 3, "testo": "x"}], Declared((3,))),
        ([{"id": 3}, {"id": 4}, {"id": 3}], Declared((3, 4))),
        ([{"id": 3}, 4], Declared((3,), malformed=True)),
        ([{"id": 3}, None], Declared((3,), malformed=True)),
        ([{"id": 3}, {}], Declared((3,), malformed=True)),
        ([{"id": None}], Declared(malformed=True)),
        ([{"id": True}], Declared(malformed=True)),
        ([{"id": 3.5}], Declared(malformed=True)),
        ([[{"id": 3}]], Declared(malformed=True)),
        ({"id": 3}, Declared(malformed=True)),
        ("3", Declared(malformed=True)),
        (3, Declared(malformed=True)),
        (0, Declared(malformed=True)),
        (False, Declared(malformed=True)),
        ([{"id": n} for n in range(100)], Declared(tuple(range(100)))),
        ([{"id": n} for n in range(101)], Declared(tuple(range(100)), malformed=True)),
    ],
)
def test_declared_anomalies(value, declared):
    assert read_declared(value) == declared


@pytest.mark.parametrize(
    ("value", "avvisi"),
    [
        (None, []),
        ([], []),
        ([{"campo": "note", "motivo": "m", "valore": "v"}], [("note", "m", "v")]),
        ({"campo": "note", "motivo": "m", "valore": "v"}, [("note", "m", "v")]),
        ([{"campo": "note"}], [("note", None, None)]),
        ([{"campo": 3, "motivo": None, "valore": 1.5}], [("3", None, "1.5")]),
        (["testo", 7], [(None, None, "testo"), (None, None, "7")]),
        (7, [(None, None, "7")]),
    ],
)
def test_avvisi_of_any_shape(value, avvisi):
    assert [tuple(avviso) for avviso in read_avvisi(value)] == avvisi


def test_only_the_first_hundred_avvisi_are_read():
    assert len(read_avvisi([{"campo": str(n)} for n in range(200)])) == 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 499 + "…"),
        ("a\x00b\ud83dc", "a\ufffdb\ufffdc"),
    ],
)
def test_shown_text_is_bounded_and_storable(text, shown):
    assert shorten(text) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [("è", "è"), ([{"id": "è"}], '[{"id": "è"}]'), ([10**5000], "(list)"), ({1, 2}, "(set)")],
)
def test_json_values_as_text(value, text):
    assert as_text(value) == text
