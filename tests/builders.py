"""Values for tests: valid by default, so that the one override is what a test is about."""

import gzip
import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone

from etlportal.audit.record import Actor
from etlportal.models import VoceAudit
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.runs.queue import this_process
from ingestion.transfer.records import RawRecord
from orders.models import Ordine
from production.fields import MasterData, PieceLimits
from production.models import Macchinario, Operatore, Pezzo

RECEIVED_AT = datetime(2024, 12, 20, 12, 0, tzinfo=UTC)
ANNA, BRUNO = (Actor(VoceAudit.Attore.UTENTE, name) for name in ("anna", "bruno"))
UID = UUID("0193e3a5-0000-7000-8000-000000000001")

CATALOGUE_IDS = frozenset({1, 2, 3, 4, *range(101, 111), 999})
TIPI_FERMO = {
    "nessuno": "NESSUNO",
    "none": "NESSUNO",
    "nessun_fermo": "NESSUNO",
    "utensile": "UTENSILE",
    "guasto_meccanico": "GUASTO_MECCANICO",
    "altro": "ALTRO",
}


def make_raw_record(**overrides: Any) -> RawRecord:
    """A forging record of a piece with limits, 10:00 to 10:20 UTC, received at noon."""
    fields: dict[str, Any] = {
        "id_operazione": 1,
        "uid": UID,
        "ricevuto_il": RECEIVED_AT,
        "id_ordine": "8",
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
        "codice_operatore": "OOP4",
        "timestamp_inizio": "2024-12-20T10:00:00Z",
        "timestamp_fine": "2024-12-20T10:20:00Z",
        "tipo_operazione": "forgiatura",
        "peso_effettivo": "11.5",
        "temperatura_effettiva": "1040",
    }
    return RawRecord(**(fields | overrides))


def make_cnc_record(**overrides: Any) -> RawRecord:
    """A machining record: 3 pieces per hour from 10:00 to 10:20 UTC, no stop."""
    fields: dict[str, Any] = {
        "codice_macchinario": "CNC1",
        "tipo_operazione": "cnc",
        "peso_effettivo": None,
        "temperatura_effettiva": None,
        "numero_pezzi_ora": "3",
        "tipo_fermo": "NESSUNO",
    }
    return make_raw_record(**(fields | overrides))


def make_piece_limits(**overrides: Any) -> PieceLimits:
    """10-12 kg and 800-1200 °C, the example of docs/regole.md, "Valori calcolati"; limits may be
    given as text.
    """
    fields = {
        "peso_min": "10",
        "peso_max": "12",
        "temperatura_min": "800",
        "temperatura_max": "1200",
    }
    limits = fields | overrides
    return PieceLimits(
        **{name: None if limit is None else Decimal(limit) for name, limit in limits.items()}
    )


def make_master_data(**overrides: Any) -> MasterData:
    """Piece PZC01 has limits; PZC09, PZC10, 8 and 008 have none."""
    fields: dict[str, Any] = {
        "pezzi": {
            "PZC01": make_piece_limits(),
            **{code: PieceLimits() for code in ("PZC09", "PZC10", "8", "008")},
        },
        "macchinari": frozenset({"FORGIA1", "CNC1"}),
        "operatori": frozenset({"OOP3", "OOP4"}),
        "ordini": frozenset({8, 9}),
        "tipi_fermo": TIPI_FERMO,
        "anomalie": CATALOGUE_IDS,
    }
    return MasterData(**(fields | overrides))


# --- Rows in the databases ------------------------------------------------------------------


def make_posted(**overrides: Any) -> dict[str, Any]:
    """A forging record as a flow posts it: JSON values, nothing wrong with it."""
    fields: dict[str, Any] = {
        "id_ordine": 8,
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
        "codice_operatore": "OOP4",
        "timestamp_inizio": "2024-12-20T10:00:00.0000000Z",
        "timestamp_fine": "2024-12-20T10:20:00.0000000Z",
        "tipo_operazione": "forgiatura",
        "peso_effettivo": 11.5,
        "temperatura_effettiva": 1040,
    }
    return fields | overrides


def make_posted_cnc(**overrides: Any) -> dict[str, Any]:
    """A machining record as a flow posts it: 30 pieces per hour for half an hour."""
    fields: dict[str, Any] = {
        "id_ordine": 8,
        "codice_pezzo": "PZC09",
        "codice_macchinario": "CNC1",
        "codice_operatore": "OOP3",
        "timestamp_inizio": "2024-12-20T11:00:00Z",
        "timestamp_fine": "2024-12-20T11:30:00Z",
        "tipo_operazione": "cnc",
        "numero_pezzi_ora": 30,
        "tipo_fermo": "nessun_fermo",
    }
    return fields | overrides


def make_pezzo(codice_pezzo: str = "PZC01", **overrides: Any) -> Pezzo:
    """A piece of 10-12 kg and 800-1200 °C, the example of docs/regole.md, "Valori calcolati"."""
    fields: dict[str, Any] = make_piece_limits()._asdict() | overrides
    return Pezzo.objects.create(codice_pezzo=codice_pezzo, **fields)


def make_ordine(id_ordine: int = 8, **overrides: Any) -> Ordine:
    return Ordine.objects.create(id_ordine=id_ordine, **overrides)


def make_plant() -> None:
    """In the database what ``make_master_data`` has: PZC01 with limits, the others without."""
    master = make_master_data()
    for codice, limits in master.pezzi.items():
        make_pezzo(codice, **limits._asdict())
    for codice in master.macchinari:
        Macchinario.objects.create(codice_macchinario=codice)
    for codice in master.operatori:
        Operatore.objects.create(codice_operatore=codice)
    for number in master.ordini:
        make_ordine(number)


def make_lotto(**overrides: Any) -> LottoRicevuto:
    """A batch row that holds no record yet."""
    fields: dict[str, Any] = {
        "nome_chiave": "API_KEY",
        "sha256": hashlib.sha256(b"[]").hexdigest(),
        "corpo": gzip.compress(b"[]"),
        "record": 0,
    }
    return LottoRicevuto.objects.create(**(fields | overrides))


def make_raw_operazione(**overrides: Any) -> RawOperazione:
    """A pending forging record in staging, as ``make_raw_record``, without a batch."""
    fields = make_raw_record()._asdict()
    del fields["id_operazione"], fields["uid"]
    row = RawOperazione.objects.create(**(fields | overrides))
    row.refresh_from_db()
    return row


def make_raw_operazioni(count: int, **overrides: Any) -> list[RawOperazione]:
    """So many pending forging records, a second apart."""
    return [
        make_raw_operazione(
            **({"timestamp_inizio": f"2024-12-20T10:{n // 60:02}:{n % 60:02}Z"} | overrides)
        )
        for n in range(count)
    ]


def make_esecuzione(**overrides: Any) -> EsecuzioneEtl:
    """A transfer that waits in the queue."""
    fields: dict[str, Any] = {
        "tipo": EsecuzioneEtl.Tipo.TRANSFER,
        "origine": EsecuzioneEtl.Origine.COMANDO,
    }
    run = EsecuzioneEtl.objects.create(**(fields | overrides))
    run.refresh_from_db()
    return run


def make_active_esecuzione(**overrides: Any) -> EsecuzioneEtl:
    """A transfer in course, alive: its process is this one and its heart beat just now."""
    now = timezone.now()
    fields: dict[str, Any] = {
        "stato": EsecuzioneEtl.Stato.IN_CORSO,
        "iniziata_il": now,
        "battito_il": now,
        "processo": this_process(),
    }
    return make_esecuzione(**(fields | overrides))


def make_dead_esecuzione(**overrides: Any) -> EsecuzioneEtl:
    """A transfer in course whose process, on another host, fell silent an hour ago."""
    long_ago = timezone.now() - timedelta(hours=1)
    fields: dict[str, Any] = {
        "iniziata_il": long_ago,
        "battito_il": long_ago,
        "processo": "altro-host:1",
    }
    return make_active_esecuzione(**(fields | overrides))
