"""What is written to the audit trail, and that it cannot be taken out."""

import getpass

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import Client

from etlportal.audit.record import Actor, attempt, command_user, record
from etlportal.audit.request import current_request
from etlportal.models import VoceAudit
from production.models import Acciaio
from tests.builders import ANNA

pytestmark = pytest.mark.django_db(databases=["default", "production"])

LIST = "/admin/etlportal/voceaudit/"
Attore = VoceAudit.Attore


def entries():
    return list(VoceAudit.objects.order_by("pk").values_list("chi", "azione", "oggetto"))


def test_an_act_is_a_row():
    token = current_request.set("r-1")
    record("registri.svuotati", ANNA, "etl.log", {"byte": 3})
    current_request.reset(token)

    row = VoceAudit.objects.get()
    assert (row.chi, row.azione, row.oggetto) == ("anna", "registri.svuotati", "etl.log")
    assert (row.dettagli, row.request_id) == ({"byte": 3}, "r-1")


def test_what_cannot_be_written_is_an_error_for_whoever_acts(monkeypatch):
    def refuse(**values):
        raise RuntimeError("no room")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)

    with pytest.raises(RuntimeError):
        record("registri.svuotati", ANNA)


# --- Acts in PostgreSQL and in MySQL --------------------------------------------------------


def outcomes():
    return list(VoceAudit.objects.order_by("pk").values_list("azione", "esito"))


def fail():
    raise ZeroDivisionError


in_mysql = pytest.mark.django_db(transaction=True, databases=["default", "production"])


@in_mysql
def test_a_row_goes_with_the_transaction_of_its_act():
    @transaction.atomic(using="default")
    def act():
        record("chiave.revocata", ANNA, "flusso")
        fail()

    with pytest.raises(ZeroDivisionError):
        act()

    assert not VoceAudit.objects.exists()


@transaction.atomic(using="production")
def add_steel(inside=list, after=list):
    with attempt("acciaio.aggiunta", ANNA, "C45", {"prezzo": "1.2"}):
        Acciaio.objects.create(tipo_acciaio="C45")
        inside()
    after()


@in_mysql
def test_an_act_in_mysql_is_attempted_and_then_done():
    seen = []

    def look():
        seen.append((connections["default"].in_atomic_block, outcomes()))

    add_steel(inside=look, after=look)

    committed = (False, [("acciaio.aggiunta", "tentato")])
    assert seen == [committed, committed]
    assert outcomes() == [("acciaio.aggiunta", "riuscito")]
    row = VoceAudit.objects.get()
    assert (row.attore, row.chi, row.oggetto) == ("utente", "anna", "C45")
    assert row.dettagli == {"prezzo": "1.2"}


@in_mysql
def test_an_act_in_mysql_that_fails():
    with pytest.raises(ZeroDivisionError):
        add_steel(inside=fail)

    assert outcomes() == [("acciaio.aggiunta", "fallito")]
    assert not Acciaio.objects.exists()


@in_mysql
def test_an_act_in_mysql_of_which_nobody_knows_the_end():
    """As when the connection is lost during the commit, or the process is killed."""
    with pytest.raises(ZeroDivisionError):
        add_steel(after=fail)

    assert outcomes() == [("acciaio.aggiunta", "tentato")]


@in_mysql
def test_an_attempt_that_a_rollback_could_take_back_is_refused():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(using="default"):
        add_steel()

    assert not Acciaio.objects.exists()


@in_mysql
def test_without_its_row_an_act_in_mysql_is_not_done(monkeypatch):
    def refuse(**values):
        raise RuntimeError("no room")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)

    with pytest.raises(RuntimeError, match="no room"):
        add_steel()

    assert not Acciaio.objects.exists()


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        (ANNA, "anna"),
        (Actor(Attore.CHIAVE, "flusso"), "chiave:flusso"),
        (Actor(Attore.COMANDO, "root"), "comando:root"),
    ],
)
def test_how_an_actor_is_spelled(actor, text):
    assert str(actor) == text


def test_the_user_of_a_command_may_have_no_name(monkeypatch):
    def nameless():
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nameless)

    assert command_user() == (Attore.COMANDO, "?")


# --- What Django itself does ----------------------------------------------------------------


def test_log_ins_good_and_bad_and_log_outs():
    User.objects.create_user("anna", password="giusta", is_staff=True)
    client = Client()
    for password in ("sbagliata", "giusta"):
        client.post("/admin/login/", {"username": "anna", "password": password})
    client.post("/admin/logout/")

    assert entries() == [
        ("anna", "accesso.fallito", ""),
        ("anna", "accesso.riuscito", ""),
        ("anna", "accesso.chiuso", ""),
    ]


def test_a_password_typed_as_the_name_is_not_kept():
    Client().post("/admin/login/", {"username": "la-mia-password", "password": "x"})

    assert "la-mia-password" not in repr(list(VoceAudit.objects.values()))
    assert [who for who, _, _ in entries()] == ["(utente sconosciuto)"]


def test_what_is_edited_in_the_admin(admin_client):
    answer = admin_client.post(
        "/admin/production/acciaio/add/", {"tipo_acciaio": "C45", "prezzo_al_kg": "1.2"}
    )
    assert answer.status_code == 302
    steel = Acciaio.objects.get()

    admin_client.post(
        f"/admin/production/acciaio/{steel.pk}/change/",
        {"tipo_acciaio": "C45", "prezzo_al_kg": "1.3"},
    )

    added, changed = entries()[-2:]
    assert added == ("admin", "acciaio.aggiunta", f"acciaio {steel}")
    assert changed == ("admin", "acciaio.modifica", f"acciaio {steel}")


@pytest.mark.parametrize("page", ["add/", "{}/change/", "{}/delete/"])
def test_no_page_writes_it_not_even_for_a_superuser(admin_client, page):
    row = VoceAudit.objects.create(chi="anna", azione="prova")
    before = entries()

    answer = admin_client.post(
        LIST + page.format(row.pk), {"chi": "bruno", "azione": "x", "post": "yes"}
    )

    assert answer.status_code == 403
    assert entries() == before


def test_its_page_shows_an_act_of_which_nobody_knows_the_end(admin_client):
    for esito in VoceAudit.Esito:
        VoceAudit.objects.create(chi="anna", azione=f"prova.{esito}", esito=esito)

    page = admin_client.get(LIST).text
    assert '<span class="badge badge-warning">Tentato</span>' in page
    attempted = admin_client.get(LIST, {"esito__exact": "tentato"}).text
    assert "prova.tentato" in attempted
    assert "prova.riuscito" not in attempted


def test_its_page_has_no_bulk_deletion(admin_client):
    row = VoceAudit.objects.create(chi="anna", azione="prova")
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}

    admin_client.post(LIST, chosen)

    assert VoceAudit.objects.filter(pk=row.pk).exists()
    assert "anna" in admin_client.get(LIST).text
