"""What people do with an anomaly: take it, accept it in derogation, close it, reopen it, note.

An act names the state in which each anomaly was seen. Whoever comes second, because somebody
acted meanwhile, is told so and overwrites nothing. Each act leaves its rows in the history, in
the transaction that changes the state, and one attempt in the audit trail.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from etlportal.audit.record import Actor, attempt
from production.models import AnomaliaOperazione, StoriaAnomalia
from production.vocabulary import StatoAnomalia

Stato = AnomaliaOperazione.Stato
MOST_AT_ONCE = 500
ANNOTA = "production.annota_anomalia"
GESTISCI = "production.gestisci_anomalia"


class Act(NamedTuple):
    """``to`` None: the state stays as it is. ``event`` is the act's name in the audit trail."""

    name: str
    event: str
    starts_from: tuple[StatoAnomalia, ...]
    to: StatoAnomalia | None
    permission: str = GESTISCI
    needs_note: bool = True


OF_SOMEBODY = (Stato.PRESA_IN_CARICO, Stato.ACCETTATA_IN_DEROGA, Stato.CHIUSA)
TAKE = Act(
    "prendi", "anomalia.presa_in_carico", (Stato.APERTA,), Stato.PRESA_IN_CARICO, ANNOTA, False
)
NOTE = Act("annota", "anomalia.annotata", tuple(Stato), None, ANNOTA)
ACCEPT = Act(
    "accetta", "anomalia.accettata_in_deroga", Stato.to_handle(), Stato.ACCETTATA_IN_DEROGA
)
CLOSE = Act("chiudi", "anomalia.chiusa", Stato.to_handle(), Stato.CHIUSA)
# Also one that is taken: nobody but who has it could take it any more.
REOPEN = Act("riapri", "anomalia.riaperta", OF_SOMEBODY, Stato.APERTA)
ACTS = (TAKE, NOTE, ACCEPT, CLOSE, REOPEN)


class NoteMissing(ValueError):
    """The act needs a note that says why."""


class TooMany(ValueError):
    """More than ``MOST_AT_ONCE`` anomalies in one act."""


class Seen(NamedTuple):
    """An anomaly and the state in which it was shown to whoever acts."""

    pk: int
    stato: str


class Refusal(NamedTuple):
    """An anomaly left as it is: its state now (None: it is there no more), and by whom."""

    pk: int
    stato: str | None = None
    gestita_da: str | None = None
    gestita_il: datetime | None = None


class Outcome(NamedTuple):
    done: list[int]
    refused: list[Refusal]


def perform(act: Act, seen: Sequence[Seen], *, nota: str, by: Actor, now: datetime) -> Outcome:
    """Does the act on each anomaly that is still as it was seen, all in one transaction.

    Raises ``NoteMissing`` and ``TooMany``, and what the audit trail raises when it cannot be
    written; then nothing is done.
    """
    nota = nota.strip()
    if act.needs_note and not nota:
        raise NoteMissing(act.name)
    if len(seen) > MOST_AT_ONCE:
        raise TooMany(len(seen))
    with transaction.atomic(using="production"):
        # Locked in the order of the key, so that two who act on the same ones do not block.
        wanted = AnomaliaOperazione.objects.filter(pk__in=[pk for pk, _ in seen]).order_by("pk")
        shown = wanted.only("stato", "gestita_da", "gestita_il").select_for_update()
        rows = {row.pk: row for row in shown}
        done = {
            pk: rows[pk]
            for pk, stato in seen
            # A note changes no state, so it fits whatever happened meanwhile.
            if pk in rows
            and (act.to is None or (rows[pk].stato == stato and stato in act.starts_from))
        }
        if done:
            on = f"anomalia_operazione: {', '.join(map(str, done))}"
            with attempt(act.event, by, on, {"anomalie": list(done), "nota": nota}):
                _write(act, done.values(), nota, by.name, now)
    refused = [
        Refusal(pk, row.stato, row.gestita_da, row.gestita_il)
        if (row := rows.get(pk))
        else Refusal(pk)
        for pk, _ in seen
        if pk not in done
    ]
    return Outcome(list(done), refused)


def _write(
    act: Act, rows: Collection[AnomaliaOperazione], nota: str, by: str, now: datetime
) -> None:
    StoriaAnomalia.objects.bulk_create(
        StoriaAnomalia(
            anomalia_operazione_id=row.pk,
            azione=act.name,
            da_stato=row.stato,
            a_stato=act.to or row.stato,
            chi=by,
            quando=now,
            nota=nota,
        )
        for row in rows
    )
    if act.to is not None:
        AnomaliaOperazione.objects.filter(pk__in=[row.pk for row in rows]).update(
            stato=act.to, gestita_da=by, gestita_il=now, nota_gestione=nota
        )
