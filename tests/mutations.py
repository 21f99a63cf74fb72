"""Bodies shaped as real ones, and what may become of them on the way: changed bytes, changed
structure. Everything follows from the ``random.Random`` that is passed in.
"""

import gzip
import json
import os
import random
from collections.abc import Callable
from typing import Any

SEED = int(os.environ.get("MUTATION_SEED") or random.SystemRandom().randrange(2**32))

FORGE = {
    "tipo_operazione": "forgiatura",
    "codice_pezzo": "PZC10",
    "codice_operatore": "OOP4",
    "codice_macchinario": "M01",
    "id_ordine": 7,
    "peso_effettivo": 14.25,
    "temperatura_effettiva": "1.054,50",
    "timestamp_inizio": "2024-12-20T10:00:00.0000000Z",
    "timestamp_fine": "20/12/2024 10:20",
    "anomalia": [{"id": 3, "nota": "caldo 🔥"}],
    "esito": "4",
}
CNC = {
    "Tipo_Operazione": "cnc",
    "CODICE_PEZZO": 8,
    "numero_x0020_pezzi_x0020_ora": 3,
    "tipo_fermo": "",
    "timestamp_inizio": None,
    "note": {"righe": ["a\nb", "è", "\\", '"'], "vuoto": {}},
}
SHAPES: list[Any] = [
    [FORGE, CNC],
    FORGE,
    [CNC] * 5,
    [],
    {"@odata.context": "https://org.example/$metadata#x", "value": [FORGE, CNC]},
    json.dumps([FORGE, CNC]),
    json.dumps({"value": [CNC]}),
]
ODD_VALUES: list[Any] = [
    *(None, True, "", "null", " ", 0, -0.0, 10**30, 1e308, "NaN", "\x00", "\ud800", "\ufeff", "="),
    *([], {}, [[]], {"": ""}, [None] * 40, "x" * 3000, "\u202e", "N/D", "1_000", [{"id": {}}]),
]
ODD_KEYS = ["", "value", "\x00", "\ud83d", "ANOMALIA", "_x0020_", "_xZZZZ_", "_xd800_", "k" * 300]
TOKENS = [
    *(b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\n"),
    *(b"NaN", b"-Infinity", b"1e400", b"-", b"0123", b"9" * 5000, b"\\ud800", b"\\u0000", b"\\u"),
    *(b"null", b"[" * 40, b'{"a":' * 40, b"[" * 9000, b'"value":', b"\xc0\x80", b"\xed\xa0\x80"),
]


def mutated_body(rng: random.Random) -> tuple[bytes, str]:
    """A body and its content encoding ("" or "gzip")."""
    body = _as_bytes(rng, _restructured(rng, rng.choice(SHAPES)))
    packed = rng.random() < 0.15
    if packed and rng.random() < 0.5:
        return _changed(rng, gzip.compress(body, 1)), "gzip"
    body = _changed(rng, body) if rng.random() < 0.7 else body
    return (gzip.compress(body, 1), "gzip") if packed else (body, "")


def _as_bytes(rng: random.Random, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    encoding = rng.choices(["utf-8", "utf-8-sig", "utf-16", "latin-1"], [90, 5, 3, 2])[0]
    return text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")


# --- Structure ------------------------------------------------------------------------------


def _restructured(rng: random.Random, value: Any) -> Any:
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        value = rng.choice(RESTRUCTURED)(rng, value)
    return value


def _with_odd_member(rng: random.Random, value: Any) -> Any:
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return [*value[:at], _with_odd_member(rng, value[at]), *value[at + 1 :]]
    if isinstance(value, dict):
        key = rng.choice([*value, *ODD_KEYS])
        return value | {key: rng.choice(ODD_VALUES)}
    return rng.choice(ODD_VALUES)


def _without_a_member(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value:
        gone = rng.choice(list(value))
        return {key: item for key, item in value.items() if key != gone}
    return value[1:] if isinstance(value, list) else value


def _nested(rng: random.Random, value: Any) -> Any:
    for _ in range(rng.choice([1, 2, 30, 31, 32, 33, 200])):
        value = [value] if rng.random() < 0.7 else {rng.choice(["value", "codice_pezzo"]): value}
    return value


RESTRUCTURED: list[Callable[[random.Random, Any], Any]] = [
    _with_odd_member,
    _with_odd_member,
    _without_a_member,
    _nested,
    lambda rng, value: {"value": value},
    lambda rng, value: json.dumps(value),
    lambda rng, value: [value, rng.choice(ODD_VALUES)],
    lambda rng, value: value * 3 if isinstance(value, list) and len(value) < 50 else [value],
]


# --- Bytes ----------------------------------------------------------------------------------


def _changed(rng: random.Random, body: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 5])):
        body = rng.choice(CHANGED)(rng, body)
    return body


def _slice(rng: random.Random, body: bytes) -> tuple[int, int]:
    start = rng.randrange(len(body) + 1)
    return start, min(len(body), start + rng.choice([1, 1, 3, 20, 200]))


def _flipped(rng: random.Random, body: bytes) -> bytes:
    at, end = _slice(rng, body)
    return body[:at] + bytes(byte ^ (1 << rng.randrange(8)) for byte in body[at:end]) + body[end:]


def _cut(rng: random.Random, body: bytes) -> bytes:
    at, end = _slice(rng, body)
    return body[:at] + body[end:]


def _repeated(rng: random.Random, body: bytes) -> bytes:
    at, end = _slice(rng, body)
    return body[:at] + body[at:end] * rng.choice([2, 3, 100]) + body[end:]


def _with_token(rng: random.Random, body: bytes) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(TOKENS) + body[at:]


CHANGED: list[Callable[[random.Random, bytes], bytes]] = [
    _flipped,
    _cut,
    _repeated,
    _with_token,
    _with_token,
    lambda rng, body: body[: rng.randrange(len(body) + 1)],
    lambda rng, body: body[rng.randrange(len(body) + 1) :] + body,
]
