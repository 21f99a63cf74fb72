"""Records in error set aside with a reason: by whom, what it changes, and how it is undone."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from etlportal.audit.record import Actor
from etlportal.models import VoceAudit
from ingestion.models import RawOperazione
from ingestion.reception import store
from ingestion.watch import figures, status
from tests import builders
from tests.builders import ANNA, BRUNO

pytestmark = pytest.mark.django_db(databases=["default", "production"])

Stato = RawOperazione.Stato
RAW = "/admin/ingestion/rawoperazione/"
SCARTA = f"{RAW}scarta/"


def make_refused(**overrides: Any) -> RawOperazione:
    fields = {"stato": Stato.ERROR, "tentativi": 2, "errore_codice": "MYSQL_1406"}
    return builders.make_raw_operazione(**(fields | overrides))


def discard(*rows: RawOperazione, reason: str = "doppione", by: Actor = ANNA) -> list[int]:
    return store.discard([row.pk for row in rows], reason=reason, by=by, now=timezone.now())


def as_role(role: str) -> Client:
    user = User.objects.create_user(f"u-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def messages_of(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


def listed(client: Client, **parameters: str) -> list[int]:
    return [row.pk for row in client.get(RAW, parameters).context["cl"].result_list]


@pytest.mark.parametrize("stato", list(Stato))
def test_only_rows_in_error_are_set_aside(stato: str) -> None:
    row = make_refused(stato=stato)
    assert discard(row) == ([row.pk] if stato == Stato.ERROR else [])
    row.refresh_from_db()
    assert row.stato == stato  # the contract's three states stay
    assert (row.scartato_da, row.scartato_motivo) == (
        ("anna", "doppione") if stato == Stato.ERROR else (None, None)
    )
    assert VoceAudit.objects.filter(azione="record.scartati").exists() == (stato == Stato.ERROR)


def test_who_comes_second_overwrites_nothing() -> None:
    row = make_refused()
    discard(row, reason="primo")
    assert discard(row, reason="secondo", by=BRUNO) == []
    row.refresh_from_db()
    assert (row.scartato_da, row.scartato_motivo) == ("anna", "primo")
    assert VoceAudit.objects.count() == 1


def test_back_in_the_queue_it_is_set_aside_no_more() -> None:
    row = make_refused()
    discard(row)
    assert store.requeue([row.pk], by=ANNA) == 1
    row.refresh_from_db()
    assert row.stato == Stato.PENDING
    assert (row.scartato_da, row.scartato_il, row.scartato_motivo) == (None, None, None)


def test_what_counts_and_what_no_longer_waits() -> None:
    kept, aside = make_refused(), make_refused()
    discard(aside)
    assert figures.rejected() == (1, kept.ricevuto_il)
    assert RawOperazione.objects.filter(stato=Stato.ERROR).count() == 2
    assert status.staging()["error"] == 2  # the contract's own count


def test_the_list_tells_them_apart(admin_client: Client) -> None:
    kept, aside = make_refused(), make_refused()
    discard(aside)
    assert listed(admin_client, errori="da_gestire") == [kept.pk]
    assert listed(admin_client, errori="scartati") == [aside.pk]
    assert set(listed(admin_client)) == {kept.pk, aside.pk}
    assert "In errore · scartato" in admin_client.get(RAW).text


def test_one_is_set_aside_from_its_page_and_taken_back(admin_client: Client) -> None:
    row = make_refused(errore_messaggio="Troppo lungo.")
    change = f"{RAW}{row.pk}/change/"
    assert f'href="{SCARTA}?id={row.pk}"' in admin_client.get(change).text
    asked = admin_client.get(SCARTA, {"id": row.pk}).text
    assert "Troppo lungo." in asked
    page = admin_client.post(SCARTA, {"id": row.pk, "motivo": "<b>doppio</b>"}, follow=True)
    assert page.redirect_chain == [(change, 302)]
    assert messages_of(page) == ["1 record scartato."]
    assert "&lt;b&gt;doppio&lt;/b&gt;" in page.text
    assert f'href="{SCARTA}?id=' not in page.text
    entry = VoceAudit.objects.get(azione="record.scartati")
    assert (entry.chi, entry.dettagli) == (
        "admin",
        {"record": [row.pk], "motivo": "<b>doppio</b>"},
    )
    chosen = {"action": "requeue", "index": 0, "_selected_action": [row.pk]}
    admin_client.post(RAW, chosen)
    assert "doppio" not in admin_client.get(change).text
    assert VoceAudit.objects.get(azione="record.rimessi_in_coda").chi == "admin"


def test_many_are_set_aside_from_the_list(admin_client: Client) -> None:
    rows = [make_refused() for _ in range(3)]
    loaded = make_refused(stato=Stato.PROCESSED)
    ids = [row.pk for row in (*rows, loaded)]
    chosen = {"action": "discard", "index": 0, "_selected_action": ids}
    asked = admin_client.post(RAW, chosen).text
    assert "Scarta con motivo · 3 record" in asked
    page = admin_client.post(SCARTA, {"id": ids, "motivo": "prova"}, follow=True)
    assert messages_of(page) == [
        "3 record scartati.",
        "1 record lasciato com'è: non era più in errore, o era già scartato.",
    ]


def test_without_a_reason_nothing_is_done(admin_client: Client) -> None:
    row = make_refused()
    for reason in ("", "   ", "x" * 501):
        page = admin_client.post(SCARTA, {"id": row.pk, "motivo": reason})
        assert "Correggi quanto indicato qui sotto." in page.text
    assert not RawOperazione.objects.discarded().exists()


@pytest.mark.parametrize("ids", [[], ["x"], ["999999"], ["9" * 40]])
def test_what_nobody_would_send_does_no_harm(admin_client: Client, ids: list[str]) -> None:
    for answer in (
        admin_client.get(SCARTA, {"id": ids}, follow=True),
        admin_client.post(SCARTA, {"id": ids, "motivo": "x"}, follow=True),
    ):
        assert answer.status_code == 200


@pytest.mark.parametrize(("role", "may"), [("operatore", False), ("capoturno", True)])
def test_who_may(role: str, may: bool) -> None:
    row = make_refused()
    client = as_role(role)
    page = client.get(f"{RAW}{row.pk}/change/").text
    assert (SCARTA in page) == may
    answer = client.post(SCARTA, {"id": row.pk, "motivo": "x"})
    assert answer.status_code == (302 if may else 403)
    assert RawOperazione.objects.discarded().exists() == may


def test_an_act_that_the_trail_cannot_hold_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**values: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)
    row = make_refused()
    with pytest.raises(OSError, match="no room"):
        discard(row)
    assert not RawOperazione.objects.discarded().exists()
