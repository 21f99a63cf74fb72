"""At most so many requests a minute for each key, counted in the database that all share."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from etlportal.models import ConsumoChiave

MINUTE = timedelta(minutes=1)


class KeyRateThrottle(BaseThrottle):
    """429 with ``Retry-After``; what carries no key (/healthz, a run's signed address) is free.

    DRF's own counts by reading and writing back, so that calls at the same time count as one.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        name = getattr(request.user, "nome", None)
        if not name:
            return True
        self.now = timezone.now()
        return count(name, self.now) <= settings.API_RICHIESTE_MINUTO

    def wait(self) -> float:
        """Seconds to the next minute."""
        return (minute_of(self.now) + MINUTE - self.now).total_seconds()


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def count(name: str, now: datetime) -> int:
    """Counts one request of this key; how many it made in this minute, at least."""
    minute = minute_of(now)
    rows = ConsumoChiave.objects.filter(chiave=name)
    one_more = {"richieste": F("richieste") + 1}
    # Later: the clock of another host is ahead.
    while not rows.filter(minuto__gte=minute).update(**one_more):
        if not rows.filter(minuto__lt=minute).update(minuto=minute, richieste=0):
            first = ConsumoChiave(chiave=name, minuto=minute, richieste=0)
            ConsumoChiave.objects.bulk_create([first], ignore_conflicts=True)
    return rows.values_list("richieste", flat=True).get()
