"""Orders that need no more production are completed, by the last chunk that they waited for."""

from datetime import datetime

from django.db.models import Max, QuerySet, Value
from django.db.models.functions import Coalesce

from orders.models import MovimentoProduzione, Ordine, PezzoOrdine, nothing_left
from production.timestamps import utc_to_plant
from production.vocabulary import StatoOrdine


def complete(orders: QuerySet[Ordine], now: datetime) -> list[int]:
    """Completes those of ``orders`` that have lines and none with pieces left; returns them.

    ``data_fine`` is the plant day of the last production counted for the order, today where
    nothing was; it is set once, and never rewritten.
    """
    candidates = list(orders.filter(nothing_left()).values_list("pk", flat=True))
    # The web shop may be adding a line at this moment: with the rows locked, look again.
    locked = Ordine.objects.filter(pk__in=candidates).order_by("pk").select_for_update()
    list(locked.values_list("pk", flat=True))
    lines = PezzoOrdine.objects.filter(ordine__in=candidates).order_by("pk").select_for_update()
    list(lines.values_list("pk", flat=True))
    still = orders.filter(nothing_left(), pk__in=candidates)
    completed = sorted(still.values_list("pk", flat=True))
    for pk in completed:
        counted = MovimentoProduzione.objects.filter(ordine=pk, dati__gt=0)
        last = counted.aggregate(n=Max("operazione__timestamp_fine"))["n"] or now
        Ordine.objects.filter(pk=pk, stato=StatoOrdine.IN_ATTESA).update(
            stato=StatoOrdine.COMPLETATO,
            data_fine=Coalesce("data_fine", Value(utc_to_plant(last).date())),
        )
    return completed
