"""The sample requests of cases/power_automate.json, made into bytes."""

import base64
import gzip
import http.client
import json
from contextlib import closing
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.portal import ANSWER_SECONDS, Answer, LivePortal

FILE = Path(__file__).parent / "cases" / "power_automate.json"
CASES: dict[str, dict[str, Any]] = {
    case["id"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]
}
FORGE, CNC = CASES["A01"]["body"]


def body_of(case: dict[str, Any]) -> bytes | None:
    """The case's body; None if it has none."""
    if "body" in case:
        return json.dumps(case["body"], ensure_ascii=False).encode()
    if "body_text" in case:
        return case["body_text"].encode()
    if "body_b64" in case:
        return base64.b64decode(case["body_b64"])
    return made_body(**case["body_gen"]) if "body_gen" in case else None


def made_body(kind: str, **size: int) -> bytes:
    return MAKERS[kind](**size)


def forge_records(count: int, pad: int) -> bytes:
    start = datetime.fromisoformat(FORGE["timestamp_inizio"])
    return json.dumps(
        [
            FORGE
            | {
                "timestamp_inizio": (start + timedelta(seconds=second)).isoformat(),
                "note": "x" * pad,
            }
            for second in range(count)
        ]
    ).encode()


def nested_array(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def nested_object(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def big_int(digits: int) -> bytes:
    record = deepcopy(FORGE) | {"peso_effettivo": "BIG"}
    return json.dumps([record]).replace('"BIG"', "9" * digits).encode()


def gzip_zeros(expanded_bytes: int) -> bytes:
    """A small file that unpacks to that many zeros, made in parts: gzips may be joined."""
    part = gzip.compress(bytes(1024 * 1024 * 16))
    return part * (expanded_bytes // (1024 * 1024 * 16))


MAKERS = {
    "records": forge_records,
    "nested_array": nested_array,
    "nested_object": nested_object,
    "big_int": big_int,
    "gzip_zeros": gzip_zeros,
}


def send(portal: LivePortal, case: dict[str, Any], body: bytes | None) -> Answer:
    """The request with the case's headers and no others (``LivePortal.request`` adds a type)."""
    headers = {
        name: value.replace("{KEY}", portal.key) for name, value in case.get("headers", {}).items()
    }
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=ANSWER_SECONDS)
    with closing(connection):
        connection.request(case["method"], case["path"], body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
