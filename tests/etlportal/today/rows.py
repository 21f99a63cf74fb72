"""Rows and figures of a plant that works, for the tests of the start page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingestion.watch.figures import RunFigure
from production.figures import WorkedOperation
from production.models import AnomaliaOperazione, Cnc, Operazione
from production.vocabulary import OrigineAnomalia

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # 13:00 at the plant


def make_work(**overrides: Any) -> WorkedOperation:
    """A forging of ten minutes from noon on."""
    fields: dict[str, Any] = {
        "id_operazione": 1,
        "macchinario": "FRG01",
        "pezzo": "PZC01",
        "ordine": None,
        "tipo": "forgiatura",
        "inizio": NOON,
        "fine": NOON + timedelta(minutes=10),
        "durata": Decimal(600),
        "fermo": None,
        "pezzi_ora": None,
        "pezzi_prodotti": None,
        "anomala": False,
    }
    return WorkedOperation(**(fields | overrides))


def make_run(**overrides: Any) -> RunFigure:
    """A transfer that went well, at noon."""
    fields: dict[str, Any] = {
        "id": 1,
        "stato": "OK",
        "inizio": NOON,
        "fine": overrides.get("inizio", NOON),
        "caricati": 12,
        "in_errore": 0,
        "rimanenti": 0,
    }
    return RunFigure(**(fields | overrides))


def make_operation(
    begun: datetime, minutes: float | None = 10, fermo: str | None = None, **overrides: Any
) -> Operazione:
    """A loaded operation; with a stop type or a rate (``pezzi_ora``), a machining."""
    rate = overrides.pop("pezzi_ora", None)
    cnc = fermo is not None or rate is not None
    lasted = None if minutes is None else timedelta(minutes=minutes)
    fields: dict[str, Any] = {
        "timestamp_inizio": begun,
        "timestamp_fine": begun + lasted if lasted is not None else None,
        "durata": None if lasted is None else Decimal(str(lasted.total_seconds())),
        "tipo_operazione": "cnc" if cnc else "forgiatura",
    }
    operation = Operazione.objects.create(**(fields | overrides))
    if cnc:
        made = None
        if rate is not None and minutes is not None:
            made = (Decimal(rate) * Decimal(str(minutes)) / 60).quantize(Decimal("0.0001"))
        Cnc.objects.create(
            operazione=operation,
            tipo_fermo_id=fermo or "NESSUNO",
            numero_pezzi_ora=rate,
            pezzi_prodotti=made,
        )
    return operation


def make_anomaly(operation: Operazione, kind: int = 102, **overrides: Any) -> AnomaliaOperazione:
    fields: dict[str, Any] = {"origine": OrigineAnomalia.VALIDAZIONE, "creata_il": NOON}
    return AnomaliaOperazione.objects.create(
        operazione=operation, anomalia_id=kind, **(fields | overrides)
    )
