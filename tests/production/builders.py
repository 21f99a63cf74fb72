"""Rows of production for tests: valid by default, the one override visible."""

from datetime import UTC, datetime, timedelta
from typing import Any

from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione

START = datetime(2024, 12, 20, 10, 0, tzinfo=UTC)


def make_forgiatura(**overrides: Any) -> Operazione:
    """A forging of PZC01 within its limits (10-12 kg, 800-1200 °C); None leaves a measure out."""
    measures = {"peso_effettivo": 11.5, "temperatura_effettiva": 1040.0}
    measures |= {name: overrides.pop(name) for name in measures.keys() & overrides.keys()}
    fields: dict[str, Any] = {
        "pezzo_id": "PZC01",
        "macchinario_id": "FORGIA1",
        "timestamp_inizio": START,
        "timestamp_fine": START + timedelta(minutes=20),
        "tipo_operazione": "forgiatura",
        "durata": 1200,
    }
    operazione = Operazione.objects.create(**(fields | overrides))
    Forgiatura.objects.create(operazione=operazione, **measures)
    return operazione


def make_cnc(**overrides: Any) -> Operazione:
    """A machining of PZC09 at 3 pieces an hour, for twenty minutes."""
    rate = overrides.pop("numero_pezzi_ora", 3)
    fields: dict[str, Any] = {
        "pezzo_id": "PZC09",
        "macchinario_id": "CNC1",
        "timestamp_inizio": START,
        "timestamp_fine": START + timedelta(minutes=20),
        "tipo_operazione": "cnc",
        "durata": 1200,
    }
    operazione = Operazione.objects.create(**(fields | overrides))
    Cnc.objects.create(operazione=operazione, numero_pezzi_ora=rate)
    return operazione


def make_anomalia(operazione: Operazione | None = None, **overrides: Any) -> AnomaliaOperazione:
    """A temperature out of specification, found by validation; open."""
    fields: dict[str, Any] = {
        "anomalia_id": 103,
        "campo": "temperatura_effettiva",
        "valore_ricevuto": "1250",
        "origine": "VALIDAZIONE",
        "creata_il": START,
        "note": "Nota della validazione.",
    }
    operazione = operazione or make_forgiatura(temperatura_effettiva=1250.0)
    return AnomaliaOperazione.objects.create(operazione=operazione, **(fields | overrides))
