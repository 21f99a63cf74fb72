"""What the start page and the pages of an order and of a stock row show as figures."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from typing import NamedTuple

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from orders.models import Magazzino, MovimentoMagazzino, MovimentoProduzione, Ordine, PezzoOrdine
from orders.rules import PIECE, Production, makes_nothing, piece_microseconds
from production.figures import WorkedOperation
from production.models import Pezzo
from production.vocabulary import CausaMovimento

FIRST = 3  # rows that a tile names
MOST_LEVELS = 500  # steps of a picture


class OrderFigure(NamedTuple):
    id_ordine: int
    fatti: int
    totali: int


class OrderFigures(NamedTuple):
    """Numbers of waiting orders, and the first few of those that are late or nearly done."""

    in_attesa: int
    in_ritardo: int
    quasi_completi: int
    senza_righe: int
    primi_in_ritardo: list[OrderFigure]
    primi_quasi_completi: list[OrderFigure]


class Level(NamedTuple):
    """From ``dal`` on, so many pieces."""

    dal: datetime
    pezzi: int


# --- Tiles --------------------------------------------------------------------------------


def order_figures(today: date, late_after_days: int) -> OrderFigures:
    orders = Ordine.objects.order_by("data_inizio", "pk")
    late = orders.late(today, late_after_days)
    near = list(orders.nearly_done().values_list("pk", flat=True))
    return OrderFigures(
        orders.waiting().count(),
        late.count(),
        len(near),
        orders.without_lines().count(),
        _progress(list(late.values_list("pk", flat=True)[:FIRST])),
        _progress(near[:FIRST]),
    )


def _progress(keys: list[int]) -> list[OrderFigure]:
    """What is made of these few orders."""
    lines = PezzoOrdine.objects.filter(ordine__in=keys).order_by().values_list("ordine_id")
    sums = lines.annotate(Sum("quantita_totale"), Sum("quantita_rimanente"))
    made = {pk: (int(total - left), int(total)) for pk, total, left in sums}
    return [OrderFigure(key, *made.get(key, (0, 0))) for key in keys]


def below_minimum() -> list[Magazzino]:
    """Stock rows below their minimum, the emptiest in proportion first."""
    rows = Magazzino.objects.below_minimum().select_related("pezzo", "tipo_acciaio").order_by()
    # Another program may have a negative stock with a minimum of 0.
    return sorted(
        rows, key=lambda row: (row.quantita_disponibile / (row.scorta_minima or 1), row.articolo)
    )


# --- Production per hour ------------------------------------------------------------------


def pieces_per_slot(works: Iterable[WorkedOperation], slots: Sequence[datetime]) -> list[Fraction]:
    """Finished pieces of each [slots[i], slots[i+1]): by the end of their last working step.

    Counted as orders are (orders/rules.py), fictitious production left out; fractions are kept.
    """
    ended = [work for work in works if work.fine and slots[0] <= work.fine < slots[-1]]
    final_steps = dict(Pezzo.objects.order_by().values_list("pk", "fase_finale"))
    numbers = {work.ordine for work in ended if work.ordine}
    fictitious = set(
        Ordine.objects.filter(pk__in=numbers, fittizio=True).values_list("pk", flat=True)
    )
    sums = [0] * (len(slots) - 1)
    for work in ended:
        made = Production(
            work.id_operazione,
            work.ordine,
            work.pezzo,
            work.tipo,
            work.pezzi_ora,
            work.pezzi_prodotti,
            work.durata,
        )
        if work.fine and not makes_nothing(made, final_steps, fictitious):
            sums[bisect_right(slots, work.fine) - 1] += piece_microseconds(made)
    return [Fraction(total, PIECE) for total in sums]


# --- Over time ----------------------------------------------------------------------------


def stock_levels(row: Magazzino, since: datetime) -> list[Level]:
    """The level at ``since`` and after each later movement, up to what there is now.

    Reckoned back from the present figure: what another program changed without a movement is
    taken for older than all of them.
    """
    changes = (
        MovimentoMagazzino.objects.filter(magazzino=row, creato_il__gt=since)
        .order_by("creato_il")
        .values_list("creato_il")
        .annotate(Sum("quantita"))
    )
    return _levels(row.quantita_disponibile, since, list(changes))


def burn_down(order: Ordine) -> list[Level]:
    """Pieces left to make: from the order's beginning and after each change, up to now.

    Changes are what counting gave to the order, at the end of the operation that made it, and
    what staff's acts drew or returned; the draws that counting books beside what it gave are the
    same pieces. [] for an order without lines.
    """
    left = PezzoOrdine.objects.filter(ordine=order).aggregate(n=Sum("quantita_rimanente"))["n"]
    if left is None:
        return []
    made = (
        MovimentoProduzione.objects.filter(ordine=order, dati__gt=0)
        .order_by()
        .annotate(moment=Coalesce("operazione__timestamp_fine", "creato_il"))
        .filter(moment__isnull=False)
        .values_list("moment")
        .annotate(Sum("dati"))
    )
    moved = (
        MovimentoMagazzino.objects.filter(
            Q(causa=CausaMovimento.PRELIEVO_ORDINE, esecuzione=None)
            | Q(causa=CausaMovimento.RESO_ORDINE),
            ordine=order,
            creato_il__isnull=False,
        )
        .order_by()
        .values_list("creato_il")
        .annotate(Sum("quantita"))
    )
    changes: dict[datetime, int] = defaultdict(int)
    for moment, pieces in made:
        changes[moment] -= int(pieces)
    for moment, pieces in moved:
        changes[moment] += int(pieces)
    beginnings = [order.confermato_il, min(changes, default=None)]
    if order.data_inizio:
        beginnings.append(timezone.make_aware(datetime.combine(order.data_inizio, time.min)))
    known = [moment for moment in beginnings if moment]
    return _levels(int(left), min(known), sorted(changes.items())) if known else []


def _levels(now: int, since: datetime, changes: Sequence[tuple[datetime, int]]) -> list[Level]:
    levels = [Level(since, now - sum(int(change) for _, change in changes))]
    for moment, change in changes:
        levels.append(Level(moment, levels[-1].pezzi + int(change)))
    return thinned(levels)


def thinned(levels: list[Level], most: int = MOST_LEVELS) -> list[Level]:
    """At most so many: of each of equal stretches of time the last, and the very first."""
    if len(levels) <= most:
        return levels
    first, length = levels[0].dal, levels[-1].dal - levels[0].dal
    last_of = {int((level.dal - first) / length * (most - 2)): level for level in levels[1:]}
    return [levels[0], *last_of.values()]
