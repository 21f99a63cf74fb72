"""What ``GET /status`` and the commands tell about the flow; the same from any process."""

from datetime import timedelta
from typing import Any

from django.db.models import Min
from django.utils import timezone
from django_q.models import Schedule

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.listing import as_json, iso
from ingestion.watch import health

VERSION = "0.1.0"

Stato = EsecuzioneEtl.Stato


def overview() -> dict[str, Any]:
    """The whole of /status. MySQL may be down, or frozen; PostgreSQL may not.

    ``in_ritardo``: the codes of ``health.FlowProblem``.
    """
    transfers = EsecuzioneEtl.objects.filter(tipo=EsecuzioneEtl.Tipo.TRANSFER)
    latest = transfers.exclude(stato=Stato.IN_CODA).order_by("-pk").first()
    last_success = transfers.succeeded().order_by("-pk").first()
    last_error = transfers.failed().order_by("-pk").first()
    databases = health.databases_answering()
    return {
        "running": transfers.filter(stato=Stato.IN_CORSO).exists(),
        "last_run": iso(latest.iniziata_il if latest else None),
        "last_success": iso(last_success.finita_il if last_success else None),
        "last_error": iso(last_error.finita_il if last_error else None),
        "esecuzione": as_json(latest) if latest else {},
        "staging": staging(),
        "prossime": next_runs(),
        "in_ritardo": [problem.codice for problem in health.problems(databases)],
        "worker": worker(),
        "db": databases,
        "versione": VERSION,
    }


def staging() -> dict[str, int]:
    """Rows of ``raw_operazione`` by state; ``oldest_pending_s`` is 0 when none waits."""
    now = timezone.now()
    rows, states = RawOperazione.objects, RawOperazione.Stato
    pending = rows.filter(stato=states.PENDING)
    oldest = pending.aggregate(oldest=Min("ricevuto_il"))["oldest"]
    processed = rows.filter(stato=states.PROCESSED, elaborato_il__gt=now - timedelta(hours=24))
    return {
        "pending": pending.count(),
        "processed_24h": processed.count(),
        "error": rows.filter(stato=states.ERROR).count(),
        "oldest_pending_s": int((now - oldest).total_seconds()) if oldest else 0,
    }


def next_runs() -> dict[str, str]:
    """When each scheduled job is due."""
    schedules = Schedule.objects.order_by("name")
    return {schedule.name: iso(schedule.next_run) for schedule in schedules}


def worker() -> dict[str, Any]:
    beat = health.worker_beat()
    return {"vivo": beat is not None, "ultimo_battito": iso(beat)}
