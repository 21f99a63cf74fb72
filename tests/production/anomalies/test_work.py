"""What people do with an anomaly: every transition and every refusal, by the table."""

from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections, transaction

from etlportal.audit.record import Actor
from etlportal.audit.request import current_request
from etlportal.models import VoceAudit
from production.anomalies import work as anomaly_work
from production.anomalies.work import ACCEPT, ACTS, CLOSE, NOTE, REOPEN, TAKE, Act, Seen
from production.models import AnomaliaOperazione, Operazione, StoriaAnomalia
from tests.builders import ANNA, BRUNO

pytestmark = pytest.mark.django_db(databases=["default", "production"])

NOW = datetime(2024, 12, 20, 12, 0, tzinfo=UTC)
APERTA, PRESA, DEROGA, CHIUSA = "aperta", "presa_in_carico", "accettata_in_deroga", "chiusa"

# Act → from which state to which; from any other it is refused.
TRANSITIONS = {
    TAKE: {APERTA: PRESA},
    ACCEPT: {APERTA: DEROGA, PRESA: DEROGA},
    CLOSE: {APERTA: CHIUSA, PRESA: CHIUSA},
    REOPEN: {PRESA: APERTA, DEROGA: APERTA, CHIUSA: APERTA},
    NOTE: {APERTA: APERTA, PRESA: PRESA, DEROGA: DEROGA, CHIUSA: CHIUSA},
}
STATES = (APERTA, PRESA, DEROGA, CHIUSA)


def make_anomalia(stato: str = APERTA) -> AnomaliaOperazione:
    return AnomaliaOperazione.objects.create(
        operazione=Operazione.objects.create(), anomalia_id=2, stato=stato
    )


def perform(act: Act, *seen: Seen, nota: str = "fatto", by: Actor = ANNA):
    token = current_request.set("r-1")
    try:
        return anomaly_work.perform(act, seen, nota=nota, by=by, now=NOW)
    finally:
        current_request.reset(token)


@pytest.mark.parametrize("stato", STATES)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_every_act_on_every_state(catalogue: None, act: Act, stato: str) -> None:
    anomalia = make_anomalia(stato)
    outcome = perform(act, Seen(anomalia.pk, stato))
    anomalia.refresh_from_db()
    told = list(StoriaAnomalia.objects.values_list("da_stato", "a_stato", "chi", "quando", "nota"))
    audit = list(VoceAudit.objects.values_list("azione", "chi", "request_id"))
    to = TRANSITIONS[act].get(stato)
    if to is None:
        assert outcome == ([], [(anomalia.pk, stato, None, None)])
        assert (anomalia.stato, told, audit) == (stato, [], [])
        return
    assert outcome == ([anomalia.pk], [])
    assert anomalia.stato == to
    assert told == [(stato, to, "anna", NOW, "fatto")]
    assert audit == [(act.event, "anna", "r-1")]
    by = None if act is NOTE else "anna"  # a note leaves the last change as it was
    assert (anomalia.gestita_da, anomalia.gestita_il) == (by, by and NOW)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_who_comes_second_is_told_and_overwrites_nothing(catalogue: None, act: Act) -> None:
    stato = next(iter(TRANSITIONS[act]))
    anomalia = make_anomalia(stato)
    seen = Seen(anomalia.pk, stato)
    perform(act, seen, nota="primo", by=ANNA)
    outcome = perform(act, seen, nota="secondo", by=BRUNO)
    anomalia.refresh_from_db()
    if act is NOTE:
        assert list(StoriaAnomalia.objects.values_list("chi", "nota")) == [
            ("anna", "primo"),
            ("bruno", "secondo"),
        ]
        return
    assert outcome == ([], [(anomalia.pk, act.to, "anna", NOW)])
    assert (anomalia.gestita_da, anomalia.nota_gestione) == ("anna", "primo")
    assert StoriaAnomalia.objects.count() == VoceAudit.objects.count() == 1


def test_the_state_that_was_seen_decides_and_not_the_state_now(catalogue: None) -> None:
    """Closing fits both states, but what was seen open has somebody at it now."""
    anomalia = make_anomalia(APERTA)
    perform(TAKE, Seen(anomalia.pk, APERTA), by=ANNA)
    outcome = perform(CLOSE, Seen(anomalia.pk, APERTA), by=BRUNO)
    assert outcome == ([], [(anomalia.pk, PRESA, "anna", NOW)])


def test_of_many_those_that_fit_are_done_and_the_others_told(catalogue: None) -> None:
    first, second, third = (make_anomalia(stato) for stato in (APERTA, CHIUSA, PRESA))
    seen = [Seen(first.pk, APERTA), Seen(second.pk, CHIUSA), Seen(third.pk, PRESA), Seen(999, "x")]
    outcome = perform(CLOSE, *seen, seen[0])
    assert outcome.done == [first.pk, third.pk]
    assert outcome.refused == [(second.pk, CHIUSA, None, None), (999, None, None, None)]
    entry = VoceAudit.objects.get()
    assert entry.dettagli == {"anomalie": [first.pk, third.pk], "nota": "fatto"}
    assert StoriaAnomalia.objects.count() == 2


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_who_must_say_why(catalogue: None, act: Act) -> None:
    stato = next(iter(TRANSITIONS[act]))
    seen = Seen(make_anomalia(stato).pk, stato)
    if act is TAKE:
        assert perform(act, seen, nota=" ").done
        return
    with pytest.raises(anomaly_work.NoteMissing):
        perform(act, seen, nota=" \n")
    assert not StoriaAnomalia.objects.exists()


def test_no_more_than_so_many_at_once(catalogue: None) -> None:
    with pytest.raises(anomaly_work.TooMany):
        perform(CLOSE, *(Seen(n, APERTA) for n in range(501)))


def test_an_act_that_the_trail_cannot_hold_is_not_done(
    catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**values: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)
    anomalia = make_anomalia()
    with pytest.raises(OSError, match="no room"):
        perform(CLOSE, Seen(anomalia.pk, APERTA))
    anomalia.refresh_from_db()
    assert (anomalia.stato, anomalia.gestita_da) == (APERTA, None)
    assert not StoriaAnomalia.objects.exists()


def test_a_row_of_another_program_is_open(catalogue: None) -> None:
    operazione = Operazione.objects.create()
    with connections["production"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO anomalia_operazione (id_anomalia, id_operazione, note) "
            "VALUES (2, %s, 'dal negozio')",
            [operazione.pk],
        )
    anomalia = AnomaliaOperazione.objects.to_handle().get()
    assert anomalia.stato == APERTA
    assert perform(TAKE, Seen(anomalia.pk, APERTA)).done == [anomalia.pk]


def test_another_program_may_delete_an_anomaly_that_has_a_history(catalogue: None) -> None:
    anomalia = make_anomalia()
    perform(TAKE, Seen(anomalia.pk, APERTA))
    with connections["production"].cursor() as cursor, transaction.atomic(using="production"):
        cursor.execute("DELETE FROM anomalia_operazione WHERE internal_id = %s", [anomalia.pk])
    assert not AnomaliaOperazione.objects.exists()


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_of_many_at_the_same_time_one_gets_each(catalogue: None) -> None:
    """Eight people close the same fifty anomalies: each is closed once, by one of them."""
    operazione = Operazione.objects.create()
    rows = [AnomaliaOperazione(operazione=operazione, anomalia_id=2) for _ in range(50)]
    AnomaliaOperazione.objects.bulk_create(rows)
    seen = [Seen(pk, APERTA) for pk in AnomaliaOperazione.objects.values_list("pk", flat=True)]
    people = [f"p{n}" for n in range(8)]
    barrier, outcomes, failures = Barrier(len(people)), {}, []

    def close(who: str, order: list[Seen]) -> None:
        try:
            barrier.wait()
            outcomes[who] = perform(CLOSE, *order, by=Actor(ANNA.kind, who), nota=who)
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [
        Thread(target=close, args=(who, seen[n:] + seen[:n])) for n, who in enumerate(people)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    done = {pk: who for who, outcome in outcomes.items() for pk in outcome.done}
    assert sum(len(outcome.done) for outcome in outcomes.values()) == len(done) == 50
    assert all(len(o.done) + len(o.refused) == 50 for o in outcomes.values())
    closed = AnomaliaOperazione.objects.filter(stato=CHIUSA).values_list("pk", "gestita_da")
    assert dict(closed) == done
    assert dict(StoriaAnomalia.objects.values_list("anomalia_operazione_id", "chi")) == done
    assert StoriaAnomalia.objects.count() == 50
