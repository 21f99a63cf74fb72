"""New anomalies, for who asks again and again: every one that was committed, once, in order.

Ids cannot tell what is new: a transaction that began earlier may commit later, with a smaller
id than those that were read meanwhile. So an anomaly gets its place (``sequenza``) when it is
first seen, which is after its commit; who gives places holds a row lock, so that they become
visible in their order. Whoever wrote the row, this program or another, needs to know nothing.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from django.db import transaction
from django.db.models import Q

from etlportal.api.errors import WrongCursor
from ingestion.runs.listing import iso
from production.models import AnomaliaOperazione, NumerazioneAnomalie

PAGE = 100
NUMBERED_AT_ONCE = 2000  # few enough for one statement's parameters in every database
# The longest that one call gives places; what is left is for the next one.
NUMBERING_SECONDS = 10.0
CURSOR = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


class Cursor(NamedTuple):
    """What was read last: its ``sequenza`` and, among those that share it, its id."""

    sequenza: int
    pk: int

    @classmethod
    def parse(cls, text: str) -> Self:
        match = CURSOR.fullmatch(text)
        if match is None:
            raise WrongCursor([{"campo": "dopo", "messaggio": "Cursore non valido."}])
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.sequenza}-{self.pk}"


class FeedPage(NamedTuple):
    """At most ``PAGE`` anomalies, the cursor to ask with next ("" = ask again from now), and
    whether more are waiting.
    """

    anomalie: list[dict[str, Any]]
    prossimo: str
    more: bool


def read(dopo: str, now: datetime) -> FeedPage:
    """The anomalies after that cursor; with "", none, and the cursor of this moment.

    Raises ``WrongCursor`` for a cursor that is none.
    """
    cursor = Cursor.parse(dopo) if dopo else None
    up_to_date = number_committed(now, NUMBERING_SECONDS)
    if cursor is None:
        numbered = AnomaliaOperazione.objects.exclude(sequenza=None)
        last = numbered.order_by("-sequenza", "-pk").only("sequenza").first()
        latest = _cursor_of(last) if last else Cursor(0, 0)
        return FeedPage([], str(latest) if up_to_date else "", False)
    after = Q(sequenza__gt=cursor.sequenza) | Q(pk__gt=cursor.pk)
    found = AnomaliaOperazione.objects.filter(after, sequenza__gte=cursor.sequenza)
    # Prefetched, not joined: with a join MariaDB may read all operations before the first row.
    found = found.prefetch_related("anomalia", "operazione").order_by("sequenza", "pk")
    rows = list(found[: PAGE + 1])
    page = rows[:PAGE]
    if page:
        cursor = _cursor_of(page[-1])
    return FeedPage([as_json(row) for row in page], str(cursor), len(rows) > PAGE)


def number_committed(now: datetime, seconds: float) -> bool:
    """Gives every committed anomaly its place; False if that would take longer than that.

    Places are microseconds of the clock, so that they go on rising after a restore of the
    database, and never go back if the clock does.
    """
    # In a transaction of its own: two that create it together would deadlock over its lock.
    NumerazioneAnomalie.objects.get_or_create(pk=1)
    unnumbered = AnomaliaOperazione.objects.filter(sequenza=None)
    deadline = time.monotonic() + seconds
    while unnumbered.exists():
        if time.monotonic() > deadline:
            return False
        with transaction.atomic(using="production"):
            counter = NumerazioneAnomalie.objects.select_for_update().get(pk=1)
            # Read without locks, then written by key: rows not yet committed are not waited for.
            pks = list(unnumbered.order_by("pk").values_list("pk", flat=True)[:NUMBERED_AT_ONCE])
            counter.ultima = max(counter.ultima + 1, int(now.timestamp() * 1_000_000))
            counter.save(update_fields=["ultima"])
            # The same new place for these few rows: among them, the id decides.
            AnomaliaOperazione.objects.filter(pk__in=pks).update(sequenza=counter.ultima)
    return True


def _cursor_of(row: AnomaliaOperazione) -> Cursor:
    return Cursor(row.sequenza or 0, row.pk)


def as_json(row: AnomaliaOperazione) -> dict[str, Any]:
    """An anomaly as the answer shows it: no nulls, "" where a value is unknown.

    ``creata_il`` of a row that another program wrote without it is when it was first seen.
    """
    seen = datetime.fromtimestamp((row.sequenza or 0) / 1_000_000, UTC)
    return {
        "id": row.pk,
        "id_operazione": row.operazione_id,
        "id_anomalia": row.anomalia_id,
        "tipo": row.anomalia.tipo_anomalia,
        "campo": row.campo or "",
        "valore_ricevuto": row.valore_ricevuto or "",
        "note": row.note,
        "origine": row.origine or "",
        "codice_pezzo": row.operazione.pezzo_id or "",
        "codice_macchinario": row.operazione.macchinario_id or "",
        "creata_il": iso(row.creata_il or seen),
    }
