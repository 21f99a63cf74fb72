"""The stock ledger: the one place where ``magazzino.quantita_disponibile`` changes.

All functions run inside the caller's MySQL transaction, which holds the stock rows' locks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce

from orders.models import Magazzino, MovimentoMagazzino
from orders.rules import Booking


def lock_stock(pezzi: Iterable[str]) -> dict[str, Magazzino]:
    """The stock rows of these pieces, locked in key order; a missing row is made, at 0."""
    codes = set(pezzi)
    known = set(Magazzino.objects.filter(pezzo__in=codes).values_list("pezzo", flat=True))
    for code in sorted(codes - known):
        Magazzino.objects.get_or_create(pezzo_id=code)
    # By key, so that the server walks the key and locks these rows alone, in this order.
    keys = list(Magazzino.objects.filter(pezzo__in=codes).values_list("pk", flat=True))
    rows = Magazzino.objects.filter(pk__in=keys).order_by("pk").select_for_update()
    return {row.pezzo_id: row for row in rows if row.pezzo_id is not None}


def book(
    bookings: Iterable[Booking], scorte: Mapping[str, Magazzino], now: datetime, **by: Any
) -> None:
    """Books them in the locked stock rows of their pieces; ``by``: run, or user and reason."""
    write(
        [
            MovimentoMagazzino(
                magazzino=scorte[booking.codice_pezzo],
                quantita=booking.quantita,
                causa=booking.causa,
                ordine_id=booking.id_ordine,
                operazione_id=booking.id_operazione,
                **by,
            )
            for booking in bookings
        ],
        now,
    )


def write(movements: Iterable[MovimentoMagazzino], now: datetime) -> None:
    """Writes the movements and changes each stock figure by their sum; zeros are left out.

    The first movement of a stock row takes its figure as the opening one.
    """
    written = [movement for movement in movements if movement.quantita]
    changes: dict[int, int] = defaultdict(int)
    for movement in written:
        movement.creato_il = now
        changes[movement.magazzino_id] += movement.quantita
    for pk in sorted(changes):
        # MySQL assigns from left to right: the opening figure must be read before the change.
        Magazzino.objects.filter(pk=pk).update(
            quantita_iniziale=Coalesce("quantita_iniziale", "quantita_disponibile"),
            quantita_disponibile=F("quantita_disponibile") + changes[pk],
            data_ultimo_aggiornamento=now,
        )
    MovimentoMagazzino.objects.bulk_create(written)
