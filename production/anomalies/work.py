"""What people do with an anomaly: take it, accept it in derogation, close it, reopen it, note.

An act names the state in which each anomaly was seen. Whoever comes second, because somebody
acted meanwhile, is told so and overwrites nothing. Each act leaves its rows in the history, in
the transaction that changes the state, and one attempt in the audit trail.
"""

from collections.abc import Iterable, Sequence
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
    starts_from: tuple[StatoAnomalia, ...]
    to: StatoAnomalia | None
    permission: str
    needs_note: bool
    event: str


TAKE = Act(
    "prendi", (Stato.APERTA,), Stato.PRESA_IN_CARICO, ANNOTA, False, "anomalia.presa_in_carico"
)
ACCEPT = Act(
    "accetta",
    Stato.to_handle(),
    Stato.ACCETTATA_IN_DEROGA,
    GESTISCI,
    True,
    "anomalia.accettata_in_deroga",
)
CLOSE = Act("chiudi", Stato.to_handle(), Stato.CHIUSA, GESTISCI, True, "anomalia.chiusa")
# Also one that is taken: nobody but who has it could take it any more.
REOPEN = Act(
    "riapri",
    (Stato.PRESA_IN_CARICO, Stato.ACCETTATA_IN_DEROGA, Stato.CHIUSA),
    Stato.APERTA,
    GESTISCI,
    True,
    "anomalia.riaperta",
)
NOTE = Act("annota", tuple(Stato), None, ANNOTA, True, "anomalia.annotata")
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
    stato: str | None
    gestita_da: str | None
    gestita_il: datetime | None


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
        rows = _locked(seen)
        fitting = [row for pk, stato in seen if (row := rows.get(pk)) and _fits(act, row, stato)]
        done = list({row.pk: row for row in fitting}.values())
        if done:
            ids = [row.pk for row in done]
            on = f"anomalia_operazione: {', '.join(map(str, ids))}"
            with attempt(act.event, by, on, {"anomalie": ids, "nota": nota}):
                _write(act, done, nota, by.name, now)
    changed = {row.pk for row in done}
    refused = [_refusal(pk, rows.get(pk)) for pk, _ in seen if pk not in changed]
    return Outcome([row.pk for row in done], refused)


def _locked(seen: Iterable[Seen]) -> dict[int, AnomaliaOperazione]:
    """The rows by key, locked in its order, so that two who act on the same ones do not block."""
    wanted = AnomaliaOperazione.objects.filter(pk__in=[pk for pk, _ in seen])
    rows = wanted.only("stato", "gestita_da", "gestita_il").order_by("pk").select_for_update()
    return {row.pk: row for row in rows}


def _fits(act: Act, row: AnomaliaOperazione, stato: str) -> bool:
    """A note changes no state, so it fits whatever happened meanwhile."""
    return act.to is None or (row.stato == stato and stato in act.starts_from)


def _write(act: Act, rows: Sequence[AnomaliaOperazione], nota: str, by: str, now: datetime) -> None:
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


def _refusal(pk: int, row: AnomaliaOperazione | None) -> Refusal:
    if row is None:
        return Refusal(pk, None, None, None)
    return Refusal(pk, row.stato, row.gestita_da, row.gestita_il)
