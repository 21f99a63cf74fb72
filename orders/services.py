"""What staff does to orders and stock; each act is one MySQL transaction with its ledger rows.

Locks are taken in the counting job's order (order, lines, stock), so the two never deadlock for
longer than one retry.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum

from orders import stock
from orders.models import Magazzino, MovimentoMagazzino, Ordine, PezzoOrdine

ALIAS = "production"
Causa = MovimentoMagazzino.Causa


class RefusedAct(Exception):
    """The act does not fit the order's state or the stock; the text, in Italian, says why."""


def confirm_order(order_id: int, *, user: str, now: datetime, draws_stock: bool) -> None:
    """Takes from stock what there is for each line; only the rest remains to be made.

    ``draws_stock`` is false where the stock holds blanks, not finished pieces.
    Raises ``RefusedAct`` for an order confirmed before, or that is not waiting.
    """
    with transaction.atomic(using=ALIAS):
        order = _locked(order_id)
        if order.confermato_il is not None:
            raise RefusedAct("L'ordine è già confermato.")
        if not _has_state(order, Ordine.Stato.IN_ATTESA):
            raise RefusedAct("Si conferma solo un ordine in attesa.")
        lines = _locked_lines(order)
        _note_drawn(lines)
        drawn = (
            _draw(order, {line: line.quantita_rimanente for line in lines}, user, now)
            if draws_stock
            else dict.fromkeys(lines, 0)
        )
        for line, pieces in drawn.items():
            PezzoOrdine.objects.filter(pk=line.pk).update(
                prelevati=F("prelevati") + pieces,
                quantita_rimanente=F("quantita_rimanente") - pieces,
            )
        total = PezzoOrdine.objects.filter(ordine=order).aggregate(n=Sum("quantita_totale"))["n"]
        Ordine.objects.filter(pk=order.pk).update(confermato_il=now, totale_pezzi=total or 0)


def cancel_order(
    order_id: int, *, reason: str, user: str, now: datetime, returns_stock: bool
) -> None:
    """IN ATTESA → ANNULLATO; what the lines drew and were given goes (back) to stock.

    Raises ``RefusedAct`` for an order that is not waiting.
    """
    with transaction.atomic(using=ALIAS):
        order = _locked(order_id)
        if not _has_state(order, Ordine.Stato.IN_ATTESA):
            raise RefusedAct("Si annulla solo un ordine in attesa.")
        lines = _locked_lines(order)
        _note_drawn(lines)
        if returns_stock:
            _return(order, lines, reason, user, now)
        Ordine.objects.filter(pk=order.pk).update(stato=Ordine.Stato.ANNULLATO)


def reopen_order(order_id: int, *, reason: str, user: str, now: datetime) -> None:
    """ANNULLATO → IN ATTESA; takes back from stock what the cancellation returned, if it is there.

    Raises ``RefusedAct`` for an order that is not cancelled.
    """
    with transaction.atomic(using=ALIAS):
        order = _locked(order_id)
        if not _has_state(order, Ordine.Stato.ANNULLATO):
            raise RefusedAct("Si riapre solo un ordine annullato.")
        lines = _locked_lines(order)
        drawn = _draw(order, {line: line.resi for line in lines}, user, now, reason)
        for line, pieces in drawn.items():
            PezzoOrdine.objects.filter(pk=line.pk).update(
                resi=F("resi") - pieces, quantita_rimanente=F("quantita_rimanente") - pieces
            )
        Ordine.objects.filter(pk=order.pk).update(stato=Ordine.Stato.IN_ATTESA)


def correct_stock(magazzino_id: int, *, counted: int, reason: str, user: str, now: datetime) -> int:
    """Books the difference between the figure and what staff counted; returns it.

    Raises ``RefusedAct`` without a reason or for a negative count.
    """
    if not reason.strip() or counted < 0:
        raise RefusedAct("Servono una quantità non negativa e un motivo.")
    with transaction.atomic(using=ALIAS):
        row = Magazzino.objects.select_for_update().get(pk=magazzino_id)
        difference = counted - row.quantita_disponibile
        movement = MovimentoMagazzino(
            magazzino=row, quantita=difference, causa=Causa.RETTIFICA, utente=user, motivo=reason
        )
        stock.book([movement], now)
    return difference


def _locked(order_id: int) -> Ordine:
    return Ordine.objects.select_for_update().get(pk=order_id)


def _has_state(order: Ordine, stato: Ordine.Stato) -> bool:
    """Whether a real order is in this state, as the database compares it: in any case."""
    return Ordine.objects.filter(pk=order.pk, stato=stato, fittizio=False).exists()


def _locked_lines(order: Ordine) -> list[PezzoOrdine]:
    return list(PezzoOrdine.objects.filter(ordine=order).order_by("pk").select_for_update())


def _note_drawn(lines: list[PezzoOrdine]) -> None:
    """On another program's order, what was missing before we first touch it was drawn."""
    PezzoOrdine.objects.filter(pk__in=[line.pk for line in lines], prelevati=None).update(
        prelevati=F("quantita_totale") - F("quantita_rimanente")
    )


def _draw(
    order: Ordine, wanted: dict[PezzoOrdine, int], user: str, now: datetime, reason: str = ""
) -> dict[PezzoOrdine, int]:
    """Books out of stock what there is of the wanted pieces; returns what each line got."""
    scorte = stock.lock_stock(line.pezzo_id for line in wanted)
    drawn = {
        line: min(pieces, scorte[line.pezzo_id].quantita_disponibile)
        for line, pieces in wanted.items()
    }
    stock.book(
        (
            MovimentoMagazzino(
                magazzino=scorte[line.pezzo_id],
                quantita=-pieces,
                causa=Causa.PRELIEVO_ORDINE,
                ordine=order,
                utente=user,
                motivo=reason,
            )
            for line, pieces in drawn.items()
        ),
        now,
    )
    return drawn


def _return(order: Ordine, lines: list[PezzoOrdine], reason: str, user: str, now: datetime) -> None:
    scorte = stock.lock_stock(line.pezzo_id for line in lines)
    movements = []
    for line in lines:
        had = line.quantita_totale - line.quantita_rimanente
        movements.append(
            MovimentoMagazzino(
                magazzino=scorte[line.pezzo_id],
                quantita=had,
                causa=Causa.RESO_ORDINE,
                ordine=order,
                utente=user,
                motivo=reason,
            )
        )
        PezzoOrdine.objects.filter(pk=line.pk).update(
            resi=F("resi") + had, quantita_rimanente=F("quantita_rimanente") + had
        )
    stock.book(movements, now)
