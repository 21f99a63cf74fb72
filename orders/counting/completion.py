"""Orders that need no more production are completed, by the last chunk that they waited for."""

from datetime import date, datetime

from django.db.models import Exists, Max, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce

from ingestion.transfer.timestamps import utc_to_plant
from orders.models import MovimentoProduzione, Ordine, PezzoOrdine


def complete(orders: QuerySet[Ordine], now: datetime) -> list[int]:
    """Completes those of ``orders`` that have lines and none with pieces left; returns them.

    ``data_fine`` is the plant day of the last production counted for the order, today where
    nothing was; it is set once, and never rewritten.
    """
    candidates = list(_full(orders).values_list("pk", flat=True))
    # The web shop may be adding a line at this moment: with the rows locked, look again.
    locked = Ordine.objects.filter(pk__in=candidates).order_by("pk").select_for_update()
    list(locked.values_list("pk", flat=True))
    lines = PezzoOrdine.objects.filter(ordine__in=candidates).order_by("pk").select_for_update()
    list(lines.values_list("pk", flat=True))
    completed = sorted(_full(orders.filter(pk__in=candidates)).values_list("pk", flat=True))
    for pk in completed:
        Ordine.objects.filter(pk=pk, stato=Ordine.Stato.IN_ATTESA).update(
            stato=Ordine.Stato.COMPLETATO,
            data_fine=Coalesce(
                "data_fine", Value(_last_production_day(pk) or utc_to_plant(now).date())
            ),
        )
    return completed


def _full(orders: QuerySet[Ordine]) -> QuerySet[Ordine]:
    lines = PezzoOrdine.objects.filter(ordine=OuterRef("pk"))
    return orders.filter(Exists(lines), ~Exists(lines.filter(quantita_rimanente__gt=0)))


def _last_production_day(order_id: int) -> date | None:
    last = MovimentoProduzione.objects.filter(ordine=order_id, dati__gt=0).aggregate(
        last=Max("operazione__timestamp_fine")
    )["last"]
    return utc_to_plant(last).date() if last else None
