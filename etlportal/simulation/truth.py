"""The truth beside the records: which faults they have, and which anomalies must tell them.

JSON lines: one that says what was simulated, one for each body sent (its SHA-256 and how many
records), one for each fault of a record, which is named by its body and place there, and one that
says that this was all. The rules are those of docs/regole.md, written here a second time: the
portal's own are what is being measured.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from etlportal.simulation.faults import CODES, PESO, RUMORE, TEMPERATURA, UNKNOWN_STOP, Record
from etlportal.simulation.plant import NO_LIMITS, SimulatedPlant
from etlportal.simulation.work import FORGIATURA
from production.catalogue import AnomaliaId

VERSION = 1


class Injection(NamedTuple):
    """A fault as it was put into a record; ``campo`` None: into the record as a whole."""

    guasto: str
    campo: str | None = None


@dataclass(frozen=True)
class Fault:
    """A line of the truth. ``anomalie``: kinds it must cause in ``campo``, maybe none."""

    invio: str
    indice: int
    codice_macchinario: str
    timestamp_inizio: str
    guasto: str
    campo: str | None
    anomalie: tuple[int, ...]


@dataclass(frozen=True)
class Truth:
    """A truth file. ``simulazione``: seed, start, hours, scenario, orders.

    ``invii``: how many records each body has, by its SHA-256.
    """

    simulazione: dict[str, Any]
    invii: dict[str, int]
    guasti: tuple[Fault, ...]


class NotATruth(ValueError):
    """The text is no truth file, or only a part of one."""


def anomalies_of(
    record: Record, marks: Iterable[Injection], plant: SimulatedPlant, unknown_order: int
) -> dict[str, int]:
    """The kind of anomaly that each wrong field of a simulated record must cause."""
    wrong: dict[str, int] = {}
    if record["tipo_operazione"] == FORGIATURA:
        wrong = _of_measures(record, plant)
    else:
        if not 0 <= record["numero_pezzi_ora"] <= plant.limiti.pezzi_ora_max:
            wrong["numero_pezzi_ora"] = AnomaliaId.PEZZI_ORA_NON_VALIDI
        if record["tipo_fermo"] == UNKNOWN_STOP:
            wrong["tipo_fermo"] = AnomaliaId.TIPO_FERMO_SCONOSCIUTO
    spoiled = {mark.campo for mark in marks}
    for campo in CODES:
        if campo in spoiled:
            wrong[campo] = AnomaliaId.RIFERIMENTO_SCONOSCIUTO
    if record["id_ordine"] == unknown_order:
        wrong["id_ordine"] = AnomaliaId.RIFERIMENTO_SCONOSCIUTO
    return {campo: int(kind) for campo, kind in wrong.items()}


def _of_measures(record: Record, plant: SimulatedPlant) -> dict[str, int]:
    limits, kinds = plant.limiti, AnomaliaId
    piece = plant.piece_by_code().get(record["codice_pezzo"])
    own = piece.limiti if piece else NO_LIMITS
    kinds_of_temperature = (kinds.TEMPERATURA_NON_VALIDA, kinds.TEMPERATURA_FUORI_SPECIFICA)
    wrong: dict[str, int] = {}
    for campo, low, high, (implausible, outside) in (
        (PESO, own.peso_min, own.peso_max, (kinds.PESO_NON_VALIDO, kinds.PESO_FUORI_SPECIFICA)),
        (TEMPERATURA, own.temperatura_min, own.temperatura_max, kinds_of_temperature),
    ):
        try:
            value = Decimal(str(record[campo]))
        except InvalidOperation:
            wrong[campo] = implausible
            continue
        is_plausible = limits.temperatura_min <= value <= limits.temperatura_max
        if campo == PESO:
            is_plausible = 0 < value <= limits.peso_max
        if not is_plausible:
            wrong[campo] = implausible
        elif (low is not None and value < low) or (high is not None and value > high):
            wrong[campo] = outside
    return wrong


def fault_lines(
    invio: str, indice: int, record: Record, marks: Iterable[Injection], anomalies: dict[str, int]
) -> Iterator[Fault]:
    """A record's lines: one for each fault put into it, then what came of itself."""
    untold = dict(anomalies)
    told = [(mark, untold.pop(mark.campo or "", None)) for mark in marks]
    told += [(Injection(RUMORE, campo), kind) for campo, kind in untold.items()]
    machine, begun = record["codice_macchinario"], record["timestamp_inizio"]
    for mark, kind in told:
        kinds = () if kind is None else (kind,)
        yield Fault(invio, indice, machine, begun, mark.guasto, mark.campo, kinds)


# --- The file -----------------------------------------------------------------------------


def body_of(records: list[Record]) -> bytes:
    """The JSON body that holds the records."""
    return json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode()


def fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def as_line(value: dict[str, Any] | Fault) -> str:
    members = value if isinstance(value, dict) else asdict(value)
    return json.dumps(members, ensure_ascii=False) + "\n"


def heading(simulazione: dict[str, Any]) -> str:
    return as_line({"simulazione": {"versione": VERSION, **simulazione}})


def ending(records: int) -> str:
    return as_line({"fine": {"record": records}})


def read_truth(lines: Iterable[str]) -> Truth:
    """Raises ``NotATruth`` for anything but a truth file written to its end."""
    try:
        first, *rest, last = [json.loads(line) for line in lines]
        bodies = {line["invio"]: line["record"] for line in rest if "guasto" not in line}
        faults = [
            Fault(**{**line, "anomalie": tuple(line["anomalie"])})
            for line in rest
            if "guasto" in line
        ]
        if last["fine"]["record"] != sum(bodies.values()):
            raise NotATruth
        return Truth(first["simulazione"], bodies, tuple(faults))
    except (ValueError, TypeError, KeyError) as error:
        raise NotATruth("not a truth file") from error
