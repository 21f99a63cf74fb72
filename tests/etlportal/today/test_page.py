"""The start page as a whole: who sees what, an empty plant, a server away, odd data, links."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from etlportal.today import tiles
from orders.models import Ordine
from production.models import Macchinario
from tests import builders
from tests.etlportal.test_admin_site import LOCALE, compiled_translations, inline_code
from tests.etlportal.today.rows import make_anomaly, make_operation
from tests.orders import builders as order_builders

pytestmark = pytest.mark.django_db(databases=["default", "production"])

__all__ = ["LOCALE", "compiled_translations"]

TILES = {
    "ingestion.view_esecuzioneetl": "Flusso dei dati",
    "ingestion.view_rawoperazione": "Record rifiutati",
    "production.view_anomaliaoperazione": "Anomalie aperte",
    "orders.view_ordine": "Ordini in attesa",
    "orders.view_magazzino": "Sotto la scorta minima",
}
PICTURES = {
    "production.view_operazione": ["Che cosa hanno fatto le macchine", "Pezzi finiti ogni ora"],
    "ingestion.view_esecuzioneetl": ["Ultimi trasferimenti"],
    "production.view_anomaliaoperazione": ["Anomalie aperte per pezzo e tipo"],
}


def client_with(*permissions: str) -> Client:
    user = User.objects.create_user("anna", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def busy_plant(plant: None) -> None:
    """A morning with something of everything."""
    now = timezone.now()
    Ordine.objects.filter(pk=8).update(data_inizio=now.date() - timedelta(days=40))
    order_builders.make_riga(8, "PZC01", 20, quantita_rimanente=1)
    order_builders.make_scorta("PZC01", 2, scorta_minima=10)
    builders.make_raw_operazione(
        stato="ERROR", errore_codice="X", errore_messaggio="Motivo", ricevuto_il=now
    )
    builders.make_esecuzione(stato="OK", iniziata_il=now, finita_il=now)
    for n in range(6):
        operation = make_operation(
            now - timedelta(minutes=30 * (n + 1)),
            20,
            "UTENSILE" if n % 2 else None,
            macchinario_id="CNC1" if n % 2 else "FORGIA1",
            pezzo_id="PZC01" if n else None,
        )
        if n % 3 == 0:
            make_anomaly(operation, 102, creata_il=now)


def links_of(page: str) -> set[str]:
    return {link.replace("&amp;", "&") for link in re.findall(r'href="(/admin/[^"]+)"', page)}


# --- Who sees what --------------------------------------------------------------------------


@pytest.mark.parametrize("permission", TILES)
def test_a_tile_is_for_whoever_may_see_its_rows(busy_plant, permission: str) -> None:
    page = client_with(permission).get("/admin/")
    assert [tile.title for tile in page.context["tiles"]] == [TILES[permission]]
    titles = [chart.title for chart in page.context["machine_charts"] + page.context["charts"]]
    wanted = PICTURES.get(permission, [])
    assert titles == [title for title in wanted if "pezzo e tipo" not in title]
    assert (page.context["heat"] is not None) == (
        permission == "production.view_anomaliaoperazione"
    )


def test_operations_alone_show_the_machines(busy_plant) -> None:
    page = client_with("production.view_operazione").get("/admin/")
    assert page.context["tiles"] == []
    titles = [chart.title for chart in page.context["machine_charts"]]
    assert titles == PICTURES["production.view_operazione"]
    assert "Che cosa serve" not in page.text


def test_staff_without_permissions_see_no_figure(busy_plant) -> None:
    page = client_with().get("/admin/")
    assert page.status_code == 200
    for title in [*TILES.values(), "Macchine e produzione"]:
        assert title not in page.text


# --- What it says ---------------------------------------------------------------------------


def test_an_empty_plant_opens_and_needs_nothing(admin_client: Client) -> None:
    page = admin_client.get("/admin/")
    assert page.context["needs"] == []
    assert "Niente: tutto in ordine." in page.text
    assert "Mai partito" in page.text
    assert [tile.figure for tile in page.context["tiles"]] == ["", "0", "0", "0", "0"]
    assert all(chart.empty for chart in page.context["machine_charts"] + page.context["charts"])
    assert "Nessuna anomalia in questo periodo." in page.text


def test_a_busy_plant_says_what_is_needed_the_gravest_first(
    admin_client: Client, busy_plant
) -> None:
    page = admin_client.get("/admin/")
    assert [(need.kind, need.text) for need in page.context["needs"]] == [
        ("error", "1 record rifiutato da correggere o rimettere in coda"),
        ("error", "1 ordine in ritardo"),
        ("warning", "2 anomalie aperte"),
        ("warning", "1 ordine senza righe"),
        ("warning", "1 articolo sotto scorta"),
    ]
    assert all(chart.drawing for chart in page.context["machine_charts"] + page.context["charts"])
    assert page.context["heat"]["map"].total == 2


def test_every_link_of_the_page_opens_what_it_counts(admin_client: Client, busy_plant) -> None:
    page = admin_client.get("/admin/")
    counts = {
        "/admin/ingestion/rawoperazione/?errori=da_gestire": 1,
        "/admin/production/anomaliaoperazione/": 2,
        "/admin/production/anomaliaoperazione/?tipo=102": 2,
        "/admin/orders/ordine/?stato__exact=IN+ATTESA": 2,
        "/admin/orders/ordine/?attenzione=ritardo": 1,
        "/admin/orders/ordine/?attenzione=quasi": 1,
        "/admin/orders/ordine/?attenzione=senza_righe": 1,
        "/admin/orders/magazzino/?scorta=sotto": 1,
    }
    links = links_of(page.text)
    assert set(counts) <= links
    for link in links - {"/admin/password_change/"}:
        answer = admin_client.get(link)
        assert answer.status_code == 200, link
        if link in counts:
            assert answer.context["cl"].result_count == counts[link], link


def test_a_cell_of_the_heat_map_leads_to_its_anomalies(admin_client: Client, busy_plant) -> None:
    rows = admin_client.get("/admin/").context["heat"]["map"].rows
    assert [row.name for row in rows] == ["PZC01", "Senza pezzo"]
    (cell,) = rows[0].cells
    assert admin_client.get(cell.url).context["cl"].result_count == cell.number == 1


def test_problems_of_the_flow_are_needs(admin_client: Client) -> None:
    long_ago = timezone.now() - timedelta(hours=3)
    builders.make_esecuzione(
        stato="OK", creata_il=long_ago, iniziata_il=long_ago, finita_il=long_ago
    )
    page = admin_client.get("/admin/")
    assert page.context["tiles"][0].state == "Non scorre"
    texts = [need.text for need in page.context["needs"]]
    assert "Nessun trasferimento riuscito da più di 75 minuti." in texts


def test_the_page_of_another_day(admin_client: Client, busy_plant) -> None:
    page = admin_client.get("/admin/?giorno=2026-10-25")
    assert page.context["window_words"] == "Domenica 25 Ottobre 2026"
    assert len(page.context["window"].slots) == 26
    assert "Ultime 24 ore" in page.text
    odd = admin_client.get("/admin/?giorno=<script>")
    assert odd.context["window"].day is None
    assert "<script>" not in odd.text.replace("<script src", "")


# --- Odd data -------------------------------------------------------------------------------


def test_huge_numbers_and_long_hostile_names(admin_client: Client, plant: None) -> None:
    name = "<b>" + "M" * 47
    Macchinario.objects.create(pk=name)
    piece = "<i>" + "P" * 47
    builders.make_pezzo(piece, nome="N" * 200)
    order_builders.make_scorta(piece, 2**40, scorta_minima=2**31 - 1)
    order_builders.make_scorta("PZC09", 0, scorta_minima=2**31 - 1)
    order_builders.make_riga(8, piece, 2**31 - 1, quantita_rimanente=1)
    now = timezone.now()
    operation = make_operation(
        now - timedelta(hours=2), 60, macchinario_id=name, pezzo_id=piece, pezzi_ora=10_000
    )
    make_anomaly(operation, 999, creata_il=now)
    page = admin_client.get("/admin/")
    assert page.status_code == 200
    assert "<b>" not in page.text
    assert "<i>" not in page.text
    assert "2.147.483.647" in page.text
    assert "2.147.483.646/2.147.483.647" in page.text


# --- A server away --------------------------------------------------------------------------


def test_with_mysql_away_the_page_opens_and_says_so(
    admin_client: Client, busy_plant, production_away
) -> None:
    admin_client.get("/admin/")
    with production_away():
        page = admin_client.get("/admin/")
    assert page.status_code == 200
    states = {tile.title: (tile.kind, tile.state) for tile in page.context["tiles"]}
    away = ("error", "MySQL non risponde")
    assert states["Anomalie aperte"] == states["Ordini in attesa"] == away
    assert states["Sotto la scorta minima"] == away
    assert states["Record rifiutati"] == ("error", "Da rivedere")
    assert states["Flusso dei dati"] == ("error", "Non scorre")
    assert page.context["needs"][0].text == "MySQL non risponde: i record restano in attesa."
    assert "MySQL non risponde: dati non disponibili." in page.text
    back = admin_client.get("/admin/")
    assert [tile.state for tile in back.context["tiles"]].count("MySQL non risponde") == 0


def test_mysql_that_goes_away_in_this_very_moment(
    admin_client: Client, busy_plant, production_away, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = {"postgresql": True, "mysql": True}
    admin_client.get("/admin/")
    monkeypatch.setattr("ingestion.watch.health.databases_answering", answering.copy)
    with production_away():
        page = admin_client.get("/admin/")
    assert page.status_code == 200
    assert page.text.count("MySQL non risponde: dati non disponibili.") >= 3


# --- Language, policy -----------------------------------------------------------------------


def test_the_page_is_english_to_the_last_word(
    admin_client: Client, busy_plant, compiled_translations
) -> None:
    page = admin_client.get("/admin/", headers={"Accept-Language": "en"})
    for word in ("What is needed", "Data flow", "Finished pieces per hour", "missed hour"):
        assert word in page.text
    for word in (
        "Macchin",
        "Fermo",
        "Nessun",
        "anomalia",
        "anomalie ",
        "Ordin",
        "scorta",
        "giorni",
    ):
        assert word not in re.sub(r'(href|id|for|name|action|class)="[^"]*"', "", page.text), word


def test_there_is_no_inline_style_or_script(admin_client: Client, busy_plant) -> None:
    page = admin_client.get("/admin/").text
    assert page.count("<svg") > 6
    assert inline_code(page) == []


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 min"), (59.9, "59 min"), (60, "1 h"), (2879, "47 h"), (2880, "2 giorni")],
)
def test_ages(minutes: float, words: str) -> None:
    assert tiles.age(timedelta(minutes=minutes)) == words


def test_what_the_verification_found_is_a_need(admin_client: Client) -> None:
    builders.make_esecuzione(tipo="verifica", stato="ERRORE")

    page = admin_client.get("/admin/")

    assert "La verifica ha trovato qualcosa che non torna." in page.text
    assert "/admin/ingestion/esecuzioneetl/?tipo__exact=verifica" in page.text


@pytest.mark.parametrize(
    ("beats", "stato", "shown"),
    [
        (True, "OK", ("ok", "Scorre")),
        (True, "ERRORE", ("warning", "Ultimo non riuscito")),
        (True, "INTERROTTA", ("warning", "Ultimo non riuscito")),
        (False, "OK", ("warning", "Worker fermo")),
    ],
)
def test_the_flow_is_green_only_when_all_of_it_is(beats: bool, stato: str, shown) -> None:
    now = timezone.now()
    run = builders.make_esecuzione(stato=stato, iniziata_il=now)

    assert tiles.flow_state([], run, beats=beats) == shown
