"""Production in the admin: fast lists, filters, what may be edited and what may not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from etlportal.lists import pages as admin_lists
from ingestion.models import EsecuzioneEtl
from ingestion.runs.running import do_work
from ingestion.transfer import pipeline
from production.models import (
    Acciaio,
    Anomalia,
    AnomaliaOperazione,
    Macchinario,
    Operazione,
    Pezzo,
    TipoFermo,
)
from tests import builders

pytestmark = pytest.mark.django_db(databases=["default", "production"])

OPERAZIONI = "/admin/production/operazione/"
ANOMALIE = "/admin/production/anomaliaoperazione/"
START = datetime(2024, 12, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def loaded(plant: None) -> Operazione:
    """A forging record that the transfer loaded with two anomalies."""
    builders.make_raw_operazione(temperatura_effettiva="1350", codice_operatore="ignoto")
    run = do_work(builders.make_active_esecuzione(), pipeline.Transfer(pipeline.TransferOptions()))
    assert run.stato == EsecuzioneEtl.Stato.OK
    return Operazione.objects.get()


def make_operazione(**overrides: Any) -> Operazione:
    fields: dict[str, Any] = {
        "pezzo_id": "PZC01",
        "macchinario_id": "FORGIA1",
        "timestamp_inizio": START,
        "timestamp_fine": START + timedelta(minutes=20),
        "tipo_operazione": "forgiatura",
        "durata": 1200,
    }
    return Operazione.objects.create(**(fields | overrides))


def make_anomalia(operazione: Operazione, **overrides: Any) -> AnomaliaOperazione:
    fields: dict[str, Any] = {"anomalia_id": 2, "origine": "VALIDAZIONE", "creata_il": START}
    return AnomaliaOperazione.objects.create(operazione=operazione, **(fields | overrides))


def listed(client: Client, url: str, **parameters: str) -> list[Any]:
    """The keys that a list shows, in its order."""
    page = client.get(url, parameters)
    assert page.status_code == 200, page
    return [row.pk for row in page.context["cl"].result_list]


# --- Looking at operations and anomalies ----------------------------------------------------


def test_an_operation_shows_its_parts_and_leads_to_its_record(
    admin_client: Client, loaded: Operazione
) -> None:
    page = admin_client.get(f"{OPERAZIONI}{loaded.pk}/change/").text
    assert "20/12/2024 11:00:00" in page  # plant time of 10:00 UTC
    assert "0:20:00" in page
    assert "TEMPERATURA_NON_VALIDA" in page
    assert "RIFERIMENTO_SCONOSCIUTO" in page
    assert 'badge-waiting">Non valutabile' in page
    assert f'href="/admin/ingestion/rawoperazione/uid/{loaded.raw_uid}/"' in page
    assert "Lavorazione CNC" not in page


def test_a_cnc_operation_shows_the_cnc_part(admin_client: Client, plant: None) -> None:
    builders.make_raw_operazione(
        tipo_operazione="cnc", codice_macchinario="CNC1", numero_pezzi_ora="3"
    )
    do_work(builders.make_active_esecuzione(), pipeline.Transfer(pipeline.TransferOptions()))
    page = admin_client.get(f"{OPERAZIONI}{Operazione.objects.get().pk}/change/").text
    assert "Lavorazione CNC" in page
    assert "1,0000" in page  # 3 pieces an hour for twenty minutes
    assert "peso nominale" not in page.lower()


def test_an_operation_of_unknown_kind_has_no_part(admin_client: Client, plant: None) -> None:
    operazione = make_operazione(tipo_operazione=None, raw_uid=None, timestamp_fine=None)
    page = admin_client.get(f"{OPERAZIONI}{operazione.pk}/change/")
    assert page.status_code == 200
    assert "None" not in page.text


def test_the_list_counts_the_anomalies_of_each_operation(
    admin_client: Client, loaded: Operazione
) -> None:
    assert '<span class="badge badge-warning">2</span>' in admin_client.get(OPERAZIONI).text


def test_operations_and_anomalies_cannot_be_written(
    admin_client: Client, loaded: Operazione
) -> None:
    anomalia = AnomaliaOperazione.objects.first()
    for url in (f"{OPERAZIONI}{loaded.pk}/", f"{ANOMALIE}{anomalia.pk}/"):
        assert admin_client.post(f"{url}change/", {"note": "mia"}).status_code == 403
        assert admin_client.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{OPERAZIONI}add/").status_code == 403
    assert AnomaliaOperazione.objects.count() == 2


def test_what_a_machine_sent_is_escaped(admin_client: Client, plant: None) -> None:
    make_anomalia(make_operazione(), valore_ricevuto="<script>x</script>", campo="<b>_campo")
    page = admin_client.get(ANOMALIE).text
    assert "<script>x" not in page
    assert "<b>_" not in page
    assert "&lt;script&gt;x" in page


# --- Filters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("PZC01", {"PZC01"}),  # a code alone is that piece, though others hold the same text
        ("ALBERO", {"PZC01", "PZC0100"}),
        ("pzc0", {"PZC01", "PZC0100", "PZC09"}),
        (" PZC09 ", {"PZC09"}),
        ("nessuno", set()),
    ],
)
def test_operations_of_a_piece_by_code_or_name(
    admin_client: Client, plant: None, text: str, found: set[str]
) -> None:
    Pezzo.objects.filter(pk="PZC01").update(nome="Albero corto")
    builders.make_pezzo("PZC0100", nome="albero lungo")
    for codice in ("PZC01", "PZC0100", "PZC09"):
        make_operazione(pezzo_id=codice)
    page = admin_client.get(OPERAZIONI, {"pezzo": text})
    assert {row.pezzo_id for row in page.context["cl"].result_list} == found


def test_days_are_of_plant_time_and_both_are_included(admin_client: Client, plant: None) -> None:
    moments = (
        "2024-12-19T22:59:59Z",  # the 19th in Rome
        "2024-12-19T23:00:00Z",  # midnight, the 20th
        "2024-12-21T22:59:59Z",  # the last second of the 21st
        "2024-12-21T23:00:00Z",
    )
    keys = [
        make_operazione(timestamp_inizio=datetime.fromisoformat(moment)).pk for moment in moments
    ]
    days = {"timestamp_inizio_dal": "2024-12-20", "timestamp_inizio_al": "2024-12-21"}
    assert listed(admin_client, OPERAZIONI, **days) == [keys[2], keys[1]]
    assert listed(admin_client, OPERAZIONI, timestamp_inizio_dal="2024-12-21") == [keys[3], keys[2]]
    assert listed(admin_client, OPERAZIONI, timestamp_inizio_al="2024-12-19") == [keys[0]]


@pytest.mark.parametrize("day", ["ieri", "2024-13-01", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_refused_gently(admin_client: Client, plant: None, day: str) -> None:
    page = admin_client.get(OPERAZIONI, {"timestamp_inizio_al": day}, follow=True)
    assert page.status_code == 200


def test_a_range_orders_the_list_by_its_own_column(admin_client: Client, plant: None) -> None:
    newer = make_operazione(timestamp_inizio=START + timedelta(hours=1))
    older = make_operazione(timestamp_inizio=START)
    assert listed(admin_client, OPERAZIONI) == [older.pk, newer.pk]
    ranged = listed(admin_client, OPERAZIONI, timestamp_inizio_dal="2024-12-20")
    assert ranged == [newer.pk, older.pk]


def test_filters_of_the_anomalies(admin_client: Client, plant: None) -> None:
    weight = make_anomalia(make_operazione(), anomalia_id=2)
    other = make_operazione(pezzo_id="PZC09", macchinario_id="CNC1")
    reference = make_anomalia(
        other, anomalia_id=106, origine="MACCHINA", creata_il=START + timedelta(days=1)
    )
    assert listed(admin_client, ANOMALIE) == [reference.pk, weight.pk]
    assert listed(admin_client, ANOMALIE, tipo="106") == [reference.pk]
    assert listed(admin_client, ANOMALIE, origine__exact="MACCHINA") == [reference.pk]
    assert listed(admin_client, ANOMALIE, pezzo="PZC09") == [reference.pk]
    assert listed(admin_client, ANOMALIE, macchinario="FORGIA1") == [weight.pk]
    assert listed(admin_client, ANOMALIE, creata_il_al="2024-12-20") == [weight.pk]
    assert listed(admin_client, ANOMALIE, tipo="106", pezzo="PZC01") == []
    assert listed(admin_client, ANOMALIE, tipo="x") == []


def test_the_form_of_the_filters_keeps_all_of_them(admin_client: Client, plant: None) -> None:
    given = {"tipo": "2", "pezzo": "<P>", "macchinario": "", "origine__exact": "MACCHINA"}
    page = admin_client.get(ANOMALIE, given).text
    assert '<option value="2" selected>' in page
    assert 'name="pezzo" value="&lt;P&gt;"' in page
    assert '<input type="hidden" name="origine__exact" value="MACCHINA">' in page
    assert '<input type="hidden" name="macchinario"' not in page


def test_inputs_left_empty_are_no_filter(admin_client: Client, plant: None) -> None:
    anomalia = make_anomalia(make_operazione())
    empty = {"tipo": "", "pezzo": "", "macchinario": "", "creata_il_dal": "", "creata_il_al": ""}
    page = admin_client.get(ANOMALIE, empty)
    assert [row.pk for row in page.context["cl"].result_list] == [anomalia.pk]
    assert not page.context["cl"].has_active_filters


def test_filters_do_not_list_the_catalogue(admin_client: Client, plant: None) -> None:
    builders.make_pezzo("PEZZO-RARO")
    assert "PEZZO-RARO" not in admin_client.get(OPERAZIONI).text
    assert "PEZZO-RARO" not in admin_client.get(ANOMALIE).text


def test_an_operation_is_found_by_its_number(admin_client: Client, plant: None) -> None:
    operazione = make_operazione()
    make_operazione()
    assert listed(admin_client, OPERAZIONI, q=str(operazione.pk)) == [operazione.pk]
    assert listed(admin_client, OPERAZIONI, q="abc") == []
    assert listed(admin_client, OPERAZIONI, q="9" * 40) == []


# --- Fast lists -----------------------------------------------------------------------------


def queries_of(client: Client, url: str) -> list[str]:
    with (
        CaptureQueriesContext(connections["default"]) as default,
        CaptureQueriesContext(connections["production"]) as production,
    ):
        assert client.get(url).status_code == 200
    return [query["sql"] for query in (*default, *production)]


@pytest.mark.parametrize("url", [OPERAZIONI, ANOMALIE, "/admin/production/pezzo/"])
def test_a_list_costs_the_same_queries_whatever_its_length(
    admin_client: Client, plant: None, url: str
) -> None:
    steel = Acciaio.objects.create(tipo_acciaio="C45")
    Pezzo.objects.update(tipo_acciaio=steel)
    make_anomalia(make_operazione())
    few = len(queries_of(admin_client, url))
    for codice in ("PZC01", "PZC09", "PZC10", "8", "008"):
        for _ in range(4):
            make_anomalia(make_operazione(pezzo_id=codice))
    many = queries_of(admin_client, url)
    assert len(many) == few, "\n".join(many)
    assert few <= 7


def test_nothing_is_counted_to_the_end(
    admin_client: Client, plant: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_lists, "COUNT_LIMIT", 3)
    for _ in range(5):
        make_operazione()
    asked = queries_of(admin_client, OPERAZIONI)
    assert not [sql for sql in asked if "COUNT(*)" in sql]
    assert len([sql for sql in asked if "LIMIT 4" in sql]) == 1
    page = admin_client.get(OPERAZIONI)
    assert "oltre" in page.text
    assert page.context["cl"].result_count == 3


@pytest.mark.parametrize("asked", [{}, {"p": "2"}])
def test_few_rows_are_found_first_and_then_sorted(
    admin_client: Client, plant: None, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    """In the order and the pages that they would have with all."""
    numbers = [make_operazione().pk for _ in range(5)]
    monkeypatch.setattr("production.admin.operations.OperazioneAdmin.list_per_page", 3)
    with CaptureQueriesContext(connections["production"]) as captured:
        page = admin_client.get(OPERAZIONI, asked)
    shown = [row.pk for row in page.context["cl"].result_list]
    assert shown == (sorted(numbers, reverse=True)[3:] if asked else sorted(numbers)[:1:-1])
    paged = [query["sql"] for query in captured if "LIMIT 3" in query["sql"]]
    assert len(paged) == 1
    assert " IN (" in paged[0]


def test_a_short_list_is_counted_exactly(admin_client: Client, plant: None) -> None:
    make_operazione()
    page = admin_client.get(OPERAZIONI).text
    assert "1 operazione" in page
    assert "oltre" not in page


def test_an_address_cannot_sort_by_a_column_without_index(
    admin_client: Client, plant: None
) -> None:
    asked = {"fine": "6", "inizio": "5"}  # places in list_display
    orders = {
        name: admin_client.get(OPERAZIONI, {"o": place}).context["cl"].queryset.query.order_by
        for name, place in asked.items()
    }
    assert set(orders["fine"]) == {"-pk"}
    assert orders["inizio"][:2] == ("timestamp_inizio", "-pk")


# --- Master data ----------------------------------------------------------------------------


def pezzo_form(**overrides: str) -> dict[str, str]:
    fields = {
        "codice_pezzo": "NUOVO",
        "nome": "Perno",
        "descrizione": "",
        "fase_finale": "cnc",
        "peso_min": "10",
        "peso_max": "12.5",
        "temperatura_min": "",
        "temperatura_max": "",
        "tipo_acciaio": "",
        "prezzo": "",
        "immagine": "",
    }
    return fields | overrides


def test_a_piece_is_added_and_its_limits_changed(admin_client: Client, plant: None) -> None:
    admin_client.post("/admin/production/pezzo/add/", pezzo_form())
    pezzo = Pezzo.objects.get(pk="NUOVO")
    assert (pezzo.fase_finale, str(pezzo.peso_max)) == ("cnc", "12.500")
    change = "/admin/production/pezzo/NUOVO/change/"
    admin_client.post(change, pezzo_form(codice_pezzo="ALTRO", peso_max="13"))
    pezzo.refresh_from_db()
    assert str(pezzo.peso_max) == "13.000"
    assert not Pezzo.objects.filter(pk="ALTRO").exists()  # a code is not renamed


def test_limits_the_wrong_way_round_are_refused(admin_client: Client, plant: None) -> None:
    page = admin_client.post("/admin/production/pezzo/add/", pezzo_form(peso_max="9"))
    assert "Il massimo non può essere minore del minimo." in page.text
    assert not Pezzo.objects.filter(pk="NUOVO").exists()


def test_a_piece_in_use_is_not_offered_for_deletion(admin_client: Client, plant: None) -> None:
    make_operazione()
    assert admin_client.get("/admin/production/pezzo/PZC01/delete/").status_code == 403
    delete_link = 'class="deletelink"'
    assert delete_link not in admin_client.get("/admin/production/pezzo/PZC01/change/").text
    assert delete_link in admin_client.get("/admin/production/pezzo/PZC09/change/").text
    admin_client.post("/admin/production/pezzo/PZC09/delete/", {"post": "yes"})
    assert not Pezzo.objects.filter(pk="PZC09").exists()


def test_master_data_are_not_deleted_many_at_once(admin_client: Client, plant: None) -> None:
    chosen = {"action": "delete_selected", "_selected_action": ["PZC09"], "post": "yes"}
    admin_client.post("/admin/production/pezzo/", chosen)
    assert Pezzo.objects.filter(pk="PZC09").exists()


def test_pieces_are_found_by_code_in_any_case(admin_client: Client, plant: None) -> None:
    assert listed(admin_client, "/admin/production/pezzo/", q="pzc1") == ["PZC10"]
    assert listed(admin_client, "/admin/production/pezzo/", q="%") == []


def test_steels_are_chosen_by_autocomplete(admin_client: Client, plant: None) -> None:
    Acciaio.objects.create(tipo_acciaio="42CrMo4")
    asked = {
        "app_label": "production",
        "model_name": "pezzo",
        "field_name": "tipo_acciaio",
        "term": "crmo",
    }
    answer = admin_client.get("/admin/autocomplete/", asked).json()
    assert [result["text"] for result in answer["results"]] == ["42CrMo4"]


def test_synonyms_are_written_one_a_line(admin_client: Client, plant: None) -> None:
    change = "/admin/production/tipofermo/PAUSA/change/"
    assert ">\nbreak</textarea>" in admin_client.get(change).text
    form = {"descrizione": "Pausa", "classe": "pianificato", "sinonimi": " break \r\n\r\npranzo"}
    admin_client.post(change, form)
    assert TipoFermo.objects.get(pk="PAUSA").sinonimi == ["break", "pranzo"]


def test_the_catalogue_may_be_reworded_only(admin_client: Client, plant: None) -> None:
    form = {"id_anomalia": "777", "tipo_anomalia": "PESO_STRANO", "note": "Pesare di nuovo."}
    admin_client.post("/admin/production/anomalia/2/change/", form)
    assert Anomalia.objects.get(pk=2).tipo_anomalia == "PESO_STRANO"
    assert not Anomalia.objects.filter(pk=777).exists()
    assert admin_client.get("/admin/production/anomalia/add/").status_code == 403
    assert admin_client.get("/admin/production/anomalia/999/delete/").status_code == 403


def test_machines_and_operators_are_editable(admin_client: Client, plant: None) -> None:
    form = {"codice_macchinario": "FRG9", "tipo": "Maglio", "id_costo": "7"}
    admin_client.post("/admin/production/macchinario/add/", form)
    assert Macchinario.objects.get(pk="FRG9").id_costo == 7
    form = {"nome": "Anna", "cognome": "Bianchi", "id_costo": ""}
    admin_client.post("/admin/production/operatore/OOP4/change/", form)
    assert "OOP4 Bianchi Anna" in admin_client.get("/admin/production/operatore/OOP4/change/").text
