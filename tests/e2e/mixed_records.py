"""Mixed plant records, and what must be stored of each: written down, not computed by our code.

A record is first one as the plant sends it; then some of its fields are replaced by the rows of
``CHANGES``, which say for a value as written what must be stored and which anomalies tell it:
the table of docs/regole.md, "Convalida", row by row, both sides of each limit. What follows from
the stored values (duration, deviations, pieces, out of specification) is computed here, with
fractions, a second time and independently of the portal.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

ROME = ZoneInfo("Europe/Rome")
PLANT = Path(__file__).parents[2] / "production/fixtures/impianto_demo.json"

# Master data that the tests add to the demo plant.
ORDER = 7001
PIECE_NAMED_BY_A_NUMBER = "8"
REFUSED_MACHINE = "RIFIUTATA"  # known, but a constraint that the tests add to MySQL refuses it

VALIDAZIONE, MACCHINA = "VALIDAZIONE", "MACCHINA"
FORGE, CNC = "forgiatura", "cnc"
ABSENT = object()
SENT = object()  # the anomaly's value is the changed field as it was sent
JUDGED_FOR = {
    FORGE: ("peso_effettivo", "temperatura_effettiva"),
    CNC: ("numero_pezzi_ora", "tipo_fermo"),
}


@dataclass(frozen=True)
class Number:
    """A JSON number that Python has no value for; ``str`` of it stands in the body."""

    text: str


class Anomaly(NamedTuple):
    id_anomalia: int
    campo: str
    valore: Any = SENT
    origine: str = VALIDAZIONE


@dataclass
class Expected:
    """What must be in MySQL: ``fields`` by column, date-times naive and in plant time."""

    fields: dict[str, Any]
    anomalies: list[Anomaly] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    refused: bool = False  # MySQL itself does not take the row
    # Real seconds between start and end, where the two wall clocks do not tell.
    seconds: int | None = None


@dataclass
class Case:
    """A record as sent and what must come of it."""

    sent: dict[str, Any]
    expected: Expected


class Change(NamedTuple):
    """Fields as written, fields as stored, and the anomalies that must tell the difference.

    ``kind``: for which operations; None = for both.
    """

    written: dict[str, Any]
    stored: dict[str, Any]
    anomalies: tuple[Anomaly, ...] = ()
    kind: str | None = None
    others: dict[str, Any] = {}
    seconds: int | None = None


def at(year: int, month: int, day: int, hour: int, *rest: int) -> datetime:
    return datetime(year, month, day, hour, *rest)  # noqa: DTZ001 - plant time, as MySQL keeps it


def _start(written: Any, stored: Any, *anomalies: Anomaly) -> Change:
    """A start as written; the end is set two hours after 10:00 of 20 December 2024."""
    end = {"timestamp_fine": "2024-12-20T12:00:00+01:00"}
    return Change(
        {"timestamp_inizio": written} | end,
        {"timestamp_inizio": stored, "timestamp_fine": at(2024, 12, 20, 12)},
        anomalies,
    )


def _times(start: Any, end: Any, stored: tuple[Any, Any], *anomalies: Anomaly) -> Change:
    return Change(
        {"timestamp_inizio": start, "timestamp_fine": end},
        dict(zip(("timestamp_inizio", "timestamp_fine"), stored, strict=True)),
        anomalies,
    )


def _null(campo: str, written: Any, number: int, kind: str | None = None) -> Change:
    return Change({campo: written}, {campo: None}, (Anomaly(number, campo),), kind)


def _kept(campo: str, written: Any, stored: Any, kind: str | None = None) -> Change:
    return Change({campo: written}, {campo: stored}, (), kind)


def _of(piece: str, campo: str, value: float, anomaly: int | None) -> Change:
    """A measure of a piece, and its anomaly of the second layer; all of it is kept."""
    told = () if anomaly is None else (Anomaly(anomaly, campo),)
    change = {"codice_pezzo": piece, campo: value}
    return Change(change, change, told, FORGE)


WRONG_TIME = Anomaly(1, "timestamp_inizio")
TEN, NOON = at(2024, 12, 20, 10), at(2024, 12, 20, 12)
DAY_LATER = at(2024, 12, 21, 10)
LONG = Anomaly(107, "timestamp_fine")
MEASURES = (("peso_effettivo", 2), ("temperatura_effettiva", 3))
NO_NUMBERS = (
    *("dodici", "12,5 kg", "NaN", "Infinity", "-Infinity", "1_000", "1.2.3", "0x10", "１２"),
    *(True, False, [1, 2], {"valore": 12}, Number("1e400"), Number("-1e400")),
)
NO_VALUES = (None, ABSENT, "", "   ", "null", "NULL", "N/D", "#N/A")

TIME_CHANGES = (
    _start("2024-12-20T10:00:00+01:00", TEN),
    _start("2024-12-20T09:00:00Z", TEN),
    _start("2024-12-20 10:00:00", TEN),
    _start("2024-12-20T10:00:00", TEN),
    _start("  2024-12-20T10:00:00 ", TEN),
    _start("2024-12-20T04:00:00-05:00", TEN),
    _start("2024-12-20T09:00:00.1234567Z", at(2024, 12, 20, 10, 0, 0, 123456)),
    _start("2024-12-20T09:00:00.123456789Z", at(2024, 12, 20, 10, 0, 0, 123456)),
    _start("2024-12-20T09:00:00.5Z", at(2024, 12, 20, 10, 0, 0, 500000)),
    _start("20/12/2024 10:00", TEN),
    _start("20/12/2024 10:00:30", at(2024, 12, 20, 10, 0, 30)),
    _start("45646.41667", TEN),
    _start("31/02/2024 10:00", None, WRONG_TIME),
    _start("2024-13-01T10:00:00Z", None, WRONG_TIME),
    _start("ieri mattina", None, WRONG_TIME),
    _start("2024-03-31 02:30:00", None, WRONG_TIME),  # the clock skips that hour
    _start("1999-12-31T23:59:59", None, WRONG_TIME),
    _start(True, None, WRONG_TIME),
    *(_start(nothing, None, WRONG_TIME) for nothing in NO_VALUES),
    _times("2000-01-01T00:00:00", "2000-01-01T01:00:00", (at(2000, 1, 1, 0), at(2000, 1, 1, 1))),
    *(
        Change(
            {"timestamp_fine": nothing},
            {"timestamp_fine": None},
            (Anomaly(108, "timestamp_fine"),),
        )
        for nothing in NO_VALUES
    ),
    _times(
        "2024-12-20T12:00:00+01:00",
        "2024-12-20T11:59:59+01:00",
        (NOON, None),
        Anomaly(1, "timestamp_fine"),
    ),
    _times("2024-12-20T10:00:00+01:00", "2024-12-20T10:00:00+01:00", (TEN, TEN)),
    _times("2024-12-20T10:00:00+01:00", "2024-12-21T10:00:00+01:00", (TEN, DAY_LATER)),
    _times(
        "2024-12-20T10:00:00+01:00",
        "2024-12-21T10:00:01+01:00",
        (TEN, at(2024, 12, 21, 10, 0, 1)),
        LONG,
    ),
    # The hour that the clock shows twice: 02:10 after 02:50 can only be the second one.
    _times(
        "2024-10-27T02:50:00",
        "2024-10-27T02:10:00",
        (at(2024, 10, 27, 2, 50), at(2024, 10, 27, 2, 10)),
    )._replace(seconds=20 * 60),
    _times(
        "2024-10-27T02:10:00",
        "2024-10-27T03:10:00",
        (at(2024, 10, 27, 2, 10), at(2024, 10, 27, 3, 10)),
    )._replace(seconds=2 * 3600),
)

WEIGHT_CHANGES = (
    *(_null("peso_effettivo", value, 2, FORGE) for value in (0, -5, 1000.001, "1.054,5")),
    *(
        Change({"codice_pezzo": "PZC12", "peso_effettivo": written}, stored, (), FORGE)
        for written, stored in (
            (0.001, {"codice_pezzo": "PZC12", "peso_effettivo": 0.001}),
            (1000, {"codice_pezzo": "PZC12", "peso_effettivo": 1000.0}),
            ("12,5", {"codice_pezzo": "PZC12", "peso_effettivo": 12.5}),
            (" 12.50 ", {"codice_pezzo": "PZC12", "peso_effettivo": 12.5}),
            (Number("1.25e1"), {"codice_pezzo": "PZC12", "peso_effettivo": 12.5}),
            ("1.054", {"codice_pezzo": "PZC12", "peso_effettivo": 1.054}),
        )
    ),
    _of("PZC02", "peso_effettivo", 11, None),
    _of("PZC02", "peso_effettivo", 13.0, None),
    _of("PZC02", "peso_effettivo", 10.999, 102),
    _of("PZC02", "peso_effettivo", 13.001, 102),
)

TEMPERATURE_CHANGES = (
    *(_null("temperatura_effettiva", value, 3, FORGE) for value in (699.9, 1200.1, -300, 0)),
    *(
        Change({"codice_pezzo": "PZC12", "temperatura_effettiva": written}, stored, (), FORGE)
        for written, stored in (
            (700, {"codice_pezzo": "PZC12", "temperatura_effettiva": 700.0}),
            (1200.0, {"codice_pezzo": "PZC12", "temperatura_effettiva": 1200.0}),
            ("1.054,5", {"codice_pezzo": "PZC12", "temperatura_effettiva": 1054.5}),
            ("1054,50", {"codice_pezzo": "PZC12", "temperatura_effettiva": 1054.5}),
        )
    ),
    _of("PZC02", "temperatura_effettiva", 950, None),
    _of("PZC02", "temperatura_effettiva", 1150.0, None),
    _of("PZC02", "temperatura_effettiva", 949.9, 103),
    _of("PZC02", "temperatura_effettiva", 1150.1, 103),
)

MEASURE_CHANGES = tuple(
    _null(campo, written, number, FORGE)
    for campo, number in MEASURES
    for written in (*NO_NUMBERS, *NO_VALUES)
)

RATE_CHANGES = (
    *(
        _kept("numero_pezzi_ora", written, stored, CNC)
        for written, stored in ((0, 0), (10_000, 10_000), ("3", 3), (3.0, 3), ("3,0", 3), (30, 30))
    ),
    *(_kept("numero_pezzi_ora", nothing, None, CNC) for nothing in NO_VALUES),
    *(
        _null("numero_pezzi_ora", wrong, 104, CNC)
        for wrong in (-1, 10_001, 2.5, 9_999_999_999, *NO_NUMBERS)
    ),
)

STOP_CHANGES = (
    *(
        _kept("tipo_fermo", written, stored, CNC)
        for written, stored in (
            ("none", "NESSUNO"),
            ("nessun_fermo", "NESSUNO"),
            (" UTENSILE ", "UTENSILE"),
            ("guasto_meccanico", "GUASTO_MECCANICO"),
            ("Qualità", "QUALITA"),
            *((nothing, "NESSUNO") for nothing in NO_VALUES),
        )
    ),
    *(
        Change({"tipo_fermo": written}, {"tipo_fermo": "ALTRO"}, (Anomaly(105, "tipo_fermo"),), CNC)
        for written in ("mistero", "perché? ☕", 7, True)
    ),
)

TYPE_CHANGES = (
    _kept("tipo_operazione", " Forgiatura ", FORGE, FORGE),
    _kept("tipo_operazione", "CNC", CNC, CNC),
    *(_null("tipo_operazione", wrong, 101) for wrong in ("tornitura", "forgiatura cnc", 1)),
    *(_null("tipo_operazione", nothing, 101) for nothing in NO_VALUES),
)

REFERENCE_CHANGES = (
    _kept("id_ordine", ORDER, ORDER),
    _kept("id_ordine", str(ORDER), ORDER),
    *(_null("id_ordine", wrong, 106) for wrong in (999_999, "abc", -1, 2**70, 1.5, True)),
    _kept("codice_pezzo", 8, PIECE_NAMED_BY_A_NUMBER),
    _kept("codice_operatore", " OOP1\u00a0", "OOP1"),
    *(
        _null(campo, wrong, 106)
        for campo, wrong_codes in (
            ("codice_pezzo", ("PZC99", "pzc01", "Pżc01", "008", "PZC\u0000", "PZC\ud83d")),
            ("codice_macchinario", ("FRG99", "frg01", "=1+1", "x" * 50)),
            ("codice_operatore", ("OOP99", "ÒOP1", "OOP 1", "<script>alert(1)</script>")),
        )
        for wrong in wrong_codes
    ),
    *(
        _kept(campo, nothing, None)
        for campo in ("id_ordine", "codice_pezzo", "codice_macchinario", "codice_operatore")
        for nothing in NO_VALUES
    ),
    *(
        _null(campo, "x" * 51, 999)
        for campo in ("codice_pezzo", "codice_macchinario", "codice_operatore")
    ),
)


def _declared(written: Any, *anomalies: Anomaly) -> Change:
    return Change({"anomalia": written}, {}, anomalies)


DECLARED_CHANGES = (
    _declared(None),
    _declared([]),
    _declared([{"id": 3}], Anomaly(3, "anomalia", "3", MACCHINA)),
    _declared(
        [{"id": 4}, {"id": 77}],
        Anomaly(4, "anomalia", "4", MACCHINA),
        Anomaly(999, "anomalia", "77", MACCHINA),
    ),
    _declared("rotta", Anomaly(4, "anomalia")),
    _declared({"id": 3}, Anomaly(4, "anomalia")),
    _declared([3], Anomaly(4, "anomalia")),
    _declared([{"id": 1}, "x"], Anomaly(1, "anomalia", "1", MACCHINA), Anomaly(4, "anomalia")),
)

UNKNOWN_CHANGES = tuple(
    Change(others, {}, anomalies, None, kept)
    for others, kept, anomalies in (
        ({"tipo_acciaio": "1"}, {"tipo_acciaio": "1"}, ()),
        ({"Città": {"è": ["😀", None, 1.5, True]}}, {"Città": {"è": ["😀", None, 1.5, True]}}, ()),
        ({"e\u0301": "decomposta"}, {"e\u0301": "decomposta"}, ()),
        ({"turno": "a\u0000b"}, {"turno": "a\ufffdb"}, (Anomaly(999, "turno", "a\ufffdb"),)),
        ({"turno": "x\ud83d"}, {"turno": "x\ufffd"}, (Anomaly(999, "turno", "x\ufffd"),)),
        ({"lordo": Number("1e400")}, {"lordo": "1e400"}, (Anomaly(999, "lordo", "1e400"),)),
        ({"'; DROP TABLE operazioni; --": 1}, {"'; DROP TABLE operazioni; --": 1}, ()),
    )
)

# Fields of the other kind of operation are not judged.
IGNORED_CHANGES = (
    Change({"numero_pezzi_ora": "boh", "tipo_fermo": "mistero"}, {}, (), FORGE),
    Change({"peso_effettivo": -1, "temperatura_effettiva": "caldo"}, {}, (), CNC),
)

CHANGES = (
    *(TIME_CHANGES + WEIGHT_CHANGES + TEMPERATURE_CHANGES + MEASURE_CHANGES + RATE_CHANGES),
    *(STOP_CHANGES + TYPE_CHANGES + REFERENCE_CHANGES + DECLARED_CHANGES + UNKNOWN_CHANGES),
    *IGNORED_CHANGES,
)

# Faults of the records as the plant sends them: value as written → value stored, anomaly.
PLANT_FAULTS: dict[tuple[str, Any], tuple[Any, int]] = {
    ("temperatura_effettiva", 1350): (None, 3),
    ("peso_effettivo", 0): (None, 2),
    ("peso_effettivo", "12,5 kg"): (None, 2),
    ("timestamp_fine", None): (None, 108),
    ("timestamp_inizio", "31/02/2024 10:00"): (None, 1),
    ("codice_operatore", "OOP99"): (None, 106),
    ("tipo_fermo", "mistero"): ("ALTRO", 105),
    ("numero_pezzi_ora", -1): (None, 104),
}
PLANT_FAULT_RATE = 0.03
CYCLE = timedelta(minutes=10)


class Limits(NamedTuple):
    peso: tuple[Decimal, Decimal] | None
    temperatura: tuple[Decimal, Decimal] | None


def _limits_of_pieces() -> dict[str, Limits]:
    def pair(fields: dict[str, Any], name: str) -> tuple[Decimal, Decimal] | None:
        low, high = fields[f"{name}_min"], fields[f"{name}_max"]
        return None if low is None else (Decimal(low), Decimal(high))

    return {
        row["pk"]: Limits(pair(row["fields"], "peso"), pair(row["fields"], "temperatura"))
        for row in json.loads(PLANT.read_text())
        if row["model"] == "production.pezzo"
    }


LIMITS = _limits_of_pieces()
PIECES = tuple(LIMITS)


def plant_records(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Records as the plant sends them: each ten minutes from 1 March 2024 on, a forging and a
    machining; some out of specification, some with a fault.
    """
    rng = random.Random(seed)
    for number in range(count):
        begin = datetime(2024, 3, 1, tzinfo=UTC) + number // 2 * CYCLE
        record = {
            "codice_pezzo": rng.choice(PIECES),
            "codice_operatore": rng.choice(("OOP1", "OOP2", "OOP3", "OOP4")),
            "timestamp_inizio": begin.isoformat(),
            "timestamp_fine": (begin + CYCLE).isoformat(),
        }
        record |= _machined(rng) if number % 2 else _forged(rng, LIMITS[record["codice_pezzo"]])
        if rng.random() < PLANT_FAULT_RATE:
            campo, value = rng.choice([fault for fault in PLANT_FAULTS if fault[0] in record])
            record[campo] = value
        yield record


def _forged(rng: random.Random, limits: Limits) -> dict[str, Any]:
    low, high = limits.peso or (10, 14)
    cold, hot = limits.temperatura or (900, 1100)
    return {
        "tipo_operazione": FORGE,
        "codice_macchinario": rng.choice(("FRG01", "FRG02")),
        "peso_effettivo": _around(rng, low, high, 3),
        "temperatura_effettiva": _around(rng, cold, hot, 1),
    }


def _machined(rng: random.Random) -> dict[str, Any]:
    stopped = rng.random() < 0.08
    return {
        "tipo_operazione": CNC,
        "codice_macchinario": rng.choice(("CNC01", "CNC02")),
        "numero_pezzi_ora": 0 if stopped else rng.randint(1, 3),
        "tipo_fermo": rng.choice(("UTENSILE", "PAUSA")) if stopped else "NESSUNO",
    }


def _around(rng: random.Random, low: Any, high: Any, places: int) -> float:
    """Normal around the middle; about 1 in 100 is out of the limits."""
    low, high = float(low), float(high)
    return round(rng.gauss((low + high) / 2, (high - low) / 5.2), places)


def mixed_cases(count: int, seed: int = 1) -> list[Case]:
    """Every change alone, then single records, several changes at once and equal records."""
    rng = random.Random(seed)
    records = plant_records(4 * count, seed)
    cases = [_changed(records, change) for change in (*CHANGES, *_changes_of_now())]
    cases += [_refused(records) for _ in range(5)]
    while len(cases) < count:
        case = _plain(next(records))
        if rng.random() < 0.3:
            _spoil(case, rng)
        cases.append(case)
        if rng.random() < 0.02:
            cases.append(deepcopy(case))
    del cases[count:]
    rng.shuffle(cases)
    return cases


def body_of(cases: list[Case]) -> bytes:
    """The JSON body that holds the cases' records, in their order."""
    return b"[" + b",\n".join(_json_of(case.sent) for case in cases) + b"]"


def _json_of(record: dict[str, Any]) -> bytes:
    """UTF-8; escapes only in a record with half a surrogate pair, which UTF-8 cannot hold."""
    try:
        text = json.dumps(record, default=_stand_in, ensure_ascii=False)
        return _NUMBER.sub(r"\1", text).encode()
    except UnicodeEncodeError:
        return _NUMBER.sub(r"\1", json.dumps(record, default=_stand_in)).encode()


_NUMBER = re.compile('"@number (.*?)@"')


def _stand_in(value: Number) -> str:
    return f"@number {value.text}@"


def _changes_of_now() -> list[Change]:
    """Both sides of "not after reception + 60 minutes", with minutes to spare for the test."""
    now = datetime.now(UTC).replace(microsecond=0)
    soon, late = now + timedelta(minutes=55), now + timedelta(minutes=75)
    return [
        _times(now.isoformat(), soon.isoformat(), (_plant_time(now), _plant_time(soon))),
        _times(
            now.isoformat(),
            late.isoformat(),
            (_plant_time(now), None),
            Anomaly(1, "timestamp_fine"),
        ),
    ]


def _plant_time(moment: datetime) -> datetime:
    return moment.astimezone(ROME).replace(tzinfo=None, fold=0)


def _changed(records: Iterator[dict[str, Any]], change: Change) -> Case:
    """A faultless record of a fitting kind with that one change."""
    for record in records:
        case = _plain(record)
        fits = change.kind in (None, record["tipo_operazione"])
        if fits and not case.expected.anomalies:
            _apply(case, change)
            return case
    raise AssertionError("no record fits")


def _refused(records: Iterator[dict[str, Any]]) -> Case:
    case = _changed(records, _kept("codice_macchinario", REFUSED_MACHINE, REFUSED_MACHINE))
    case.expected.refused = True
    return case


def _spoil(case: Case, rng: random.Random) -> None:
    """One to four changes that touch different fields."""
    kind = case.sent["tipo_operazione"]
    touched: set[str] = {anomaly.campo for anomaly in case.expected.anomalies}
    for change in rng.sample(CHANGES, 4)[: rng.randint(1, 4)]:
        fields = {*change.written, *change.stored}
        if change.kind in (None, kind) and not fields & touched:
            _apply(case, change)
            touched |= fields
            if "codice_pezzo" in fields:  # its limits decide what the measures mean
                touched |= {"peso_effettivo", "temperatura_effettiva"}


def _plain(record: dict[str, Any]) -> Case:
    """A record of the plant, with what its faults must come to."""
    expected = Expected(dict.fromkeys(("id_ordine",)))
    for campo, value in record.items():
        stored, number = PLANT_FAULTS.get((campo, value)) or _as_stored(campo, value)
        expected.fields[campo] = stored
        if number:
            expected.anomalies.append(Anomaly(number, campo, as_text(value)))
    return Case(dict(record), expected)


def _as_stored(campo: str, value: Any) -> tuple[Any, int]:
    """What is meant to be right; but the normal curve has tails."""
    if campo.startswith("timestamp"):
        return _plant_time(datetime.fromisoformat(value)), 0
    if campo == "temperatura_effettiva" and not 700 <= value <= 1200:
        return None, 3
    if campo == "peso_effettivo" and not 0 < value <= 1000:
        return None, 2
    return value, 0


def _apply(case: Case, change: Change) -> None:
    for campo, written in change.written.items():
        case.sent.pop(campo, None)
        if written is not ABSENT:
            case.sent[campo] = written
    case.expected.fields |= change.stored
    case.expected.others |= change.others
    case.expected.seconds = change.seconds or case.expected.seconds
    kept = [old for old in case.expected.anomalies if old.campo not in change.written]
    told = (
        anomaly._replace(valore=as_text(case.sent.get(anomaly.campo)))
        if anomaly.valore is SENT
        else anomaly
        for anomaly in change.anomalies
    )
    case.expected.anomalies = [*kept, *told]


def as_text(value: Any) -> str | None:
    """A value as a text column keeps it: what was sent, with what no database stores replaced."""
    if value is None:
        return None
    text = (
        value.text
        if isinstance(value, Number)
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
    return text.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")


# --- What follows from the stored values --------------------------------------------------


def expected_operation(expected: Expected) -> dict[str, Any]:
    """The row of ``operazioni``."""
    names = (
        *("id_ordine", "codice_pezzo", "codice_macchinario", "codice_operatore"),
        *("timestamp_inizio", "timestamp_fine", "tipo_operazione"),
    )
    return {name: expected.fields[name] for name in names} | {"durata": _seconds(expected)}


def expected_detail(expected: Expected) -> dict[str, Any] | None:
    """The row of ``forgiatura`` or of ``cnc``, None if there must be none."""
    kind = expected.fields["tipo_operazione"]
    if kind == FORGE:
        return _forging(expected)
    return _machining(expected) if kind == CNC else None


def expected_anomalies(expected: Expected) -> Counter[Anomaly]:
    """All rows of ``anomalia_operazione``, those of the second layer included."""
    ignored = {
        campo
        for kind, fields in JUDGED_FOR.items()
        if kind != expected.fields["tipo_operazione"]
        for campo in fields
    }
    found = [anomaly for anomaly in expected.anomalies if anomaly.campo not in ignored]
    told = {(anomaly.id_anomalia, anomaly.campo) for anomaly in found}
    for number, campo in _out_of_specification(expected):
        if (number, campo) not in told:
            found.append(Anomaly(number, campo, as_text(expected.fields[campo])))
    return Counter(found)


def _seconds(expected: Expected) -> Fraction | None:
    start, end = expected.fields["timestamp_inizio"], expected.fields["timestamp_fine"]
    if start is None or end is None:
        return None
    if expected.seconds is not None:
        return Fraction(expected.seconds)
    span = end.replace(tzinfo=ROME).astimezone(UTC) - start.replace(tzinfo=ROME).astimezone(UTC)
    return Fraction(span // timedelta(microseconds=1), 1_000_000)


def _machining(expected: Expected) -> dict[str, Any]:
    rate, seconds = expected.fields["numero_pezzi_ora"], _seconds(expected)
    pieces = None if None in (rate, seconds) else _half_up(rate * seconds / 3600, 4)
    return {
        "numero_pezzi_ora": rate,
        "tipo_fermo": expected.fields["tipo_fermo"],
        "pezzi_prodotti": pieces,
    }


def _forging(expected: Expected) -> dict[str, Any]:
    fields = expected.fields
    limits = LIMITS.get(fields["codice_pezzo"], Limits(None, None))
    weight, temperature = fields["peso_effettivo"], fields["temperatura_effettiva"]
    told = {anomaly.id_anomalia for anomaly in expected_anomalies(expected)}
    return {
        "peso_effettivo": weight,
        "temperatura_effettiva": temperature,
        "id_anomalia": next((number for number in (2, 3, 102, 103) if number in told), None),
        **_deviation("peso", "scarto_peso", weight, limits.peso, 3),
        **_deviation("temperatura", "scarto_temperatura", temperature, limits.temperatura, 1),
        "esito": _outcome(expected, limits),
    }


def _deviation(
    name: str, deviation: str, value: Any, limits: tuple[Decimal, Decimal] | None, places: int
) -> dict[str, Any]:
    columns = (f"{name}_nominale", deviation, f"{deviation}_pct")
    if value is None or limits is None:
        return dict.fromkeys(columns)
    nominal = (Fraction(limits[0]) + Fraction(limits[1])) / 2
    difference = Fraction(str(value)) - nominal
    rounded = (
        _half_up(nominal, places),
        _half_up(difference, places),
        _half_up(difference / nominal * 100, 2),
    )
    return dict(zip(columns, rounded, strict=True))


def _outcome(expected: Expected, limits: Limits) -> str:
    if _out_of_specification(expected):
        return "FUORI_SPECIFICA"
    measures = (expected.fields["peso_effettivo"], expected.fields["temperatura_effettiva"])
    return "NON_VALUTABILE" if None in (*measures, *limits) else "CONFORME"


def _out_of_specification(expected: Expected) -> list[tuple[int, str]]:
    fields = expected.fields
    if fields["tipo_operazione"] != FORGE:
        return []
    limits = LIMITS.get(fields["codice_pezzo"], Limits(None, None))
    checks = ((102, "peso_effettivo", limits.peso), (103, "temperatura_effettiva", limits[1]))
    return [
        (number, campo)
        for number, campo, pair in checks
        if pair and fields[campo] is not None
        if not pair[0] <= Decimal(str(fields[campo])) <= pair[1]
    ]


def _half_up(value: Fraction, places: int) -> Decimal:
    """Half away from zero, as people round."""
    size = floor(abs(value) * 10**places + Fraction(1, 2))
    return Decimal(size if value >= 0 else -size).scaleb(-places)
