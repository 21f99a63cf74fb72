"""Rows of orders, stock and loaded production: valid by default, the override visible."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ingestion.models import EsecuzioneEtl
from orders.models import Magazzino, Ordine, PezzoOrdine
from production.models import Cnc, Forgiatura, Operazione, Pezzo
from production.vocabulary import TipoOperazione
from tests.builders import make_esecuzione, make_pezzo

ENDED_AT = datetime(2024, 12, 20, 10, 20, tzinfo=UTC)
NO_LIMITS = dict.fromkeys(("peso_min", "peso_max", "temperatura_min", "temperatura_max"))


def make_cnc_pezzo(codice_pezzo: str = "PZC20") -> Pezzo:
    """A piece that is finished by machining."""
    return make_pezzo(codice_pezzo, fase_finale=TipoOperazione.CNC, **NO_LIMITS)


def make_ordine_con(righe: dict[str, int], **overrides: Any) -> Ordine:
    """A waiting order with a line for each piece: code → quantity, nothing made of it yet."""
    ordine = Ordine.objects.create(**overrides)
    for codice_pezzo, quantita in righe.items():
        make_riga(ordine.pk, codice_pezzo, quantita)
    return ordine


def make_riga(
    id_ordine: int = 8, codice_pezzo: str = "PZC01", quantita: int = 10, **overrides: Any
) -> PezzoOrdine:
    """An order line as the web shop writes it; all of it remains, unless overridden."""
    fields: dict[str, Any] = {"quantita_totale": quantita, "quantita_rimanente": quantita}
    return PezzoOrdine.objects.create(
        ordine_id=id_ordine, pezzo_id=codice_pezzo, **(fields | overrides)
    )


def make_scorta(codice_pezzo: str = "PZC01", disponibili: int = 50, **overrides: Any) -> Magazzino:
    """A stock row that nothing has moved yet."""
    return Magazzino.objects.create(
        pezzo_id=codice_pezzo, quantita_disponibile=disponibili, **overrides
    )


def make_operazione(**overrides: Any) -> Operazione:
    """A loaded operation of twenty minutes, not counted yet, without a detail row."""
    fields: dict[str, Any] = {
        "ordine_id": 8,
        "pezzo_id": "PZC01",
        "timestamp_fine": ENDED_AT,
        "tipo_operazione": TipoOperazione.FORGIATURA,
        "durata": Decimal(1200),
    }
    return Operazione.objects.create(**(fields | overrides))


def make_forgiature(count: int = 1, **overrides: Any) -> list[Operazione]:
    """So many loaded forgings of PZC01 for order 8."""
    operations = [make_operazione(**overrides) for _ in range(count)]
    for operation in operations:
        Forgiatura.objects.create(operazione=operation)
    return operations


def make_lavorazioni(
    count: int = 1, pezzi_ora: int | None = 3, minuti: int = 10, **overrides: Any
) -> list[Operazione]:
    """So many loaded machinings of PZC20 for order 8: ten minutes at 3 pieces an hour."""
    fields: dict[str, Any] = {
        "pezzo_id": "PZC20",
        "tipo_operazione": TipoOperazione.CNC,
        "durata": Decimal(60 * minuti),
    }
    operations = [make_operazione(**(fields | overrides)) for _ in range(count)]
    for operation in operations:
        Cnc.objects.create(
            operazione=operation,
            numero_pezzi_ora=pezzi_ora,
            pezzi_prodotti=None if pezzi_ora is None else pezzi_prodotti(pezzi_ora, minuti),
        )
    return operations


def pezzi_prodotti(pezzi_ora: int, minuti: int) -> Decimal:
    """As the transfer stores it: rounded to four decimals."""
    exact = Decimal(pezzi_ora * minuti) / 60
    return exact.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def make_update(**overrides: Any) -> EsecuzioneEtl:
    """An update of the orders that waits in the queue."""
    return make_esecuzione(tipo=EsecuzioneEtl.Tipo.ORDINI, **overrides)
