"""The transfer of 100,000 records: rows a second, memory, and the same row by row."""

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from django.core.management import call_command
from django.db import connections
from django.db.models import Model

from ingestion import jobs, runs, services
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.payloads import TEXT_FIELDS
from ingestion.transfer.build import (
    ANOMALIE_COLUMNS,
    CNC_COLUMNS,
    FORGIATURA_COLUMNS,
    OPERAZIONI_COLUMNS,
    LoadRow,
    build,
)
from ingestion.transfer.master_data import load_master_data
from ingestion.transfer.parse import parse
from ingestion.transfer.records import RawRecord
from ingestion.transfer.rules import judge
from ingestion.transfer.timestamps import PLANT_TIME_ZONE
from orders.simulation.database import load_plant
from orders.simulation.generator import Settings, Simulation
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from tests.bench.report import Measure, say, show

T = TypeVar("T")

RECORDS = 100_000
ROW_BY_ROW = 2_000
TEMPLATE = 10_000
START = datetime(2024, 1, 1, 6, tzinfo=UTC)

MOST_GROWTH_MB = 150
LEAST_TIMES_FASTER = 10


def run() -> bool:
    call_command("loaddata", "impianto_demo", database="production", verbosity=0)
    say("· 100.000 record in attesa")
    _elsewhere(_stage)
    by_row = _elsewhere(_transfer_row_by_row)
    rate, growth = _transfer()
    return show(
        "transfer",
        [
            Measure("trasferimento di 98.000 record", rate, "record/s"),
            Measure("crescita della memoria", growth, "MB", ("<", MOST_GROWTH_MB)),
            Measure("una riga alla volta con l'ORM (2.000 record)", by_row, "record/s"),
            Measure("quante volte più veloce", rate / by_row, "", (">", LEAST_TIMES_FASTER)),
        ],
    )


def _elsewhere(work: Callable[[], T]) -> T:
    """``work()`` in a process of its own, so that its memory does not hide the transfer's."""
    connections.close_all()
    with get_context("fork").Pool(1) as pool:
        return pool.apply(work)


def _stage() -> None:
    """10,000 simulated records with faults through the portal's own door, and nine copies."""
    plant = load_plant(jobs.transfer_options().limits)
    hours = TEMPLATE // 12
    simulation = Simulation(plant, Settings(START, hours, 1, 0))
    records = [record for hour in range(hours) for record in simulation.hour(hour).record]
    services.store_lotto(records, b"", nome_chiave="bench", headers={}, request_id="")
    columns = ", ".join((*TEXT_FIELDS, "anomalia"))
    missing = RECORDS - len(records)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            f"INSERT INTO raw_operazione ({columns}) SELECT {columns} FROM raw_operazione, "
            f"generate_series(1, 11) ORDER BY generate_series, id_operazione LIMIT {missing}"
        )
        cursor.execute("ANALYZE raw_operazione")
    assert RawOperazione.objects.count() == RECORDS


def _transfer() -> tuple[float, float]:
    """Records a second, and by how many MB the process grew at its largest."""
    transfer = runs.create(EsecuzioneEtl.Tipo.TRANSFER, EsecuzioneEtl.Origine.COMANDO)
    gc.collect()
    before = _start_watching_memory()
    started = time.perf_counter()
    transfer = jobs.transfer_now(transfer)
    seconds = time.perf_counter() - started
    assert (transfer.stato, transfer.caricati) == ("OK", RECORDS - ROW_BY_ROW), transfer.messaggio
    assert Operazione.objects.count() == RECORDS
    return transfer.caricati / seconds, (_memory("VmHWM") - before) / 1024


def _start_watching_memory() -> int:
    """Memory now, in kB; from here on the kernel keeps its highest figure anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


# --- Row by row ---------------------------------------------------------------------------


def _transfer_row_by_row() -> float:
    """Records a second of what one would write first: each row an object, saved on its own.

    Parsing, judging and computing are the portal's own, so that only reading and writing differ.
    """
    limits = jobs.transfer_options().limits
    started = time.perf_counter()
    master = load_master_data()
    for raw in RawOperazione.objects.order_by("pk")[:ROW_BY_ROW]:
        record = RawRecord(*(getattr(raw, name) for name in RawRecord._fields))
        _save(build(raw.uid, judge(parse(record), raw.ricevuto_il, master, limits), master))
        raw.stato = RawOperazione.Stato.PROCESSED
        raw.save()
    return ROW_BY_ROW / (time.perf_counter() - started)


def _save(row: LoadRow) -> None:
    values = dict(zip(OPERAZIONI_COLUMNS, row.operazione, strict=True))
    for name in ("timestamp_inizio", "timestamp_fine"):
        if values[name] is not None:
            values[name] = values[name].replace(tzinfo=PLANT_TIME_ZONE)
    operation = Operazione.objects.create(**_by_attribute(Operazione, values))
    if row.forgiatura is not None:
        fields = dict(zip(FORGIATURA_COLUMNS, row.forgiatura, strict=True))
        Forgiatura.objects.create(operazione=operation, **_by_attribute(Forgiatura, fields))
    if row.cnc is not None:
        fields = dict(zip(CNC_COLUMNS, row.cnc, strict=True))
        Cnc.objects.create(operazione=operation, **_by_attribute(Cnc, fields))
    for anomaly in row.anomalie:
        fields = dict(zip(ANOMALIE_COLUMNS, anomaly, strict=True))
        AnomaliaOperazione.objects.create(
            operazione=operation, **_by_attribute(AnomaliaOperazione, fields)
        )


def _by_attribute(model: type[Model], values: dict[str, Any]) -> dict[str, Any]:
    """Values by column, named as the model names them."""
    names = {field.column: field.attname for field in model._meta.concrete_fields}
    return {names[column]: value for column, value in values.items()}
