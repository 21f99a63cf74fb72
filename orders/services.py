"""What staff does to orders and stock; each act is one MySQL transaction with its ledger rows.

Locks are taken in the counting job's order (order, lines, stock), so the two never deadlock with
each other. Against a program that locks otherwise the server ends one of the two: the act has then
done nothing, and is to be repeated.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from orders import stock
from orders.models import Magazzino, MovimentoMagazzino, Ordine, PezzoOrdine
from orders.rules import Booking
from production.vocabulary import CausaMovimento, StatoOrdine

ALIAS = "production"


class RefusedAct(Exception):
    """The act does not fit the order's state or the stock; the text, in Italian, says why."""


def confirm_order(order_id: int, *, user: str, now: datetime, draws_stock: bool) -> None:
    """Takes from stock what there is for each line; only the rest remains to be made.

    ``draws_stock`` is false where the stock holds blanks, not finished pieces.
    Raises ``RefusedAct`` for an order confirmed before, or that is not waiting.
    """
    with transaction.atomic(using=ALIAS):
        order, lines = _lock(
            order_id, StatoOrdine.IN_ATTESA, "Si conferma solo un ordine in attesa."
        )
        if order.confermato_il is not None:
            raise RefusedAct("L'ordine è già confermato.")
        PezzoOrdine.objects.filter(ordine=order).note_drawn()
        wanted = {line: line.quantita_rimanente if draws_stock else 0 for line in lines}
        for line, pieces in _draw(wanted, now, utente=user).items():
            PezzoOrdine.objects.filter(pk=line.pk).update(
                prelevati=F("prelevati") + pieces,
                quantita_rimanente=F("quantita_rimanente") - pieces,
            )
        total = sum(line.quantita_totale for line in lines)
        Ordine.objects.filter(pk=order.pk).update(confermato_il=now, totale_pezzi=total)


def cancel_order(
    order_id: int, *, reason: str, user: str, now: datetime, returns_stock: bool
) -> None:
    """IN ATTESA → ANNULLATO; what the lines drew and were given goes (back) to stock.

    Raises ``RefusedAct`` for an order that is not waiting.
    """
    with transaction.atomic(using=ALIAS):
        order, lines = _lock(
            order_id, StatoOrdine.IN_ATTESA, "Si annulla solo un ordine in attesa."
        )
        PezzoOrdine.objects.filter(ordine=order).note_drawn()
        if returns_stock:
            scorte = stock.lock_stock(line.pezzo_id for line in lines)
            for line in lines:
                PezzoOrdine.objects.filter(pk=line.pk).update(
                    resi=F("resi") + line.fatti,
                    quantita_rimanente=F("quantita_rimanente") + line.fatti,
                )
            returned = [
                Booking(line.pezzo_id, CausaMovimento.RESO_ORDINE, line.fatti, order_id)
                for line in lines
            ]
            stock.book(returned, scorte, now, utente=user, motivo=reason)
        Ordine.objects.filter(pk=order.pk).update(stato=StatoOrdine.ANNULLATO)


def reopen_order(order_id: int, *, reason: str, user: str, now: datetime) -> None:
    """ANNULLATO → IN ATTESA; takes back from stock what the cancellation returned, if it is there.

    Raises ``RefusedAct`` for an order that is not cancelled.
    """
    with transaction.atomic(using=ALIAS):
        order, lines = _lock(order_id, StatoOrdine.ANNULLATO, "Si riapre solo un ordine annullato.")
        wanted = {line: line.to_take_back for line in lines}
        for line, pieces in _draw(wanted, now, utente=user, motivo=reason).items():
            PezzoOrdine.objects.filter(pk=line.pk).update(
                resi=F("resi") - pieces, quantita_rimanente=F("quantita_rimanente") - pieces
            )
        Ordine.objects.filter(pk=order.pk).update(stato=StatoOrdine.IN_ATTESA)


def correct_stock(magazzino_id: int, *, counted: int, reason: str, user: str, now: datetime) -> int:
    """Books the difference between the figure and what staff counted; returns it.

    What another program changed without a movement is explained first, by a movement of its own
    that leaves the figure as it is: after a correction the ledger and the figure agree again.
    Raises ``RefusedAct`` without a reason or for a negative count.
    """
    if not reason.strip() or counted < 0:
        raise RefusedAct("Servono una quantità non negativa e un motivo.")
    with transaction.atomic(using=ALIAS):
        row = Magazzino.objects.select_for_update().get(pk=magazzino_id)
        difference = counted - row.quantita_disponibile
        by: dict[str, Any] = {"magazzino": row, "causa": CausaMovimento.RETTIFICA, "utente": user}
        if gap := Magazzino.objects.with_unexplained().get(pk=row.pk).scarto:
            why = "Variazione di un altro programma, senza movimento."
            MovimentoMagazzino.objects.create(**by, quantita=gap, motivo=why, creato_il=now)
        stock.write([MovimentoMagazzino(**by, quantita=difference, motivo=reason)], now)
    return difference


def _lock(order_id: int, stato: StatoOrdine, refusal: str) -> tuple[Ordine, list[PezzoOrdine]]:
    """An order in this state and its lines, locked; raises ``RefusedAct(refusal)`` for another."""
    order = Ordine.objects.select_for_update().get(pk=order_id)
    # The database compares the state, in any case; the fictitious order is in none.
    if not Ordine.objects.filter(pk=order_id, stato=stato, fittizio=False).exists():
        raise RefusedAct(refusal)
    return order, list(PezzoOrdine.objects.filter(ordine=order).order_by("pk").select_for_update())


def _draw(wanted: Mapping[PezzoOrdine, int], now: datetime, **by: Any) -> dict[PezzoOrdine, int]:
    """Books out of stock what there is of the wanted pieces; returns what each line got."""
    scorte = stock.lock_stock(line.pezzo_id for line, pieces in wanted.items() if pieces)
    drawn = {
        line: min(pieces, scorte[line.pezzo_id].quantita_disponibile) if pieces else 0
        for line, pieces in wanted.items()
    }
    taken = [
        Booking(line.pezzo_id, CausaMovimento.PRELIEVO_ORDINE, -pieces, line.ordine_id)
        for line, pieces in drawn.items()
        if pieces
    ]
    stock.book(taken, scorte, now, **by)
    return drawn
