"""One shift's production, small enough to know every figure that counting it must leave."""

from collections import Counter
from datetime import date
from typing import Any, NamedTuple

from orders.models import Magazzino, MovimentoMagazzino, MovimentoProduzione, Ordine, PezzoOrdine
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione
from tests.builders import make_pezzo
from tests.orders.builders import (
    NO_LIMITS,
    make_cnc_pezzo,
    make_forgiature,
    make_lavorazioni,
    make_operazione,
    make_ordine_con,
    make_scorta,
)


class Shift(NamedTuple):
    """An order of two forged pieces and a machined one, and a cancelled order."""

    ordine: int
    annullato: int
    forgiato: str
    lavorato: str


def make_shift(mark: object = "") -> Shift:
    """Every kind of change at once, on orders and pieces of its own: nothing counted yet.

    ``mark`` tells the pieces of several shifts apart. The machined piece has no stock row.
    """
    forgiato, lavorato = f"F{mark}", f"C{mark}"
    make_pezzo(forgiato, **NO_LIMITS)
    make_cnc_pezzo(lavorato)
    ordine = make_ordine_con({forgiato: 2, lavorato: 1}).pk
    annullato = make_ordine_con({forgiato: 5}, stato=Ordine.Stato.ANNULLATO).pk
    make_scorta(forgiato, 50)
    make_forgiature(3, ordine_id=ordine, pezzo_id=forgiato)
    make_lavorazioni(2, ordine_id=ordine, pezzo_id=lavorato)
    make_forgiature(1, ordine_id=annullato, pezzo_id=forgiato)
    make_operazione(ordine_id=ordine, pezzo_id=None)
    return Shift(ordine, annullato, forgiato, lavorato)


def expected_figures(shift: Shift) -> dict[str, Any]:
    """What an update must leave, counted by hand: three given, two over, the order complete."""
    return {
        "ordine": (Ordine.Stato.COMPLETATO, date(2024, 12, 20)),
        "righe": {
            (shift.ordine, shift.forgiato): (0, 0),
            (shift.ordine, shift.lavorato): (0, 0),
            (shift.annullato, shift.forgiato): (5, 0),
        },
        "scorte": {shift.forgiato: (52, 50), shift.lavorato: (0, 0)},
        "movimenti": Counter(
            {
                (shift.forgiato, "CARICO_PRODUZIONE", 3, shift.ordine): 1,
                (shift.forgiato, "PRELIEVO_ORDINE", -2, shift.ordine): 1,
                (shift.forgiato, "CARICO_PRODUZIONE", 1, shift.annullato): 1,
                (shift.lavorato, "CARICO_PRODUZIONE", 1, shift.ordine): 1,
                (shift.lavorato, "PRELIEVO_ORDINE", -1, shift.ordine): 1,
            }
        ),
        "contate": Counter(
            {
                ("ORDINE", 1, 0): 3,
                ("ORDINE", 0, 1): 1,
                ("ORDINE", 0, 0): 1,
                ("MAGAZZINO", 0, 1): 1,
                ("NON_ATTRIBUIBILE", 0, 0): 1,
            }
        ),
        "anomalie": Counter({AnomaliaId.SOVRAPPRODUZIONE: 2}),
    }


def figures(shift: Shift) -> dict[str, Any]:
    """The same of what the database holds."""
    orders, pieces = (shift.ordine, shift.annullato), (shift.forgiato, shift.lavorato)
    lines = PezzoOrdine.objects.filter(ordine__in=orders)
    ordine = Ordine.objects.get(pk=shift.ordine)
    ledger = MovimentoProduzione.objects.filter(ordine__in=orders)
    moved = MovimentoMagazzino.objects.filter(magazzino__pezzo__in=pieces)
    return {
        "ordine": (ordine.stato, ordine.data_fine),
        "righe": {
            (line.ordine_id, line.pezzo_id): (line.quantita_rimanente, line.prelevati or 0)
            for line in lines
        },
        "scorte": {
            row.pezzo_id: (row.quantita_disponibile, row.quantita_iniziale)
            for row in Magazzino.objects.filter(pezzo__in=pieces)
        },
        "movimenti": Counter(moved.values_list("magazzino__pezzo", "causa", "quantita", "ordine")),
        "contate": Counter(ledger.values_list("esito", "dati", "eccedenza")),
        "anomalie": Counter(
            AnomaliaOperazione.objects.filter(operazione__ordine__in=orders).values_list(
                "anomalia", flat=True
            )
        ),
    }
