"""What staff does to orders and stock; each act is one MySQL transaction with its ledger rows.

Locks are taken in the counting job's order (order, lines, stock), so the two never deadlock with
each other. Against a program that locks otherwise the server ends one of the two: the act has then
done nothing, and is to be repeated.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum

from orders import stock
from orders.models import Magazzino, MovimentoMagazzino, Ordine, PezzoOrdine
from production.vocabulary import StatoOrdine

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
        PezzoOrdine.objects.filter(ordine=order).note_drawn()
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
        PezzoOrdine.objects.filter(ordine=order).note_drawn()
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
        drawn = _draw(order, {line: line.to_take_back for line in lines}, user, now, reason)
        for line, pieces in drawn.items():
            PezzoOrdine.objects.filter(pk=line.pk).update(
                resi=F("resi") - pieces, quantita_rimanente=F("quantita_rimanente") - pieces
            )
        Ordine.objects.filter(pk=order.pk).update(stato=Ordine.Stato.IN_ATTESA)


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

        def correction(pieces: int, why: str) -> MovimentoMagazzino:
            return MovimentoMagazzino(
                magazzino=row, quantita=pieces, causa=Causa.RETTIFICA, utente=user, motivo=why
            )

        if gap := stock.unexplained(row):
            movement = correction(gap, "Variazione di un altro programma, senza movimento.")
            movement.creato_il = now
            movement.save(using=ALIAS)
        stock.book([correction(difference, reason)], now)
    return difference


def _locked(order_id: int) -> Ordine:
    return Ordine.objects.select_for_update().get(pk=order_id)


def _has_state(order: Ordine, stato: StatoOrdine) -> bool:
    """Whether a real order is in this state, as the database compares it: in any case."""
    return Ordine.objects.filter(pk=order.pk, stato=stato, fittizio=False).exists()


def _locked_lines(order: Ordine) -> list[PezzoOrdine]:
    return list(PezzoOrdine.objects.filter(ordine=order).order_by("pk").select_for_update())


def _draw(
    order: Ordine, wanted: dict[PezzoOrdine, int], user: str, now: datetime, reason: str = ""
) -> dict[PezzoOrdine, int]:
    """Books out of stock what there is of the wanted pieces; returns what each line got."""
    scorte = stock.lock_stock(line.pezzo_id for line, pieces in wanted.items() if pieces)
    drawn = {
        line: min(pieces, scorte[line.pezzo_id].quantita_disponibile) if pieces else 0
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
            if pieces
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
