"""Anomalies in the admin: the list of what waits, the page of one, and its acts, by role."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from etlportal.models import VoceAudit
from production.anomalies import work as anomaly_work
from production.models import AnomaliaOperazione, StoriaAnomalia
from tests import builders
from tests.etlportal.test_admin_site import inline_code
from tests.production.builders import START, make_anomalia, make_forgiatura

pytestmark = pytest.mark.django_db(databases=["default", "production"])

LIST = "/admin/production/anomaliaoperazione/"
ACTS = ("prendi", "annota", "accetta", "chiudi", "riapri")
OPERATORE = {"prendi", "annota"}
STATES = ("aperta", "presa_in_carico", "accettata_in_deroga", "chiusa")


def as_role(role: str) -> Client:
    user = User.objects.create_user(f"u-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client, **parameters: str) -> list[int]:
    page = client.get(LIST, parameters)
    assert page.status_code == 200, page
    return [row.pk for row in page.context["cl"].result_list]


def messages_of(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


def post(client: Client, act: str, *rows: AnomaliaOperazione, nota: str = "ecco", **more: Any):
    seen = [f"{row.pk}:{row.stato}" for row in rows]
    return client.post(f"{LIST}{act}/", {"vista": seen, "nota": nota, **more}, follow=True)


@pytest.fixture
def one_of_each(plant: None) -> dict[str, AnomaliaOperazione]:
    operazione = make_forgiatura(temperatura_effettiva=1250.0)
    return {stato: make_anomalia(operazione, stato=stato) for stato in STATES}


# --- The list -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "states"),
    [
        ({}, {"aperta", "presa_in_carico"}),
        ({"stato": "sciocchezze"}, {"aperta", "presa_in_carico"}),
        ({"stato": "tutte"}, set(STATES)),
        *(({"stato": stato}, {stato}) for stato in STATES),
    ],
)
def test_the_list_shows_what_waits_unless_asked_otherwise(
    admin_client: Client, one_of_each, parameters: dict[str, str], states: set[str]
) -> None:
    expected = {one_of_each[stato].pk for stato in states}
    assert set(listed(admin_client, **parameters)) == expected


def test_the_filter_says_that_it_is_in_force(admin_client: Client, one_of_each) -> None:
    page = admin_client.get(LIST).text
    assert '<a href="?" class="selected" aria-current="true">Da gestire</a>' in page
    assert 'badge-running">Presa in carico' in page


def test_an_anomaly_is_found_by_its_number_and_by_its_operation(
    admin_client: Client, one_of_each
) -> None:
    first = one_of_each["aperta"]
    other = make_anomalia(make_forgiatura())
    assert listed(admin_client, q=str(first.pk)) == [first.pk]
    assert listed(admin_client, operazione=str(other.operazione_id)) == [other.pk]
    assert listed(admin_client, operazione="x") == []


def test_a_state_of_another_program_is_shown_as_it_is(admin_client: Client, plant: None) -> None:
    make_anomalia(stato="boh <b>")
    assert 'badge-waiting">boh &lt;b&gt;' in admin_client.get(LIST, {"stato": "tutte"}).text


# --- The page of one ------------------------------------------------------------------------


def test_the_page_says_what_is_wrong_and_draws_it(admin_client: Client, plant: None) -> None:
    row = make_anomalia(make_forgiatura(temperatura_effettiva=1250.0))
    page = admin_client.get(f"{LIST}{row.pk}/change/")
    assert "Temperatura 1250 °C fuori specifica per il pezzo «PZC01»" in page.text
    assert "deve essere tra 800 e 1200 °C." in page.text
    assert '<svg class="drawing" role="img"' in page.text
    assert "<summary>I numeri" in page.text
    assert "Nessuno se n'è ancora occupato." in unescape(page.text)
    assert inline_code(page.text) == []
    assert "Gestita da" not in page.text


def test_the_history_is_on_the_page(admin_client: Client, plant: None) -> None:
    row = make_anomalia()
    post(admin_client, "prendi", row, nota="ci penso io")
    row.refresh_from_db()
    page = post(admin_client, "accetta", row, nota="<b>va bene</b> al cliente").text
    assert "Gestita da" in page
    assert page.count("va bene") == 2  # the last note, and its line in the history
    table = page.split('id="storia"')[1].split("</section>")[0]
    for text in ("ci penso io", "&lt;b&gt;va bene&lt;/b&gt;", "admin", "Presa in carico", "Aperta"):
        assert text in table
    history = admin_client.get(f"{LIST}{row.pk}/history/")
    assert history["Location"] == f"{LIST}{row.pk}/change/#storia"


@pytest.mark.parametrize("number", ["999999", "abc", "9" * 40, "-1"])
def test_an_anomaly_that_is_not_there(admin_client: Client, plant: None, number: str) -> None:
    assert admin_client.get(f"{LIST}{number}/change/").status_code == 302


# --- Acts: who, on what ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["operatore", "capoturno", "admin"])
def test_a_role_is_offered_what_it_may_do(role: str, one_of_each) -> None:
    client = as_role(role)
    allowed = OPERATORE if role == "operatore" else set(ACTS)
    fitting = {act.name: set(act.starts_from) for act in anomaly_work.ACTS}
    for stato, row in one_of_each.items():
        page = client.get(f"{LIST}{row.pk}/change/").text
        offered = {act for act in ACTS if f'href="{LIST}{act}/?id={row.pk}"' in page}
        assert offered == {act for act in allowed if stato in fitting[act]}, stato
    choices = client.get(LIST).text
    assert {act for act in ACTS if f'<option value="{act}">' in choices} == allowed


@pytest.mark.parametrize("act", ACTS)
def test_a_role_does_what_it_may_and_nothing_else(act: str, plant: None) -> None:
    stato = "chiusa" if act == "riapri" else "aperta"
    for role in ("operatore", "capoturno"):
        row = make_anomalia(stato=stato)
        page = post(as_role(role), act, row)
        done = StoriaAnomalia.objects.filter(anomalia_operazione=row).exists()
        may = role == "capoturno" or act in OPERATORE
        assert (page.status_code, done) == (200 if may else 403, may)


def test_somebody_who_only_looks(plant: None) -> None:
    user = User.objects.create_user("guarda", is_staff=True)
    client = Client()
    client.force_login(user)
    row = make_anomalia()
    for act in ACTS:
        assert client.get(f"{LIST}{act}/?id={row.pk}").status_code == 403
        assert post(client, act, row).status_code == 403
    assert not StoriaAnomalia.objects.exists()


# --- Acts: on one ---------------------------------------------------------------------------


def test_one_is_closed_from_its_page(admin_client: Client, plant: None) -> None:
    row = make_anomalia()
    asked = admin_client.get(f"{LIST}chiudi/?id={row.pk}")
    assert f'<input type="hidden" name="vista" value="{row.pk}:aperta">' in asked.text
    assert "Chiudi · 1 anomalia" in asked.text
    page = post(admin_client, "chiudi", row, nota=" sostituita la termocoppia ")
    assert page.redirect_chain == [(f"{LIST}{row.pk}/change/", 302)]
    assert messages_of(page) == ["1 anomalia: chiusa."]
    row.refresh_from_db()
    assert (row.stato, row.gestita_da) == ("chiusa", "admin")
    assert row.nota_gestione == "sostituita la termocoppia"
    entry = VoceAudit.objects.get(azione="anomalia.chiusa")
    assert (entry.chi, entry.oggetto) == ("admin", f"anomalia_operazione: {row.pk}")
    assert entry.request_id


def test_the_same_again_is_refused_and_told(admin_client: Client, plant: None) -> None:
    row = make_anomalia()
    post(admin_client, "chiudi", row, nota="primo")
    page = post(admin_client, "chiudi", row, nota="secondo")
    (told,) = messages_of(page)
    assert told.startswith("Lasciate come sono, perché nel frattempo sono cambiate: ")
    assert f"{row.pk} («Chiusa», admin, " in told
    assert StoriaAnomalia.objects.get().nota == "primo"


def test_without_the_note_the_page_asks_again(admin_client: Client, plant: None) -> None:
    row = make_anomalia()
    page = post(admin_client, "chiudi", row, nota="  ")
    assert "Correggi quanto indicato qui sotto." in page.text
    assert f'value="{row.pk}:aperta"' in page.text
    assert not StoriaAnomalia.objects.exists()
    page = post(admin_client, "annota", row, nota="x" * 501)
    assert "nota" in page.context["form"].errors
    assert not StoriaAnomalia.objects.exists()


def test_an_address_without_anomalies(admin_client: Client, plant: None) -> None:
    for query in ("", "?id=999999", "?id=x", "?id=" + "9" * 30):
        page = admin_client.get(f"{LIST}prendi/{query}", follow=True)
        assert messages_of(page) == ["Nessuna anomalia scelta."]


@pytest.mark.parametrize("seen", ["", "x", "1", ":", "9" * 50, "1:aperta:x", "\x00"])
def test_what_nobody_would_send_does_no_harm(admin_client: Client, plant: None, seen: str) -> None:
    answer = admin_client.post(f"{LIST}chiudi/", {"vista": [seen], "nota": "x"}, follow=True)
    assert answer.status_code == 200
    assert not StoriaAnomalia.objects.exists()


# --- Acts: on many --------------------------------------------------------------------------


def choose(client: Client, act: str, *rows: AnomaliaOperazione, query: str = "", **more: Any):
    chosen = {"action": act, "index": 0, "_selected_action": [row.pk for row in rows], **more}
    return client.post(f"{LIST}{query}", chosen, follow=True)


def test_many_are_closed_from_the_list_which_comes_back_filtered(
    admin_client: Client, plant: None
) -> None:
    rows = [make_anomalia() for _ in range(3)]
    asked = choose(admin_client, "chiudi", *rows, query="?tipo=103")
    assert "Chiudi · 3 anomalie" in asked.text
    assert '<input type="hidden" name="elenco" value="tipo=103">' in asked.text
    page = post(admin_client, "chiudi", *rows, elenco="tipo=103&p=2")
    assert page.redirect_chain == [(f"{LIST}?tipo=103", 302)]
    assert messages_of(page) == ["3 anomalie: chiusa."]
    assert set(AnomaliaOperazione.objects.values_list("stato", flat=True)) == {"chiusa"}


def test_of_many_the_others_are_told(admin_client: Client, plant: None) -> None:
    first, second = make_anomalia(), make_anomalia()
    post(admin_client, "prendi", second)
    page = post(admin_client, "prendi", first, second)
    done, refused = messages_of(page)
    assert done == "1 anomalia: presa in carico."
    assert f"{second.pk} («Presa in carico», admin, " in refused


def test_all_that_the_list_shows_may_be_chosen_up_to_a_limit(
    admin_client: Client, plant: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [make_anomalia() for _ in range(4)]
    closed = make_anomalia(stato="chiusa")
    asked = choose(admin_client, "chiudi", rows[0], select_across="1")
    assert "Chiudi · 4 anomalie" in asked.text
    assert f'value="{closed.pk}:' not in asked.text
    monkeypatch.setattr(anomaly_work, "MOST_AT_ONCE", 3)
    page = choose(admin_client, "chiudi", rows[0], select_across="1")
    assert "Restringi l'elenco con i filtri." in messages_of(page)[0]


# --- Fast -----------------------------------------------------------------------------------


def test_the_page_of_one_costs_the_same_whatever_there_is(
    admin_client: Client, plant: None
) -> None:
    def queries(row: AnomaliaOperazione) -> list[str]:
        with (
            CaptureQueriesContext(connections["default"]) as default,
            CaptureQueriesContext(connections["production"]) as production,
        ):
            assert admin_client.get(f"{LIST}{row.pk}/change/").status_code == 200
        return [query["sql"] for query in (*default, *production)]

    row = make_anomalia(make_forgiatura(temperatura_effettiva=1250.0))
    few = queries(row)
    for n in range(20):
        make_anomalia(make_forgiatura(timestamp_inizio=START + timedelta(hours=n)))
    assert len(queries(row)) == len(few) <= 13, "\n".join(few)


def test_the_english_page(admin_client: Client, plant: None) -> None:
    row = make_anomalia(make_forgiatura(temperatura_effettiva=1250.0))
    admin_client.cookies["django_language"] = "en"
    page = admin_client.get(f"{LIST}{row.pk}/change/").text
    assert "Temperature 1250 °C out of specification for piece «PZC01»" in page
    assert "it must be between 800 and 1200 °C." in page
    assert "Take" in page
    assert "To deal with" in admin_client.get(LIST).text
    assert builders.Pezzo.objects.count() == 5
