"""The transfer as one would write it without thinking of speed, to measure ours against.

It uses the portal's own parse, judge and build; the difference is in how rows are read and saved.
For a process of its own where Django is set up: see test_speed.py.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingestion import jobs
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.listing import as_json
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out
from ingestion.transfer import pipeline
from ingestion.transfer.build import ANOMALIE_COLUMNS, CNC_COLUMNS, FORGIATURA_COLUMNS, build
from ingestion.transfer.master_data import load_master_data
from ingestion.transfer.parse import parse
from ingestion.transfer.records import CleanRecord, RawRecord
from ingestion.transfer.rules import judge
from production.fields import Limits, MasterData
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione

ATTRIBUTES = {"id_anomalia": "anomalia_id", "tipo_fermo": "tipo_fermo_id"}


def measure(rows: int, turns: int, rows_by_orm: int) -> str:
    """Transfers the oldest ``rows`` in one run, which pauses ``turns`` times to save the newest
    ``rows_by_orm`` one by one: a machine that is busy meanwhile slows down both. JSON.
    """
    before = megabytes("VmRSS")
    seconds_by_orm: list[float] = []

    def take_turns(tally: Any) -> None:
        if tally.letti >= (len(seconds_by_orm) + 1) * rows // turns:
            seconds_by_orm.append(transfer_row_by_row(rows_by_orm))

    run = create(EsecuzioneEtl.Tipo.TRANSFER, EsecuzioneEtl.Origine.COMANDO)
    work = pipeline.Transfer(jobs.transfer_options(limit=rows))
    run = carry_out(run, jobs.TRANSFER, work, on_progress=take_turns)
    report = as_json(run)
    seconds = report["durata_s"] - sum(seconds_by_orm)
    return json.dumps(
        {
            "run": report,
            "growth_mb": megabytes("VmHWM") - before,
            "rate": rows / seconds,
            "rate_by_orm": turns * rows_by_orm / sum(seconds_by_orm),
        }
    )


def megabytes(name: str) -> float:
    """VmRSS is what this process has in memory, VmHWM the most that it ever had. (getrusage's
    most is at least what the parent had.)
    """
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(rf"{name}:\s+([0-9]+) kB", status)
    return int(kilobytes) / 1024


def transfer_row_by_row(count: int) -> float:
    """Transfers the newest ``count`` pending rows; how many seconds it took."""
    started = time.monotonic()
    limits = jobs.transfer_options().limits
    master = load_master_data()
    pending = RawOperazione.objects.filter(stato=RawOperazione.Stato.PENDING)
    for raw in pending.order_by("-id_operazione")[:count]:
        transfer_one(raw, master, limits)
    return time.monotonic() - started


def transfer_one(raw: RawOperazione, master: MasterData, limits: Limits) -> None:
    """One row, saved in two transactions, the production one first."""
    record = RawRecord(*(getattr(raw, name) for name in RawRecord._fields))
    verdict = judge(parse(record), raw.ricevuto_il, master, limits)
    row = build(raw.uid, verdict, master)
    with transaction.atomic(using="production"):
        operazione = create_operazione(raw, verdict.record)
        if row.forgiatura:
            values = named(FORGIATURA_COLUMNS, row.forgiatura)
            Forgiatura.objects.create(operazione=operazione, **values)
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


def create_operazione(raw: RawOperazione, clean: CleanRecord) -> Operazione:
    return Operazione.objects.create(
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


def named(columns: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    names = (ATTRIBUTES.get(column, column) for column in columns)
    return dict(zip(names, values, strict=True))
