"""From posted JSON to the columns of ``raw_operazione``: shape only, values are not judged.

Pure: no query, no clock, no settings. A wrong value is staged as it is and becomes an anomaly
in the transfer; only what holds no records at all is refused here.
"""

import json
import math
import re
from typing import Any, NamedTuple

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


class NumberText(str):
    """A JSON number as its own text: what is staged is what was sent, digit for digit."""

    __slots__ = ()


class InvalidPayload(ValueError):
    """The body is no list of operations; nothing of it may be stored."""

    def __init__(
        self,
        codice: str,
        messaggio: str,
        dettagli: list[dict[str, Any]] | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(codice)
        self.codice = codice
        self.messaggio = messaggio
        self.dettagli = dettagli or []
        self.status = status


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


def records_in(body: Any, max_records: int) -> list[dict[str, Any]]:
    """The records of a decoded body: an array of objects or one object.

    Raises ``InvalidPayload`` naming every element that is no record.
    """
    if isinstance(body, dict):
        body = [body]
    if not isinstance(body, list):
        raise InvalidPayload(
            "formato_non_valido", "Serve un elenco JSON di operazioni, oppure una sola operazione."
        )
    if len(body) > max_records:
        raise InvalidPayload(
            "troppi_record",
            f"Al più {max_records} record per richiesta: ricevuti {len(body)}. Dividere l'invio.",
            status=413,
        )
    wrong = [
        {"indice": index, "campo": "", "messaggio": problem}
        for index, element in enumerate(body)
        if (problem := _problem_of(element))
    ]
    if wrong:
        raise InvalidPayload(
            "record_non_valido",
            f"{len(wrong)} elementi su {len(body)} non sono operazioni: nulla è stato salvato.",
            wrong[:MAX_DETAILS],
        )
    return body


def _problem_of(element: Any) -> str:
    if not isinstance(element, dict):
        return "Non è un oggetto JSON."
    if not KNOWN_FIELDS.intersection(map(normalised_key, element)):
        return "Nessun campo conosciuto: controllare i nomi dei campi."
    return ""


def normalised_key(key: str) -> str:
    return key.strip().lower()


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
            texts[name] = _as_text(value, name, notices)
        else:
            field = _clean(key)
            _note_alteration(key, field, field, notices)
            others[_free_key(key, others)] = _storable(value, field, notices)
    return StagedRecord(texts, declared, others or None, notices or None)


def _as_text(value: Any, field: str, notices: list[dict[str, str]]) -> str | None:
    if value is None:
        return None
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, str):
        return _storable_text(value, field, notices)
    return json.dumps(_storable(value, field, notices), ensure_ascii=False)


def _clean(text: str) -> str:
    return UNSTORABLE.sub(REPLACEMENT, text)


def _storable_text(text: str, field: str, notices: list[dict[str, str]]) -> str:
    clean = _clean(text)
    _note_alteration(text, clean, field, notices)
    return clean


def _note_alteration(text: str, clean: str, field: str, notices: list[dict[str, str]]) -> None:
    if clean != text:
        notices.append({"campo": field, "motivo": "carattere_non_valido", "valore": clean[:500]})


def _free_key(key: str, taken: dict[str, Any]) -> str:
    """The key made storable; as its JSON text where that is another key's name already."""
    free = _clean(key)
    while free in taken:
        key = free = json.dumps(key)
    return free


def _storable(value: Any, field: str, notices: list[dict[str, str]]) -> Any:
    """The same JSON value in a form that a ``jsonb`` column keeps without loss."""
    if isinstance(value, dict):
        members: dict[str, Any] = {}
        for key, item in value.items():
            _note_alteration(key, _clean(key), field, notices)
            members[_free_key(key, members)] = _storable(item, field, notices)
        return members
    if isinstance(value, list):
        return [_storable(item, field, notices) for item in value]
    if isinstance(value, NumberText):
        return _storable_number(value, field, notices)
    if isinstance(value, str):
        return _storable_text(value, field, notices)
    return value


def _storable_number(text: str, field: str, notices: list[dict[str, str]]) -> Any:
    """A number where ``jsonb`` gives it back to the digit, else its text; a notice if infinite."""
    number = float(text)
    if math.isinf(number):
        notices.append(
            {"campo": field, "motivo": "numero_non_rappresentabile", "valore": text[:500]}
        )
        return str(text)
    if "e" in text.lower() or (number == 0 and text.startswith("-")):
        return str(text)
    if SHORT_INTEGER.fullmatch(text):
        return int(text)
    return number if repr(number) == text else str(text)
