"""How fast the transfer is, and how much memory it takes: 100,000 rows on real servers.

The measure of speed is what it would be to save row by row through the ORM, taken in the same
run, before and after, so that a busy machine slows down both.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.mixed_records import plant_records
from tests.portal import LivePortal

pytestmark = pytest.mark.servers

ROWS = 100_000
ROWS_BY_ORM = 1_000  # before, and again after
MAX_GROWTH_MB = 150
MIN_RATIO = 10

# In a process of its own, where Django is set up and nothing else. VmHWM is the most memory that
# the process has had; getrusage would tell its parent's too.
TRANSFER = f"""
import json, pathlib, re

def megabytes(name):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+([0-9]+) kB", status)[1]) / 1024

before = megabytes("VmRSS")
from django.core.management import call_command
call_command("transfer", "--limit", "{ROWS}", "--json")
print(json.dumps({{"growth_mb": megabytes("VmHWM") - before}}))
"""
BY_ORM = f"""
from tests.ingestion.transfer import test_speed
print(test_speed.transfer_row_by_row({ROWS_BY_ORM}))
"""


@pytest.fixture(scope="module")
def measured() -> Iterator[dict[str, Any]]:
    """Rows per second of both ways, the memory that the transfer took, and its run."""
    with LivePortal() as portal:
        portal.worker.stop()
        portal.stage(plant_records(ROWS + 2 * ROWS_BY_ORM))
        seconds_by_orm = float(portal.run_python(BY_ORM))
        run, memory = map(json.loads, portal.run_python(TRANSFER).splitlines())
        seconds_by_orm += float(portal.run_python(BY_ORM))
        yield {
            "run": run,
            "growth_mb": memory["growth_mb"],
            "rate": ROWS / run["durata_s"],
            "rate_by_orm": 2 * ROWS_BY_ORM / seconds_by_orm,
            "pending": portal.count("PENDING"),
            "loaded": portal.value("production", "SELECT count(*) FROM operazioni"),
        }


def transfer_row_by_row(limit: int) -> float:
    """The same work as one would write it without thinking of speed; how many seconds it took.

    It uses the portal's own parse, judge and build: the difference is in how rows are read and
    saved. Each row is saved in two transactions, the production one first.
    """
    from django.db import transaction
    from django.utils import timezone

    from ingestion.jobs import transfer_options
    from ingestion.models import RawOperazione
    from ingestion.transfer.build import (
        ANOMALIE_COLUMNS,
        CNC_COLUMNS,
        FORGIATURA_COLUMNS,
        build,
    )
    from ingestion.transfer.master_data import load_master_data
    from ingestion.transfer.parse import parse
    from ingestion.transfer.records import RawRecord
    from ingestion.transfer.rules import judge
    from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione

    attributes = {"id_anomalia": "anomalia_id", "tipo_fermo": "tipo_fermo_id"}

    def named(columns: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
        names = (attributes.get(column, column) for column in columns)
        return dict(zip(names, values, strict=True))

    limits = transfer_options().limits
    master = load_master_data()
    pending = RawOperazione.objects.filter(stato=RawOperazione.Stato.PENDING)
    started = time.monotonic()
    for raw in pending.order_by("id_operazione")[:limit]:
        record = RawRecord(*(getattr(raw, name) for name in RawRecord._fields))
        verdict = judge(parse(record), raw.ricevuto_il, master, limits)
        row, clean = build(raw.uid, verdict, master), verdict.record
        with transaction.atomic(using="production"):
            operazione = Operazione.objects.create(
                raw_uid=raw.uid,
                ordine_id=clean.id_ordine,
                pezzo_id=clean.codice_pezzo,
                macchinario_id=clean.codice_macchinario,
                operatore_id=clean.codice_operatore,
                timestamp_inizio=clean.timestamp_inizio,
                timestamp_fine=clean.timestamp_fine,
                tipo_operazione=clean.tipo_operazione,
                durata=clean.durata,
            )
            if row.forgiatura:
                Forgiatura.objects.create(
                    operazione=operazione, **named(FORGIATURA_COLUMNS, row.forgiatura)
                )
            if row.cnc:
                Cnc.objects.create(operazione=operazione, **named(CNC_COLUMNS, row.cnc))
            for anomalia in row.anomalie:
                AnomaliaOperazione.objects.create(
                    operazione=operazione,
                    creata_il=timezone.now(),
                    **named(ANOMALIE_COLUMNS, anomalia),
                )
        with transaction.atomic(using="default"):
            raw.stato = RawOperazione.Stato.PROCESSED
            raw.elaborato_il = timezone.now()
            raw.save()
    return time.monotonic() - started


def test_all_rows_are_loaded(measured: dict[str, Any]) -> None:
    run = measured["run"]
    assert [run[name] for name in ("stato", "letti", "caricati")] == ["OK", ROWS, ROWS]
    assert measured["pending"] == 0
    assert measured["loaded"] == ROWS + 2 * ROWS_BY_ORM


def test_memory_does_not_grow_with_the_rows(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f" {ROWS} rows took {measured['growth_mb']:.0f} MB ")
    assert measured["growth_mb"] < MAX_GROWTH_MB


def test_it_is_ten_times_as_fast_as_saving_row_by_row(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ratio = measured["rate"] / measured["rate_by_orm"]
    with capsys.disabled():
        sys.stdout.write(
            f" transfer {measured['rate']:.0f} rows/s, "
            f"row by row {measured['rate_by_orm']:.0f} rows/s: {ratio:.1f} times "
        )
    assert ratio >= MIN_RATIO
