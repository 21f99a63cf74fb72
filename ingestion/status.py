"""What ``GET /status`` and the commands tell about the flow; the same from any process."""

from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections
from django.db.models import Min, Q
from django.utils import timezone
from django_q.models import Schedule
from django_q.status import Stat

from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs import as_json, iso

VERSION = "0.1.0"
LATE_AFTER = timedelta(minutes=75)

Stato = EsecuzioneEtl.Stato
# Nothing of what was read is left behind: rows in ERROR are settled, not left.
SUCCEEDED = Q(stato=Stato.OK) | Q(stato=Stato.PARZIALE, rimanenti=0)
FAILED = Q(stato__in=[Stato.ERRORE, Stato.INTERROTTA]) | Q(stato=Stato.PARZIALE, rimanenti__gt=0)


def overview() -> dict[str, Any]:
    """The whole of /status. MySQL may be down; PostgreSQL may not."""
    transfers = EsecuzioneEtl.objects.filter(tipo=EsecuzioneEtl.Tipo.TRANSFER)
    latest = transfers.exclude(stato=Stato.IN_CODA).order_by("-pk").first()
    last_success = transfers.filter(SUCCEEDED).order_by("-pk").first()
    last_error = transfers.filter(FAILED).order_by("-pk").first()
    return {
        "running": transfers.filter(stato=Stato.IN_CORSO).exists(),
        "last_run": iso(latest.iniziata_il if latest else None),
        "last_success": iso(last_success.finita_il if last_success else None),
        "last_error": iso(last_error.finita_il if last_error else None),
        "esecuzione": as_json(latest) if latest else {},
        "staging": staging(),
        "prossime": {
            schedule.name: iso(schedule.next_run) for schedule in Schedule.objects.order_by("name")
        },
        "in_ritardo": late_jobs(),
        "worker": worker(),
        "db": {"postgresql": reachable("default"), "mysql": reachable("production")},
        "versione": VERSION,
    }


def staging() -> dict[str, int]:
    """Rows of ``raw_operazione`` by state; ``oldest_pending_s`` is 0 when none waits."""
    now = timezone.now()
    rows = RawOperazione.objects
    pending = rows.filter(stato=RawOperazione.Stato.PENDING)
    oldest = pending.aggregate(oldest=Min("ricevuto_il"))["oldest"]
    return {
        "pending": pending.count(),
        "processed_24h": rows.filter(
            stato=RawOperazione.Stato.PROCESSED, elaborato_il__gt=now - timedelta(hours=24)
        ).count(),
        "error": rows.filter(stato=RawOperazione.Stato.ERROR).count(),
        "oldest_pending_s": int((now - oldest).total_seconds()) if oldest else 0,
    }


def late_jobs() -> list[str]:
    """Kinds of run that should have succeeded within ``LATE_AFTER`` and did not.

    Where one never succeeded, it counts from the first run or record there was.
    """
    late_before = timezone.now() - LATE_AFTER
    late = []
    for tipo in EsecuzioneEtl.Tipo:
        succeeded = EsecuzioneEtl.objects.filter(SUCCEEDED, tipo=tipo).order_by("-pk").first()
        reference = succeeded.finita_il if succeeded else _first_sign_of_life()
        if reference and reference < late_before:
            late.append(tipo.value)
    return late


def _first_sign_of_life() -> datetime | None:
    run = EsecuzioneEtl.objects.aggregate(first=Min("creata_il"))["first"]
    record = RawOperazione.objects.order_by("pk").values_list("ricevuto_il", flat=True).first()
    return min((moment for moment in (run, record) if moment), default=None)


def worker() -> dict[str, Any]:
    """The queue's heartbeat: its clusters write it to the shared cache, valid for seconds."""
    stats = Stat.get_all()
    return {
        "vivo": bool(stats),
        "ultimo_battito": iso(max(stat.timestamp for stat in stats)) if stats else "",
    }


def reachable(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except DatabaseError:
        connections[alias].close()
        return False
