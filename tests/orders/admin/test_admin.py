"""Orders and stock in the admin: what is shown, and the acts of the staff."""

from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from etlportal.models import VoceAudit
from ingestion.models import EsecuzioneEtl
from orders import services
from orders.admin.movements import LAST_ROWS
from orders.admin.orders import state_badge
from orders.models import (
    Cliente,
    Magazzino,
    MovimentoMagazzino,
    MovimentoProduzione,
    Ordine,
    PezzoOrdine,
)
from tests import builders
from tests.etlportal.test_admin_site import inline_code
from tests.orders.builders import (
    make_cnc_pezzo,
    make_forgiature,
    make_lavorazioni,
    make_operazione,
    make_ordine_con,
    make_riga,
    make_scorta,
)

pytestmark = pytest.mark.django_db(databases=["default", "production"])

ORDINI = "/admin/orders/ordine/"
MAGAZZINO = "/admin/orders/magazzino/"
PRODUZIONE = "/admin/orders/movimentoproduzione/"
MOVIMENTI = "/admin/orders/movimentomagazzino/"
CLIENTI = "/admin/orders/cliente/"
START = f"{ORDINI}aggiorna/"
Stato = Ordine.Stato
NOW = datetime(2024, 12, 20, 12, 0, tzinfo=UTC)


def client_with(*codenames: str) -> Client:
    """A user of the staff with these permissions alone."""
    user = User.objects.create_user("anna", password="anna", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client, url: str, **parameters: Any) -> list[Any]:
    """The keys that a list shows, in its order."""
    page = client.get(url, parameters)
    assert page.status_code == 200, page
    return [row.pk for row in page.context["cl"].result_list]


def messages_of(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


def order_form(*righe: tuple[str, Any], **overrides: Any) -> dict[str, Any]:
    """What the page "add an order" sends: (piece, quantity) of each line."""
    lines = {}
    for index, (pezzo, quantita) in enumerate(righe):
        lines |= {f"linee-{index}-pezzo": pezzo, f"linee-{index}-quantita_totale": quantita}
    fields = {
        "cliente": "",
        "data_inizio": "20/12/2024",
        "linee-TOTAL_FORMS": max(len(righe), 3),
        "linee-INITIAL_FORMS": 0,
        "linee-MIN_NUM_FORMS": 0,
        "linee-MAX_NUM_FORMS": 1000,
    }
    return {**fields, **lines, **overrides}


def add_order(client: Client, *righe: tuple[str, Any], **overrides: Any) -> Any:
    return client.post(f"{ORDINI}add/", order_form(*righe, **overrides), follow=True)


def new_order() -> Ordine:
    """The order made last."""
    return Ordine.objects.order_by("pk").last()


def history_of(row: Any) -> list[str]:
    entries = LogEntry.objects.filter(
        object_id=str(row.pk), content_type__model=row._meta.model_name
    )
    return list(entries.order_by("pk").values_list("change_message", flat=True))


# --- The list -------------------------------------------------------------------------------


def test_the_list_shows_progress_and_dates(admin_client: Client, plant: None) -> None:
    rossi = Cliente.objects.create(nome="Rossi & C.")
    order = make_ordine_con({"PZC01": 10}, cliente=rossi, data_inizio=date(2024, 12, 20))
    make_riga(order.pk, "PZC09", 30, quantita_rimanente=18)
    page = admin_client.get(ORDINI).text
    assert '<progress max="40" value="12"' in page
    assert "12/40" in page
    assert "20/12/2024" in page
    assert "Rossi &amp; C." in page
    assert 'badge-waiting">In attesa' in page


def test_an_order_without_lines_is_flagged(admin_client: Client, plant: None) -> None:
    assert "Senza righe" in admin_client.get(ORDINI, {"q": "8"}).text
    make_riga(8)
    assert "Senza righe" not in admin_client.get(ORDINI, {"q": "8"}).text


def states_shown(client: Client) -> str:
    """The state of order 8, on the list and on its page, which must agree."""
    shown = {
        next(kind for kind in ("In lavorazione", "In attesa", "Completato") if kind in text)
        for text in (
            str(client.get(ORDINI, {"q": "8"}).text).split("field-stato_badge")[1][:200],
            str(client.get(f"{ORDINI}8/change/").text).split("field-stato_badge")[1][:400],
        )
    }
    assert len(shown) == 1
    return shown.pop()


def test_in_lavorazione_is_shown_and_not_stored(admin_client: Client, plant: None, update) -> None:
    make_riga(8)
    builders.make_raw_operazione(id_ordine="9")
    assert states_shown(admin_client) == "In attesa"
    make_forgiature(1)  # loaded and not counted
    assert states_shown(admin_client) == "In lavorazione"
    update()
    assert states_shown(admin_client) == "In lavorazione"
    assert Ordine.objects.get(pk=8).stato == Stato.IN_ATTESA
    Ordine.objects.filter(pk=8).update(stato=Stato.COMPLETATO)
    assert states_shown(admin_client) == "Completato"


@pytest.mark.parametrize("written", ["8", "8.0"])
def test_a_staged_record_makes_its_order_in_lavorazione(
    admin_client: Client, plant: None, written: str
) -> None:
    make_riga(8)
    raw = builders.make_raw_operazione(id_ordine=written)
    assert states_shown(admin_client) == "In lavorazione"
    raw.stato = "PROCESSED"
    raw.save()
    assert states_shown(admin_client) == "In attesa"


def test_a_state_that_another_program_wrote_breaks_no_page(
    admin_client: Client, plant: None
) -> None:
    order = Ordine(pk=8, stato="in attesa ")
    order.ha_produzione = order.in_arrivo = False
    assert "In attesa" in state_badge(order)
    order.stato = "BOH"
    assert "BOH" in state_badge(order)


def test_orders_are_filtered_by_state_dates_and_customer(admin_client: Client, plant: None) -> None:
    rossi = Cliente.objects.create(nome="Rossi", partita_iva="IT01234567890")
    bianchi = Cliente.objects.create(nome="BIANCHI")
    old = make_ordine_con({}, cliente=rossi, data_inizio=date(2024, 1, 10), stato=Stato.ANNULLATO)
    new = make_ordine_con(
        {},
        cliente=bianchi,
        data_inizio=date(2024, 12, 10),
        data_fine=date(2024, 12, 31),
        stato=Stato.COMPLETATO,
    )
    assert listed(admin_client, ORDINI, stato__exact="ANNULLATO") == [old.pk]
    assert listed(admin_client, ORDINI, data_inizio_dal="2024-12-10") == [new.pk]
    assert listed(admin_client, ORDINI, data_inizio_al="2024-12-09") == [old.pk]
    both = {"data_inizio_dal": "2024-01-10", "data_inizio_al": "2024-12-10"}
    assert listed(admin_client, ORDINI, **both) == [new.pk, old.pk]
    assert listed(admin_client, ORDINI, data_fine_dal="2024-12-31") == [new.pk]
    assert listed(admin_client, ORDINI, data_fine_al="2024-12-30") == []
    assert listed(admin_client, ORDINI, cliente="bian") == [new.pk]
    assert listed(admin_client, ORDINI, cliente="0123456") == [old.pk]
    assert listed(admin_client, ORDINI, cliente="verdi") == []
    assert listed(admin_client, ORDINI, id_cliente=str(rossi.pk)) == [old.pk]
    assert listed(admin_client, ORDINI, id_cliente="x") == []


def test_an_order_is_found_by_its_number(admin_client: Client, plant: None) -> None:
    assert listed(admin_client, ORDINI, q="9") == [9]
    assert listed(admin_client, ORDINI, q="uno") == []


def test_the_list_asks_as_many_questions_for_fifty_orders_as_for_two(
    admin_client: Client, plant: None
) -> None:
    def questions() -> int:
        with (
            CaptureQueriesContext(connections["production"]) as production,
            CaptureQueriesContext(connections["default"]) as default,
        ):
            admin_client.get(ORDINI)
        return len(production) + len(default)

    admin_client.get(ORDINI)
    for pk in (8, 9):
        make_riga(pk)
    few = questions()
    customer = Cliente.objects.create(nome="Rossi")
    for _ in range(48):
        make_ordine_con({"PZC01": 1, "PZC09": 2}, cliente=customer)
    assert len(listed(admin_client, ORDINI)) == 50
    assert questions() == few


def test_the_fictitious_order_is_shown_but_not_cancelled(admin_client: Client, plant: None) -> None:
    order = make_ordine_con({"PZC01": 5}, fittizio=True)
    assert 'badge-warning">Fittizio' in admin_client.get(ORDINI).text
    page = admin_client.get(f"{ORDINI}{order.pk}/change/").text
    assert "Fittizio" in page
    assert "annulla/" not in page
    answer = admin_client.post(f"{ORDINI}{order.pk}/annulla/", {"motivo": "x"}, follow=True)
    assert "Non si può" in messages_of(answer)[0]
    order.refresh_from_db()
    assert order.stato == Stato.IN_ATTESA
    assert history_of(order) == []


# --- Making an order ------------------------------------------------------------------------


def test_a_new_order_takes_what_stock_has(admin_client: Client, plant: None, assert_well) -> None:
    make_scorta("PZC01", 3)
    customer = Cliente.objects.create(nome="Rossi")
    answer = add_order(admin_client, ("PZC01", 10), ("PZC09", 5), cliente=customer.pk)
    order = new_order()
    assert order.cliente == customer
    assert order.data_inizio == date(2024, 12, 20)
    assert order.stato == Stato.IN_ATTESA
    assert order.totale_pezzi == 15
    assert order.confermato_il is not None
    lines = PezzoOrdine.objects.filter(ordine=order).order_by("pezzo")
    assert [(line.prelevati, line.quantita_rimanente) for line in lines] == [(3, 7), (0, 5)]
    assert Magazzino.objects.get(pezzo="PZC01").quantita_disponibile == 0
    movement = MovimentoMagazzino.objects.get()
    assert (movement.quantita, movement.utente) == (-3, "admin")
    assert messages_of(answer)[-1] == (
        "Presi dal magazzino: PZC01: 3 di 10; PZC09: 0 di 5. Restano da produrre 12 pezzi."
    )
    assert len(history_of(order)) == 1
    assert_well()


def test_an_order_that_stock_covers_says_so(admin_client: Client, plant: None) -> None:
    make_scorta("PZC01", 30)
    answer = add_order(admin_client, ("PZC01", 10))
    assert "Non resta nulla da produrre" in messages_of(answer)[-1]


def test_with_blanks_in_stock_an_order_takes_nothing(
    admin_client: Client, plant: None, settings
) -> None:
    settings.MAGAZZINO_CONTENUTO = "grezzi"
    make_scorta("PZC01", 30)
    answer = add_order(admin_client, ("PZC01", 1))
    assert messages_of(answer)[-1] == "Niente dal magazzino: resta da produrre 1 pezzo."
    assert Magazzino.objects.get().quantita_disponibile == 30


@pytest.mark.parametrize(
    ("righe", "sentence"),
    [
        ([], "Un ordine ha almeno una riga"),
        ([("PZC01", "0")], "maggiore o uguale a 1"),
        ([("PZC01", "")], "obbligatorio"),
        ([("PZC01", "1000001")], "minore o uguale a 1000000"),
        ([("", "3")], "obbligatorio"),
        ([("ignoto", "3")], "Scegli un&#x27;opzione valida"),
        ([("PZC01", "3"), ("PZC01", "4")], "dati duplicati"),
    ],
)
def test_a_wrong_order_is_refused_in_words(
    admin_client: Client, plant: None, righe: list[tuple[str, str]], sentence: str
) -> None:
    answer = add_order(admin_client, *righe)
    assert sentence in answer.text
    assert Ordine.objects.count() == 2
    assert not PezzoOrdine.objects.exists()
    assert not Magazzino.objects.exists()


def test_an_order_needs_its_start_date(admin_client: Client, plant: None) -> None:
    today = timezone.localdate().strftime("%d/%m/%Y")
    assert f'name="data_inizio" value="{today}"' in admin_client.get(f"{ORDINI}add/").text
    add_order(admin_client, ("PZC01", 1), data_inizio="")
    assert Ordine.objects.count() == 2


def test_pieces_and_customers_are_chosen_by_autocomplete(admin_client: Client, plant: None) -> None:
    Cliente.objects.create(nome="Rossi")
    for model, field, term, text in (
        ("ordine", "cliente", "ross", "Rossi"),
        ("pezzoordine", "pezzo", "pzc01", "PZC01"),
    ):
        asked = {"app_label": "orders", "model_name": model, "field_name": field, "term": term}
        answer = admin_client.get("/admin/autocomplete/", asked).json()
        assert [result["text"] for result in answer["results"]] == [text]


# --- An order's page ------------------------------------------------------------------------


def test_customer_and_date_of_a_waiting_order_may_change_and_nothing_else(
    admin_client: Client, plant: None
) -> None:
    make_riga(8)
    customer = Cliente.objects.create(nome="Rossi")
    form = {
        "cliente": customer.pk,
        "data_inizio": "01/02/2025",
        "stato": "COMPLETATO",
        "totale_pezzi": 1,
        "linee-TOTAL_FORMS": 1,
        "linee-INITIAL_FORMS": 0,
        "linee-0-pezzo": "PZC09",
        "linee-0-quantita_totale": 4,
    }
    assert admin_client.post(f"{ORDINI}8/change/", form).status_code == 302
    order = Ordine.objects.get(pk=8)
    assert (order.cliente, order.data_inizio) == (customer, date(2025, 2, 1))
    assert (order.stato, order.totale_pezzi) == (Stato.IN_ATTESA, None)
    assert [line.pezzo_id for line in order.linee.all()] == ["PZC01"]


def job_writes_before(monkeypatch: pytest.MonkeyPatch, model: type[Any], **written: Any) -> None:
    """The page of a ``model`` row has read it when a job changes it, and saves after that."""
    save = model.save

    def save_late(row: Any, **options: Any) -> None:
        model.objects.filter(pk=row.pk).update(**written)
        save(row, **options)

    monkeypatch.setattr(model, "save", save_late)


def test_saving_an_order_leaves_what_the_job_wrote_meanwhile(
    admin_client: Client, plant: None, monkeypatch
) -> None:
    job_writes_before(monkeypatch, Ordine, stato=Stato.COMPLETATO, data_fine=date(2025, 1, 7))
    lines = {"linee-TOTAL_FORMS": 0, "linee-INITIAL_FORMS": 0}
    admin_client.post(f"{ORDINI}8/change/", {"data_inizio": "01/02/2025", **lines})
    order = Ordine.objects.get(pk=8)
    assert order.data_inizio == date(2025, 2, 1)
    assert (order.stato, order.data_fine) == (Stato.COMPLETATO, date(2025, 1, 7))


def test_saving_a_stock_row_leaves_what_the_job_wrote_meanwhile(
    admin_client: Client, plant: None, monkeypatch
) -> None:
    scorta = make_scorta("PZC01", 50)
    job_writes_before(monkeypatch, Magazzino, quantita_disponibile=41)
    admin_client.post(f"{MAGAZZINO}{scorta.pk}/change/", {"ubicazione": "B2"})
    scorta.refresh_from_db()
    assert (scorta.quantita_disponibile, scorta.ubicazione) == (41, "B2")


@pytest.mark.parametrize("stato", [Stato.COMPLETATO, Stato.ANNULLATO])
def test_a_closed_order_is_read_only(admin_client: Client, plant: None, stato: str) -> None:
    Ordine.objects.filter(pk=8).update(stato=stato, data_inizio=date(2024, 12, 1))
    page = admin_client.get(f"{ORDINI}8/change/").text
    assert "01/12/2024" in page
    assert 'name="data_inizio"' not in page
    assert f'href="{ORDINI}8/history/"' in page
    answer = admin_client.post(f"{ORDINI}8/change/", {"data_inizio": "01/02/2025"})
    assert answer.status_code == 403


def test_no_order_is_deleted(admin_client: Client, plant: None) -> None:
    assert admin_client.post(f"{ORDINI}8/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": ["8"], "post": "yes"}
    admin_client.post(ORDINI, chosen)
    assert Ordine.objects.filter(pk=8).exists()


def cells(page: str, field: str) -> list[str]:
    """The text of each cell of a column of the lines."""

    class Cells(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.inside = False

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag == "td":
                self.inside = f"field-{field}" in (dict(attrs).get("class") or "")
                if self.inside:
                    self.found.append("")

        def handle_endtag(self, tag: str) -> None:
            if tag == "td":
                self.inside = False

        def handle_data(self, data: str) -> None:
            if self.inside:
                self.found[-1] += data.strip()

    parser = Cells()
    parser.feed(page)
    return parser.found


def test_a_line_shows_where_its_pieces_came_from(admin_client: Client, plant: None, update) -> None:
    make_scorta("PZC01", 3)
    add_order(admin_client, ("PZC01", 10))
    order = new_order()
    first = make_forgiature(2, ordine_id=order.pk)[0]
    run = update()
    page = admin_client.get(f"{ORDINI}{order.pk}/change/").text
    for field, shown in {
        "avanzamento": "5/10",
        "presi": "3",
        "ricevuti": "2",
        "resi": "0",
        "quantita_rimanente": "5",
    }.items():
        assert cells(page, field) == [shown], field
    assert f'href="/admin/production/operazione/{first.pk}/change/"' in page
    assert f'href="/admin/ingestion/esecuzioneetl/{run.pk}/change/"' in page
    assert f'href="{PRODUZIONE}?ordine={order.pk}"' in page
    assert f'href="{MOVIMENTI}?ordine={order.pk}"' in page
    assert "Prelievo per ordine" in page
    assert "None" not in page


def test_a_line_of_another_program_shows_what_it_had_drawn(
    admin_client: Client, plant: None
) -> None:
    make_riga(8, quantita_rimanente=6)
    page = admin_client.get(f"{ORDINI}8/change/").text
    assert (cells(page, "presi"), cells(page, "ricevuti")) == (["4"], ["0"])


def test_the_page_shows_the_last_movements_and_leads_to_all(
    admin_client: Client, plant: None, update
) -> None:
    make_riga(8, quantita=LAST_ROWS + 10)
    operations = make_forgiature(LAST_ROWS + 1)
    update()
    page = admin_client.get(f"{ORDINI}8/change/").text
    links = [f'href="/admin/production/operazione/{row.pk}/change/"' in page for row in operations]
    assert links == [False] + [True] * LAST_ROWS
    assert len(listed(admin_client, PRODUZIONE, ordine="8", p="2")) == 1


# --- Cancelling and reopening ---------------------------------------------------------------


def act(client: Client, order: Ordine, name: str, motivo: str = "Il cliente ha rinunciato") -> Any:
    return client.post(f"{ORDINI}{order.pk}/{name}/", {"motivo": motivo}, follow=True)


def test_a_cancelled_order_returns_its_pieces_and_a_reopened_one_takes_them_back(
    admin_client: Client, plant: None, assert_well
) -> None:
    make_scorta("PZC01", 3)
    add_order(admin_client, ("PZC01", 10))
    order = new_order()
    asked = admin_client.get(f"{ORDINI}{order.pk}/annulla/").text
    assert "tornano in magazzino" in asked
    assert "3/10" in asked
    answer = act(admin_client, order, "annulla")
    assert messages_of(answer) == [f"Ordine {order.pk} annullato."]
    order.refresh_from_db()
    assert order.stato == Stato.ANNULLATO
    assert Magazzino.objects.get().quantita_disponibile == 3
    returned = MovimentoMagazzino.objects.get(causa="RESO_ORDINE")
    assert (returned.motivo, returned.utente) == ("Il cliente ha rinunciato", "admin")
    act(admin_client, order, "riapri", "Ci ha ripensato")
    order.refresh_from_db()
    assert order.stato == Stato.IN_ATTESA
    assert Magazzino.objects.get().quantita_disponibile == 0
    assert history_of(order)[1:] == [
        "Ordine annullato. Motivo: Il cliente ha rinunciato",
        "Ordine riaperto. Motivo: Ci ha ripensato",
    ]
    history = admin_client.get(f"{ORDINI}{order.pk}/history/").text
    assert "Il cliente ha rinunciato" in history
    assert_well()


def test_with_blanks_in_stock_cancelling_returns_nothing(
    admin_client: Client, plant: None, settings
) -> None:
    settings.MAGAZZINO_CONTENUTO = "grezzi"
    make_riga(8, quantita_rimanente=6)
    order = Ordine.objects.get(pk=8)
    assert "i pezzi già fatti restano suoi" in admin_client.get(f"{ORDINI}8/annulla/").text.lower()
    act(admin_client, order, "annulla")
    assert not MovimentoMagazzino.objects.exists()


@pytest.mark.parametrize("motivo", ["", "   ", "x" * 256])
def test_no_act_without_a_reason(admin_client: Client, plant: None, motivo: str) -> None:
    order = Ordine.objects.get(pk=8)
    answer = act(admin_client, order, "annulla", motivo)
    assert "Correggi quanto indicato" in answer.text
    order.refresh_from_db()
    assert order.stato == Stato.IN_ATTESA
    assert history_of(order) == []


@pytest.mark.parametrize(
    ("stato", "name", "offered"),
    [
        (Stato.IN_ATTESA, "annulla", True),
        (Stato.IN_ATTESA, "riapri", False),
        (Stato.COMPLETATO, "annulla", False),
        (Stato.COMPLETATO, "riapri", False),
        (Stato.ANNULLATO, "annulla", False),
        (Stato.ANNULLATO, "riapri", True),
    ],
)
def test_an_act_is_offered_only_in_its_state(
    admin_client: Client, plant: None, stato: str, name: str, offered: bool
) -> None:
    Ordine.objects.filter(pk=8).update(stato=stato)
    page = admin_client.get(f"{ORDINI}8/change/").text
    assert (f'href="{ORDINI}8/{name}/"' in page) is offered
    answer = act(admin_client, Ordine.objects.get(pk=8), name)
    assert (Ordine.objects.get(pk=8).stato != stato) is offered
    assert bool(history_of(Ordine.objects.get(pk=8))) is offered
    assert ("Non si può" in messages_of(answer)[0]) is not offered


def test_an_act_that_the_service_refuses_leaves_no_history(
    admin_client: Client, plant: None, monkeypatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise services.RefusedAct("Si annulla solo un ordine in attesa.")

    monkeypatch.setattr(services, "cancel_order", refuse)
    order = Ordine.objects.get(pk=8)
    answer = act(admin_client, order, "annulla")
    assert messages_of(answer) == ["Si annulla solo un ordine in attesa."]
    assert history_of(order) == []


def test_looking_at_an_act_does_nothing(admin_client: Client, plant: None, order_tables) -> None:
    make_riga(8)
    scorta = make_scorta()
    before = order_tables()
    for url in (f"{ORDINI}8/annulla/", f"{MAGAZZINO}{scorta.pk}/rettifica/"):
        assert admin_client.get(url, {"motivo": "x", "contati": "3"}).status_code == 200
        assert admin_client.get(url).status_code == 200
    assert order_tables() == before


def test_acts_need_permission_and_a_token(plant: None) -> None:
    scorta = make_scorta()
    urls = [f"{ORDINI}8/annulla/", f"{ORDINI}8/riapri/", f"{MAGAZZINO}{scorta.pk}/rettifica/"]
    looker = client_with("view_ordine", "view_magazzino")
    page = looker.get(f"{ORDINI}8/change/")
    assert page.status_code == 200
    assert "annulla/" not in page.text
    assert "rettifica/" not in looker.get(f"{MAGAZZINO}{scorta.pk}/change/").text
    for url in urls:
        assert looker.get(url).status_code == 403, url
        assert looker.post(url, {"motivo": "x", "contati": 1}).status_code == 403, url
        anonymous = Client().post(url, {"motivo": "x", "contati": 1})
        assert anonymous["Location"].startswith("/admin/login/"), url
    looker.handler.enforce_csrf_checks = True
    User.objects.update(is_superuser=True)
    for url in (*urls, START):
        assert looker.post(url, {"motivo": "x", "contati": 1}).status_code == 403, url
    assert Ordine.objects.get(pk=8).stato == Stato.IN_ATTESA


def test_an_unknown_order_is_not_found(admin_client: Client, plant: None) -> None:
    assert admin_client.get(f"{ORDINI}{10**30}/annulla/").status_code == 404
    assert admin_client.get(f"{MAGAZZINO}77/rettifica/").status_code == 404


# --- The button "Aggiorna ordini ora" -------------------------------------------------------


def test_the_button_queues_an_update(admin_client: Client) -> None:
    assert f'action="{START}"' in admin_client.get(ORDINI).text
    page = admin_client.post(START, follow=True)
    run = EsecuzioneEtl.objects.get()
    assert (run.tipo, run.origine, run.avviata_da) == ("ordini", "admin", "admin")
    assert "Aggiornamento degli ordini messo in coda" in messages_of(page)[0]
    assert OrmQ.objects.count() == 1


def test_the_button_starts_no_second_update(admin_client: Client) -> None:
    run = builders.make_active_esecuzione(tipo=EsecuzioneEtl.Tipo.ORDINI)
    page = admin_client.post(START, follow=True)
    assert "già in corso" in messages_of(page)[0]
    assert f"/esecuzioneetl/{run.pk}/" in messages_of(page)[0]
    assert EsecuzioneEtl.objects.count() == 1


def test_the_button_needs_a_post_and_permission(admin_client: Client) -> None:
    assert admin_client.get(START).status_code == 405
    looker = client_with("view_ordine")
    assert START not in looker.get(ORDINI).text
    assert looker.post(START).status_code == 403
    assert not EsecuzioneEtl.objects.exists()


# --- Stock ----------------------------------------------------------------------------------


def test_stock_below_its_minimum_is_shown_and_found(admin_client: Client, plant: None) -> None:
    low = make_scorta("PZC01", 4, scorta_minima=5, ubicazione="Scaffale B2")
    enough = make_scorta("PZC09", 5, scorta_minima=5)
    untold = make_scorta("PZC10", 0)
    assert listed(admin_client, MAGAZZINO) == [low.pk, enough.pk, untold.pk]
    assert admin_client.get(MAGAZZINO).text.count("badge-error") == 1
    assert listed(admin_client, MAGAZZINO, scorta="sotto") == [low.pk]
    assert listed(admin_client, MAGAZZINO, q="b2") == [low.pk]
    assert listed(admin_client, MAGAZZINO, q="pzc1") == [untold.pk]


def test_a_stock_row_is_edited_but_not_its_figure(admin_client: Client, plant: None) -> None:
    scorta = make_scorta("PZC01", 50)
    form = {
        "pezzo": "PZC09",
        "descrizione": "Semilavorati",
        "ubicazione": "A1",
        "capacita_totale": 100,
        "scorta_minima": 20,
        "quantita_disponibile": 999,
    }
    admin_client.post(f"{MAGAZZINO}{scorta.pk}/change/", form)
    scorta.refresh_from_db()
    assert (scorta.pezzo_id, scorta.quantita_disponibile) == ("PZC01", 50)
    assert (scorta.descrizione, scorta.ubicazione) == ("Semilavorati", "A1")
    assert (scorta.capacita_totale, scorta.scorta_minima) == (100, 20)
    assert admin_client.post(f"{MAGAZZINO}{scorta.pk}/delete/").status_code == 403


def test_a_stock_row_is_made_empty(admin_client: Client, plant: None) -> None:
    form = {"pezzo": "PZC09", "quantita_disponibile": 999, "scorta_minima": 5}
    admin_client.post(f"{MAGAZZINO}add/", form)
    assert Magazzino.objects.get(pezzo="PZC09").quantita_disponibile == 0
    again = admin_client.post(f"{MAGAZZINO}add/", form)
    assert "esiste già" in again.text
    without = admin_client.post(f"{MAGAZZINO}add/", {"ubicazione": "A1"})
    assert "Indicare il pezzo oppure il tipo di acciaio." in without.text


@pytest.mark.parametrize(
    ("counted", "movement", "sentence"),
    [
        (47, -3, "Giacenza rettificata da 50 a 47."),
        (60, 10, "Giacenza rettificata da 50 a 60."),
        (0, -50, "Giacenza rettificata da 50 a 0."),
        (50, None, "La giacenza era già 50: nessun movimento."),
    ],
)
def test_a_count_is_booked_by_difference(
    admin_client: Client, plant: None, assert_well, counted: int, movement: int, sentence: str
) -> None:
    scorta = make_scorta("PZC01", 50)
    url = f"{MAGAZZINO}{scorta.pk}/rettifica/"
    assert "disponibili 50" in admin_client.get(url).text
    answer = admin_client.post(url, {"contati": counted, "motivo": "Inventario"}, follow=True)
    assert messages_of(answer) == [sentence]
    scorta.refresh_from_db()
    assert scorta.quantita_disponibile == counted
    booked = MovimentoMagazzino.objects.values_list("quantita", "causa", "motivo", "utente")
    assert list(booked) == (
        [(movement, "RETTIFICA", "Inventario", "admin")] if movement is not None else []
    )
    assert history_of(scorta) == [f"Giacenza rettificata da 50 a {counted}. Motivo: Inventario"]
    assert_well()


def test_a_count_that_the_audit_trail_cannot_hold_is_not_booked(
    admin_client: Client, plant: None, monkeypatch
) -> None:
    def refuse(**values: Any) -> None:
        raise OSError("no room")

    scorta = make_scorta("PZC01", 50)
    admin_client.raise_request_exception = False
    monkeypatch.setattr(VoceAudit.objects, "create", refuse)
    form = {"contati": 47, "motivo": "Inventario"}
    answer = admin_client.post(f"{MAGAZZINO}{scorta.pk}/rettifica/", form)
    assert answer.status_code == 500
    scorta.refresh_from_db()
    assert scorta.quantita_disponibile == 50
    assert not MovimentoMagazzino.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {"contati": "-1", "motivo": "Inventario"},
        {"contati": "3", "motivo": " "},
        {"contati": "", "motivo": "Inventario"},
        {"contati": "tre", "motivo": "Inventario"},
        {"contati": str(10**12), "motivo": "Inventario"},
    ],
)
def test_a_wrong_count_books_nothing(
    admin_client: Client, plant: None, form: dict[str, str]
) -> None:
    scorta = make_scorta("PZC01", 50)
    answer = admin_client.post(f"{MAGAZZINO}{scorta.pk}/rettifica/", form)
    assert "Correggi quanto indicato" in answer.text
    scorta.refresh_from_db()
    assert scorta.quantita_disponibile == 50
    assert history_of(scorta) == []


def test_a_stock_row_shows_its_movements(admin_client: Client, plant: None) -> None:
    scorta = make_scorta("PZC01", 50)
    other = make_scorta("PZC09", 50)
    for row, reason in ((scorta, "Inventario <b>"), (other, "Altrove")):
        services.correct_stock(row.pk, counted=47, reason=reason, user="anna", now=NOW)
    page = admin_client.get(f"{MAGAZZINO}{scorta.pk}/change/").text
    assert "Inventario &lt;b&gt;" in page
    assert "Altrove" not in page
    assert "−3" in page
    assert "20/12/2024 13:00:00" in page
    assert f'href="{MOVIMENTI}?magazzino={scorta.pk}"' in page
    movement = MovimentoMagazzino.objects.get(magazzino=scorta)
    assert listed(admin_client, MOVIMENTI, magazzino=str(scorta.pk)) == [movement.pk]


# --- Movements and customers ----------------------------------------------------------------


def test_movements_are_filtered_and_lead_on(admin_client: Client, plant: None, update) -> None:
    make_riga(8, quantita=1)
    first, second = make_forgiature(2)
    no_piece = make_operazione(pezzo_id=None, ordine_id=9)
    run = update()
    assert listed(admin_client, PRODUZIONE) == [no_piece.pk, second.pk, first.pk]
    assert listed(admin_client, PRODUZIONE, esito__exact="NON_ATTRIBUIBILE") == [no_piece.pk]
    assert listed(admin_client, PRODUZIONE, ordine="9") == [no_piece.pk]
    assert listed(admin_client, PRODUZIONE, pezzo="PZC01") == [second.pk, first.pk]
    today = timezone.localdate().isoformat()
    assert len(listed(admin_client, PRODUZIONE, creato_il_dal=today)) == 3
    assert listed(admin_client, PRODUZIONE, creato_il_al="2024-12-20") == []
    page = admin_client.get(f"{PRODUZIONE}{first.pk}/change/").text
    assert f'href="{ORDINI}8/change/"' in page
    assert f'href="/admin/production/operazione/{first.pk}/change/"' in page
    assert f'href="/admin/ingestion/esecuzioneetl/{run.pk}/change/"' in page
    assert listed(admin_client, MOVIMENTI, ordine="8", causa__exact="PRELIEVO_ORDINE") != []
    assert listed(admin_client, MOVIMENTI, ordine="9") == []
    assert listed(admin_client, MOVIMENTI, pezzo="PZC09") == []
    assert listed(admin_client, MOVIMENTI, creato_il_al="2024-12-20") == []
    assert "None" not in admin_client.get(MOVIMENTI).text


def test_fractions_of_a_piece_are_shown(admin_client: Client, plant: None, update) -> None:
    make_cnc_pezzo("PZC20")
    make_riga(8, "PZC20")
    make_lavorazioni(2, pezzi_ora=1)
    make_lavorazioni(1, pezzi_ora=4)
    update()
    page = admin_client.get(f"{ORDINI}8/change/").text
    assert page.count("<td>0,17</td>") == 2  # a sixth of a piece
    assert "<td>0,67</td>" in page


def test_movements_cannot_be_written(admin_client: Client, plant: None, update) -> None:
    make_riga(8)
    make_forgiature(1)
    update()
    for url, model in ((PRODUZIONE, MovimentoProduzione), (MOVIMENTI, MovimentoMagazzino)):
        row = model.objects.first()
        assert admin_client.get(f"{url}{row.pk}/change/").status_code == 200
        assert admin_client.post(f"{url}{row.pk}/change/", {"pezzi": 9}).status_code == 403
        assert admin_client.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert admin_client.get(f"{url}add/").status_code == 403


def test_a_customer_leads_to_its_orders(admin_client: Client, plant: None) -> None:
    customer = Cliente.objects.create(nome="Rossi")
    order = make_ordine_con({}, cliente=customer)
    link = f"{ORDINI}?id_cliente={customer.pk}"
    for url in (CLIENTI, f"{CLIENTI}{customer.pk}/change/"):
        assert f'href="{link}"' in admin_client.get(url).text
    assert listed(admin_client, link) == [order.pk]


def test_no_page_has_inline_code(admin_client: Client, plant: None, update) -> None:
    make_riga(8)
    scorta = make_scorta("PZC01", 3, scorta_minima=9)
    make_forgiature(1)
    update()
    movement = MovimentoMagazzino.objects.first()
    operation = MovimentoProduzione.objects.first()
    for url in (
        ORDINI,
        f"{ORDINI}add/",
        f"{ORDINI}8/change/",
        f"{ORDINI}8/annulla/",
        f"{ORDINI}8/history/",
        MAGAZZINO,
        f"{MAGAZZINO}add/",
        f"{MAGAZZINO}{scorta.pk}/change/",
        f"{MAGAZZINO}{scorta.pk}/rettifica/",
        PRODUZIONE,
        f"{PRODUZIONE}{operation.pk}/change/",
        MOVIMENTI,
        f"{MOVIMENTI}{movement.pk}/change/",
        CLIENTI,
    ):
        page = admin_client.get(url)
        assert page.status_code == 200, url
        assert inline_code(page.text) == [], url
