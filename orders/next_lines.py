"""What to make next (``GET /ordine``): the oldest order lines that still need pieces.

Source: domain.md, "What to make next". Reading changes nothing; only where no line waits at all,
the one fictitious order is made, once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from ingestion.models import RawOperazione
from ingestion.transfer.build import pezzi_prodotti
from ingestion.transfer.parse import parse
from ingestion.transfer.records import Limits, MasterData, RawRecord
from ingestion.transfer.rules import NO_LIMITS, judge
from orders import rules
from orders.counting import PRODUCTION_COLUMNS, uncounted
from orders.models import Ordine, PezzoOrdine
from orders.rules import PIECE, Production
from production.models import Pezzo

MAX_LINES = 5
PAGE = 50
RESERVED_KEY = "FITTIZIO"
FICTITIOUS_QUANTITY = 10

Key = tuple[int, str]


def next_lines(*, fictitious: bool = True) -> list[dict[str, Any]]:
    """At most five lines, as ``GET /ordine`` answers them; ``fictitious``: make some up if none."""
    answer: list[dict[str, Any]] = []
    waiting = _waiting_lines()
    for start in range(0, 1_000_000, PAGE):
        page = list(waiting[start : start + PAGE])
        in_flight = _pieces_in_flight(page)
        for line in page:
            to_make = line.quantita_rimanente - in_flight[line.ordine_id, line.pezzo_id]
            if to_make > 0:
                answer.append(_as_json(line, to_make))
        if len(answer) >= MAX_LINES or len(page) < PAGE:
            break
    if fictitious and not answer and not waiting.exists():
        answer = [_as_json(line, line.quantita_rimanente) for line in _fictitious_lines()]
    return answer[:MAX_LINES]


def _waiting_lines() -> QuerySet[PezzoOrdine]:
    return (
        PezzoOrdine.objects.filter(
            ordine__stato=Ordine.Stato.IN_ATTESA, ordine__fittizio=False, quantita_rimanente__gt=0
        )
        .select_related("ordine", "pezzo")
        .order_by("ordine__data_inizio", "ordine_id", "pezzo_id")
    )


def _as_json(line: PezzoOrdine, to_make: int) -> dict[str, Any]:
    return {
        "id_ordine": line.ordine_id,
        "id_pezzo": line.pezzo_id,
        "codice_pezzo": line.pezzo_id,
        "nome": line.pezzo.nome,
        "quantita_totale": line.quantita_totale,
        "quantita_rimanente": line.quantita_rimanente,
        "quantita_da_produrre": to_make,
        "fittizio": line.ordine.fittizio,
    }


# --- Pieces staged or loaded and not counted yet ------------------------------------------


def _pieces_in_flight(lines: Iterable[PezzoOrdine]) -> dict[Key, int]:
    """Whole pieces on their way to each line: floor of what it has counted and what comes."""
    known = {(line.ordine_id, line.pezzo_id): line for line in lines}
    coming: dict[Key, int] = defaultdict(int)
    for production in (*_loaded(known), *_staged(known)):
        line = known.get((production.id_ordine or 0, production.codice_pezzo or ""))
        if line and production.tipo_operazione == line.pezzo.fase_finale:
            coming[line.ordine_id, line.pezzo_id] += rules.piece_microseconds(production)
    return defaultdict(
        int,
        {
            key: (known[key].prodotti_us + made) // PIECE - known[key].prodotti_us // PIECE
            for key, made in coming.items()
        },
    )


def _loaded(known: Collection[Key]) -> Iterable[Production]:
    rows = uncounted().filter(ordine__in={order for order, _ in known})
    return map(Production._make, rows.values_list(*PRODUCTION_COLUMNS))


def _staged(known: Collection[Key]) -> Iterator[Production]:
    """Pending records as the transfer will load them; the order number is text there.

    Only the orders and pieces asked for are given as known: others do not matter here.
    """
    orders = frozenset(order for order, _ in known)
    master = MasterData(
        pezzi={piece: NO_LIMITS for _, piece in known},
        macchinari=frozenset(),
        operatori=frozenset(),
        ordini=orders,
        tipi_fermo={},
        anomalie=frozenset(),
    )
    texts = {form for order in orders for form in (f"{order}", f"{order}.0")}
    rows = RawOperazione.objects.filter(stato=RawOperazione.Stato.PENDING, id_ordine__in=texts)
    for row in rows.values_list(*RawRecord._fields).iterator():
        raw = RawRecord._make(row)
        record = judge(parse(raw), raw.ricevuto_il, master, Limits()).record
        yield Production(
            raw.id_operazione,
            record.id_ordine,
            record.codice_pezzo,
            record.tipo_operazione,
            record.numero_pezzi_ora,
            pezzi_prodotti(record),
            record.durata,
        )


# --- The fictitious order -----------------------------------------------------------------


def _fictitious_lines() -> list[PezzoOrdine]:
    """Lines of the one reserved order; its unique key makes all callers share it."""
    pieces = list(Pezzo.objects.order_by("pk")[:MAX_LINES])
    if not pieces:
        return []
    order, _ = Ordine.objects.get_or_create(chiave=RESERVED_KEY, defaults={"fittizio": True})
    lines = PezzoOrdine.objects.filter(ordine=order).select_related("ordine", "pezzo")
    if not lines.exists():
        for piece in pieces:
            PezzoOrdine.objects.get_or_create(
                ordine=order,
                pezzo=piece,
                defaults={
                    "quantita_totale": FICTITIOUS_QUANTITY,
                    "quantita_rimanente": FICTITIOUS_QUANTITY,
                },
            )
    return list(lines.order_by("pezzo_id")[:MAX_LINES])
