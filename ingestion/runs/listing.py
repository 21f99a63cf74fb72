"""A run as answers and commands show it."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from ingestion.models import EsecuzioneEtl


def as_json(run: EsecuzioneEtl) -> dict[str, Any]:
    """A run as every answer shows it (docs/contratto.md, "Un'esecuzione"): no nulls, "" or 0 where
    not yet known.
    """
    duration = (run.finita_il or timezone.now()) - run.iniziata_il if run.iniziata_il else None
    return {
        "id": run.pk,
        "tipo": run.tipo,
        "origine": run.origine,
        "avviata_da": run.avviata_da,
        "stato": run.stato,
        "iniziata_il": iso(run.iniziata_il),
        "finita_il": iso(run.finita_il),
        "durata_s": round(duration.total_seconds(), 3) if duration else 0.0,
        "letti": run.letti,
        "caricati": run.caricati,
        "gia_presenti": run.gia_presenti,
        "in_errore": run.in_errore,
        "anomalie": run.anomalie,
        "rimanenti": run.rimanenti,
        "messaggio": run.messaggio,
    }


def iso(moment: datetime | None) -> str:
    """ISO 8601 in UTC with ``Z``; "" for never."""
    if moment is None:
        return ""
    return moment.astimezone(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
