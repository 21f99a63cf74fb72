"""Saved filters: kept, found again as links, shared by some, deleted; never a way out of a list."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from etlportal.lists.saved_filters import MOST_FILTERS
from etlportal.models import FiltroSalvato
from tests.etlportal.test_admin_site import inline_code

pytestmark = pytest.mark.django_db(databases=["default", "production"])

OPERAZIONI = "/admin/production/operazione/"
SAVE = "/admin/filtri/salva/"
LABEL = "production.operazione"


@pytest.fixture
def client_of():
    def make(name, role="operatore"):
        user = User.objects.create(username=name, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return make


def save(client, nome="Pezzi 09", parametri="pezzo=PZC09", elenco=LABEL, **fields):
    return client.post(SAVE, {"nome": nome, "parametri": parametri, "elenco": elenco, **fields})


def links(client, url=OPERAZIONI):
    """Name → address of the links above a list."""
    context = client.get(url).context
    (saved,) = [scope["saved"] for part in context for scope in part.dicts if "saved" in scope][:1]
    return {item["row"].nome: item["url"] for item in saved}


def test_a_filter_is_kept_and_found_as_a_link(client_of, plant):
    client = client_of("anna")

    answer = save(client, parametri="?pezzo=PZC09&q=&p=3&e=1&macchinario=M 1&_popup=1&o=-5")

    assert answer.status_code == 302
    assert answer["Location"] == f"{OPERAZIONI}?macchinario=M+1&o=-5&pezzo=PZC09"
    assert links(client) == {"Pezzi 09": answer["Location"]}
    page = client.get(answer["Location"])
    assert page.status_code == 200
    assert 'class="selected" aria-current="true">Pezzi 09</a>' in page.text
    assert inline_code(page.text) == []
    assert links(client, "/admin/production/pezzo/") == {}


def test_what_the_page_offers_is_what_is_kept(client_of, plant):
    client = client_of("anna")
    assert "Salva questo filtro" not in client.get(OPERAZIONI).text

    page = client.get(OPERAZIONI, {"pezzo": 'a"b', "tipo_operazione": "cnc"})

    assert 'name="parametri" value="pezzo=a%22b&amp;tipo_operazione=cnc"' in page.text
    assert 'name="condiviso"' not in page.text


def test_the_same_name_again_takes_the_place_of_the_first(client_of, plant):
    client = client_of("anna")
    for parametri in ("pezzo=A", "pezzo=B", "pezzo=B"):
        save(client, parametri=parametri)

    assert links(client) == {"Pezzi 09": f"{OPERAZIONI}?pezzo=B"}
    assert FiltroSalvato.objects.count() == 1


def test_filters_are_of_their_user(client_of, plant):
    anna, bruno = client_of("anna"), client_of("bruno")
    save(anna)

    assert links(bruno) == {}
    saved = FiltroSalvato.objects.get()
    assert bruno.post(f"/admin/filtri/{saved.pk}/elimina/").status_code == 404
    assert FiltroSalvato.objects.exists()


@pytest.mark.parametrize(("role", "shared"), [("operatore", False), ("capoturno", True)])
def test_who_may_share(client_of, plant, role, shared):
    save(client_of("anna", role), condiviso="on")

    assert FiltroSalvato.objects.get().condiviso == shared
    bruno = client_of("bruno")
    assert bool(links(bruno)) == shared
    assert ('<span class="quiet">(anna)</span>' in bruno.get(OPERAZIONI).text) == shared


@pytest.mark.parametrize(
    ("who", "role", "status", "left"),
    [
        ("bruno", "operatore", 403, 1),
        ("bruno", "capoturno", 302, 0),
        ("anna", "capoturno", 302, 0),
    ],
)
def test_who_may_delete_a_shared_one(client_of, plant, who, role, status, left):
    anna = client_of("anna", "capoturno")
    save(anna, condiviso="on")
    client = anna if who == "anna" else client_of(who, role)

    answer = client.post(f"/admin/filtri/{FiltroSalvato.objects.get().pk}/elimina/")

    assert (answer.status_code, FiltroSalvato.objects.count()) == (status, left)
    if status == 302:
        assert answer["Location"] == OPERAZIONI


@pytest.mark.parametrize(
    "parametri",
    [
        "https://evil.example/",
        "//evil.example/?pezzo=1",
        "next=https://evil.example",
        "\r\nLocation: https://evil.example",
        "x=%00",
        "pezzo=" + "x" * 3000,
        "",
    ],
)
def test_no_way_leads_out_of_the_list(client_of, plant, parametri):
    client = client_of("anna")

    answer = save(client, parametri=parametri)

    assert answer.status_code == 302
    assert answer["Location"].split("?")[0] == OPERAZIONI
    for url in links(client).values():
        assert url.startswith(f"{OPERAZIONI}?")
        assert client.get(url, follow=True).status_code == 200


@pytest.mark.parametrize(
    "elenco", ["", "auth", "evil.example", "/admin/", "production.cnc", "x" * 200]
)
def test_an_unknown_list_is_refused(client_of, plant, elenco):
    answer = save(client_of("anna"), elenco=elenco)

    assert answer.status_code == 400
    assert not FiltroSalvato.objects.exists()


def test_a_list_that_the_user_may_not_see_is_refused(client_of):
    assert (
        save(client_of("anna"), elenco="auth.user", parametri="is_active__exact=1").status_code
        == 403
    )


def test_a_filter_needs_a_name(client_of, plant):
    client = client_of("anna")

    page = client.post(SAVE, {"nome": " ", "parametri": "pezzo=A", "elenco": LABEL}, follow=True)

    assert "Non salvato" in page.text
    assert not FiltroSalvato.objects.exists()


def test_filters_do_not_pile_up(client_of, plant):
    client = client_of("anna")
    for number in range(MOST_FILTERS + 2):
        save(client, nome=f"f{number}")
    save(client, nome="f0", parametri="pezzo=B")

    assert FiltroSalvato.objects.count() == MOST_FILTERS
    assert links(client)["f0"].endswith("pezzo=B")


def test_saving_and_deleting_ask_for_a_token_and_a_post(plant):
    user = User.objects.create(username="anna", is_staff=True, is_superuser=True)
    saved = FiltroSalvato.objects.create(
        utente=user, elenco=LABEL, nome="n", parametri={"pezzo": ["A"]}
    )
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    delete = f"/admin/filtri/{saved.pk}/elimina/"

    assert save(client).status_code == client.post(delete).status_code == 403
    assert client.get(SAVE).status_code == client.get(delete).status_code == 405
    assert FiltroSalvato.objects.count() == 1


def test_the_filters_go_with_their_user(client_of, plant):
    save(client_of("anna"))
    User.objects.get(username="anna").delete()

    assert not FiltroSalvato.objects.exists()
