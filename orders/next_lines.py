"""What to make next (``GET /ordine``): the oldest order lines that still need pieces.

Source: docs/regole.md, "Che cosa produrre". Reading changes nothing; only where no line waits at
all, the one fictitious order is made, once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from ingestion.models import RawOperazione
from ingestion.transfer.build import pezzi_prodotti
from ingestion.transfer.claim import as_records
from ingestion.transfer.load import ids_by_uid
from ingestion.transfer.parse import parse
from ingestion.transfer.rules import judge
from orders import rules
from orders.counting.chunk import as_productions, uncounted
from orders.models import Ordine, PezzoOrdine
from orders.rules import PIECE, Production
from production.fields import NO_LIMITS, Limits, MasterData
from production.models import Pezzo

MAX_LINES = 5
FIRST_PAGE = 10  # orders; each page after it is twice as long
RESERVED_KEY = "FITTIZIO"
FICTITIOUS_QUANTITY = 10

Key = tuple[int, str]


def next_lines(limits: Limits, *, fictitious: bool = True) -> list[dict[str, Any]]:
    """At most five lines, as ``GET /ordine`` answers them; ``fictitious``: make some up if none.

    ``limits`` are the transfer's: they say what a staged record will count for.
    """
    # The index on state, date and number has the orders in this order. Asking for the oldest lines
    # at once would make the database sort the lines of all waiting orders for each call.
    orders = Ordine.objects.waiting().order_by("data_inizio", "pk").values_list("pk", flat=True)
    answer: list[dict[str, Any]] = []
    start, size = 0, FIRST_PAGE
    while len(answer) < MAX_LINES and (page := list(orders[start : start + size])):
        answer += _still_to_make(page, limits)
        start, size = start + size, 2 * size
    if fictitious and not answer and not _waiting_lines().exists():
        answer = [_as_json(line, line.quantita_rimanente) for line in _fictitious_lines()]
    return answer[:MAX_LINES]


def _waiting_lines() -> QuerySet[PezzoOrdine]:
    lines = PezzoOrdine.objects.waiting().filter(quantita_rimanente__gt=0)
    return lines.select_related("ordine", "pezzo").order_by(
        "ordine__data_inizio", "ordine_id", "pezzo_id"
    )


def _still_to_make(orders: list[int], limits: Limits) -> list[dict[str, Any]]:
    """Of these orders' lines, those that need more than what is on its way.

    A record moves from staged to loaded to counted while we read. Reading in that order we may
    see it twice, which asks for less until the next call, but never miss it, which would ask for
    the same piece twice: hence the lines are read again after what is on its way.
    """
    page = list(_waiting_lines().filter(ordine__in=orders))
    coming = _on_its_way(page, limits)
    answer = []
    for line in _waiting_lines().filter(pk__in=[line.pk for line in page]):
        counted = line.prodotti_us
        pieces = (counted + coming[line.ordine_id, line.pezzo_id]) // PIECE - counted // PIECE
        if line.quantita_rimanente > pieces:
            answer.append(_as_json(line, line.quantita_rimanente - pieces))
    return answer


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


def _on_its_way(lines: Iterable[PezzoOrdine], limits: Limits) -> dict[Key, int]:
    """Production that comes for each line, in piece-microseconds."""
    known = {(line.ordine_id, line.pezzo_id): line for line in lines}
    staged = list(_staged(known, limits))  # before the loaded ones: see above
    loaded = uncounted().filter(ordine__in={order for order, _ in known})
    coming: dict[Key, int] = defaultdict(int)
    for production in (*staged, *as_productions(loaded)):
        line = known.get((production.id_ordine or 0, production.codice_pezzo or ""))
        if line and production.tipo_operazione == line.pezzo.fase_finale:
            coming[line.ordine_id, line.pezzo_id] += rules.piece_microseconds(production)
    return coming


def _staged(known: Collection[Key], limits: Limits) -> Iterator[Production]:
    """Pending records as the transfer will load them.

    Only the orders and pieces asked for are given as known: others do not matter here. What is
    loaded, and only not marked yet, is left out: the other tables tell it.
    """
    orders = frozenset(order for order, _ in known)
    master = MasterData(pezzi={piece: NO_LIMITS for _, piece in known}, ordini=orders)
    # The number is text, and " 8", "08" or "8,0" are order 8 too: what is not plain digits is
    # read as well, and judged like the rest.
    rows = RawOperazione.objects.filter(
        Q(id_ordine__in=map(str, orders)) | ~Q(id_ordine__regex=r"^[1-9][0-9]*$"),
        stato=RawOperazione.Stato.PENDING,
        id_ordine__isnull=False,
    )
    raws = as_records(rows)
    present = ids_by_uid([raw.uid for raw in raws])
    for raw in raws:
        if raw.uid in present:
            continue
        record = judge(parse(raw), raw.ricevuto_il, master, limits).record
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
    with transaction.atomic(using="production"):  # whoever waits for the key sees the lines too
        order, created = Ordine.objects.get_or_create(
            chiave=RESERVED_KEY, defaults={"fittizio": True}
        )
        if created:
            PezzoOrdine.objects.bulk_create(
                PezzoOrdine(
                    ordine=order,
                    pezzo=piece,
                    quantita_totale=FICTITIOUS_QUANTITY,
                    quantita_rimanente=FICTITIOUS_QUANTITY,
                )
                for piece in pieces
            )
    lines = PezzoOrdine.objects.filter(ordine=order).select_related("ordine", "pezzo")
    return list(lines.order_by("pezzo_id")[:MAX_LINES])
