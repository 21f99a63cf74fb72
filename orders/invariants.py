"""Invariants of orders and stock (docs/affidabilita.md, "Invarianti"); ``verifica`` and
``aggiorna_ordini --verifica``.

Each line and stock figure is recomputed from the ledgers.
"""

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q, Sum

from ingestion.watch.invariants import INVARIANTS, Problem, invariant
from orders.models import Magazzino, MovimentoProduzione, Ordine, PezzoOrdine, nothing_left
from orders.rules import PIECE
from production.models import Operazione
from production.vocabulary import StatoOrdine

FRACTION = F("prodotti_us") % PIECE  # of a piece, carried


@invariant
def operazioni_contate_una_volta() -> Iterator[Problem]:
    """Waiting to be counted ⇔ no ledger row; pezzi = dati + eccedenza."""
    ledger = MovimentoProduzione.objects.filter(operazione=OuterRef("pk"))
    wrong = Operazione.objects.filter(
        Q(Exists(ledger), da_contare=True) | ~Q(Exists(ledger)) & ~Q(da_contare=True)
    )
    for pk, waiting in wrong.values_list("pk", "da_contare").iterator():
        told = "è contata ma risulta da contare" if waiting else "risulta contata ma manca"
        yield Problem("operazioni_contate_una_volta", f"operazione {pk}", f"L'operazione {told}.")
    unbalanced = MovimentoProduzione.objects.exclude(pezzi=F("dati") + F("eccedenza"))
    for pk in unbalanced.values_list("pk", flat=True).iterator():
        told = "I pezzi contati non sono quelli dati più quelli in eccedenza."
        yield Problem("operazioni_contate_una_volta", f"operazione {pk}", told)


@invariant
def righe_quadrano() -> Iterator[Problem]:
    """totale − rimanente = drawn at creation + Σ given − returned."""
    for line in PezzoOrdine.objects.filter(ordine__fittizio=False).with_given().iterator():
        if line.prelevati is None:  # as another program wrote it: nothing of ours is on it yet
            wrong = line.dati or line.resi
        else:
            wrong = line.fatti != line.prelevati + line.dati - line.resi
        if wrong:
            yield Problem(
                "righe_quadrano",
                f"ordine {line.ordine_id}, pezzo {line.pezzo_id}",
                f"Mancano {line.quantita_rimanente} pezzi su {line.quantita_totale}; dai "
                f"movimenti: presi {line.prelevati}, prodotti {line.dati}, resi {line.resi}.",
            )


@invariant
def somme_quadrano() -> Iterator[Problem]:
    """Production of a piece in the ledger = carried sums of its lines and stock; whole pieces too.

    By piece and not by line: what was made for an order before it had the line is in stock's sum.
    """
    carried: dict[str, tuple[int, int]] = {}
    for table in (PezzoOrdine, Magazzino):
        sums = table._base_manager.exclude(pezzo=None).order_by().values_list("pezzo")
        for piece, us, rest in sums.annotate(us=Sum("prodotti_us"), rest=Sum(FRACTION)):
            total, whole = carried.get(piece, (0, 0))
            carried[piece] = total + int(us), whole + (int(us) - int(rest)) // PIECE
    ledger = MovimentoProduzione.objects.exclude(pezzo=None).order_by().values_list("pezzo")
    booked = {
        piece: (int(us), int(pieces))
        for piece, us, pieces in ledger.annotate(us=Sum("pezzi_us"), n=Sum("pezzi"))
    }
    for piece in sorted(carried.keys() | booked.keys()):
        if (told := booked.get(piece, (0, 0))) != (kept := carried.get(piece, (0, 0))):
            yield Problem(
                "somme_quadrano",
                f"pezzo {piece}",
                f"Dai movimenti {told[1]} pezzi prodotti, da righe e magazzino {kept[1]}; "
                f"differenza esatta {(told[0] - kept[0]) / PIECE:.4f}.",
            )


@invariant
def magazzino_quadra() -> Iterator[Problem]:
    """stock = opening + Σ movements, ≥ 0."""
    rows = Magazzino.objects.with_unexplained()
    for row in rows.exclude(scarto=0, quantita_disponibile__gte=0):
        told = row.quantita_disponibile - row.scarto
        yield Problem(
            "magazzino_quadra",
            f"magazzino {row.pk} ({row})",
            f"Disponibili {row.quantita_disponibile}; dai movimenti {told}.",
        )


@invariant
def ordini_completati_giusti() -> Iterator[Problem]:
    """COMPLETATO ⇔ at least one line and all lines at 0; a completed order has its end date."""
    completed = Ordine.objects.filter(fittizio=False, stato=StatoOrdine.COMPLETATO)
    for wrong, told in (
        (completed.exclude(nothing_left()), "È COMPLETATO ma ha righe aperte, o nessuna riga."),
        (completed.filter(data_fine=None), "È COMPLETATO senza data_fine."),
    ):
        for pk in wrong.values_list("pk", flat=True).iterator():
            yield Problem("ordini_completati_giusti", f"ordine {pk}", told)


CHECKS = [check for check in INVARIANTS.values() if check.__module__ == __name__]
