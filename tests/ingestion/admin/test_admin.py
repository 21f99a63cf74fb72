"""Reception and transfer in the admin: what is shown, and the two acts."""

import gzip
import json
import logging
import tracemalloc
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from ingestion.admin.batches import beginning_of
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.reception import store
from ingestion.runs.running import do_work
from ingestion.transfer import pipeline
from production.models import Operazione
from tests import builders
from tests.builders import ANNA

pytestmark = pytest.mark.django_db(databases=["default", "production"])

Stato = RawOperazione.Stato
RAW = "/admin/ingestion/rawoperazione/"
LOTTI = "/admin/ingestion/lottoricevuto/"
RUNS = "/admin/ingestion/esecuzioneetl/"
START = f"{RUNS}trasferisci/"


def make_refused(**overrides) -> RawOperazione:
    fields = {
        "stato": Stato.ERROR,
        "tentativi": 2,
        "errore_codice": "MYSQL_1406",
        "errore_messaggio": "Un testo è più lungo della colonna.",
    }
    return builders.make_raw_operazione(**(fields | overrides))


def transfer() -> EsecuzioneEtl:
    return do_work(builders.make_active_esecuzione(), pipeline.Transfer(pipeline.TransferOptions()))


def client_with(*codenames: str) -> Client:
    """A user of the staff with these permissions alone."""
    user = User.objects.create_user("anna", password="anna", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client, url: str, **parameters: str) -> list:
    page = client.get(url, parameters)
    assert page.status_code == 200, page
    return [row.pk for row in page.context["cl"].result_list]


def messages_of(page) -> list[str]:
    return [str(message) for message in page.context["messages"]]


# --- Records as received --------------------------------------------------------------------


def test_a_record_is_shown_letter_for_letter(admin_client: Client) -> None:
    raw = builders.make_raw_operazione(
        codice_pezzo=" <b>Z1 ",
        codice_macchinario="",
        codice_operatore=None,
        anomalia=[{"id": 3}],
        altri_campi={"turno": "è notte"},
        avvisi=[{"campo": "codice_pezzo", "motivo": "carattere_non_valido", "valore": "x"}],
    )
    page = admin_client.get(f"{RAW}{raw.pk}/change/").text
    assert '<code class="received"> &lt;b&gt;Z1 </code>' in page
    assert "(testo vuoto)" in page
    assert "[{&quot;id&quot;: 3}]" in page
    assert "{&quot;turno&quot;: &quot;è notte&quot;}" in page
    assert "carattere_non_valido" in page
    assert "None" not in page


def test_moments_are_shown_in_plant_time(admin_client: Client) -> None:
    raw = builders.make_raw_operazione()  # received at noon, UTC
    for url in (RAW, f"{RAW}{raw.pk}/change/"):
        assert "20/12/2024 13:00:00" in admin_client.get(url).text


def test_an_endless_text_is_cut(admin_client: Client) -> None:
    raw = builders.make_raw_operazione(codice_pezzo="x" * 100_000)
    assert "x" * 30_000 not in admin_client.get(f"{RAW}{raw.pk}/change/").text
    assert "x" * 100 not in admin_client.get(RAW).text


def test_a_loaded_record_leads_to_its_operation_batch_and_run(
    admin_client: Client, plant: None
) -> None:
    raw = builders.make_raw_operazione(lotto=builders.make_lotto())
    run = transfer()
    page = admin_client.get(f"{RAW}{raw.pk}/change/").text
    operazione = Operazione.objects.get()
    assert f'href="/admin/production/operazione/{operazione.pk}/change/"' in page
    assert f'href="{RUNS}{run.pk}/change/"' in page
    assert f'href="{LOTTI}{raw.lotto_id}/change/"' in page
    assert 'badge-ok">Trasferito' in page


def test_a_record_is_shown_also_while_production_is_away(
    admin_client: Client, production_away
) -> None:
    raw = builders.make_raw_operazione()
    with production_away():
        page = admin_client.get(f"{RAW}{raw.pk}/change/")
    assert page.status_code == 200
    assert "ora non risponde" in page.text


def test_an_operation_leads_to_its_record_or_says_that_it_is_gone(admin_client: Client) -> None:
    raw = builders.make_raw_operazione()
    answer = admin_client.get(f"{RAW}uid/{raw.uid}/")
    assert answer["Location"] == f"{RAW}{raw.pk}/change/"
    page = admin_client.get(f"{RAW}uid/{uuid4()}/", follow=True)
    assert "non è più conservato" in messages_of(page)[0]
    stranger = client_with("view_operazione")
    assert stranger.get(f"{RAW}uid/{raw.uid}/").status_code == 403


def test_records_are_found_by_number_uid_and_exact_code(admin_client: Client) -> None:
    first = builders.make_raw_operazione(codice_pezzo="PZC01", codice_macchinario="M1")
    second = builders.make_raw_operazione(codice_pezzo="PZC011", codice_macchinario="M2")
    assert listed(admin_client, RAW, q=str(first.pk)) == [first.pk]
    assert listed(admin_client, RAW, q=f" {first.uid} ") == [first.pk]
    assert listed(admin_client, RAW, q="PZC01") == [first.pk]
    assert listed(admin_client, RAW, q="M2") == [second.pk]
    assert listed(admin_client, RAW, q="9" * 5000) == []


def test_filters_of_the_records(admin_client: Client) -> None:
    run, lotto = builders.make_esecuzione(), builders.make_lotto()
    old = make_refused(ricevuto_il=timezone.now() - timedelta(days=9), esecuzione=run)
    new = builders.make_raw_operazione(ricevuto_il=timezone.now(), lotto=lotto)
    today = timezone.localdate().isoformat()
    assert listed(admin_client, RAW) == [new.pk, old.pk]
    assert listed(admin_client, RAW, stato__exact="ERROR") == [old.pk]
    assert listed(admin_client, RAW, ricevuto_il_dal=today) == [new.pk]
    assert listed(admin_client, RAW, esecuzione=str(run.pk)) == [old.pk]
    assert listed(admin_client, RAW, esecuzione="x") == []
    assert listed(admin_client, RAW, lotto=str(lotto.pk)) == [new.pk]
    assert listed(admin_client, RAW, lotto="x") == []


def test_the_list_costs_the_same_queries_whatever_its_length(admin_client: Client) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(connections["default"]) as captured:
            assert admin_client.get(RAW).status_code == 200
        return [query["sql"] for query in captured]

    make_refused(lotto=builders.make_lotto(), esecuzione=builders.make_esecuzione())
    few = queries()
    for _ in range(9):
        make_refused(lotto=builders.make_lotto(), esecuzione=builders.make_esecuzione())
    many = queries()
    assert len(many) == len(few) <= 6, "\n".join(many)
    assert not any("altri_campi" in sql for sql in many)  # heavy, and not on the list
    assert all("LIMIT" in sql for sql in many if "COUNT(*)" in sql)


def test_records_batches_and_runs_cannot_be_written(admin_client: Client) -> None:
    raw = make_refused(lotto=builders.make_lotto())
    run = builders.make_esecuzione()
    for url in (f"{RAW}{raw.pk}/", f"{LOTTI}{raw.lotto_id}/", f"{RUNS}{run.pk}/"):
        assert admin_client.post(f"{url}change/", {"stato": "PROCESSED"}).status_code == 403
        assert admin_client.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    for url in (RAW, LOTTI, RUNS):
        assert admin_client.get(f"{url}add/").status_code == 403


# --- Putting back in the queue --------------------------------------------------------------


def test_requeue_takes_rows_in_error_alone() -> None:
    refused, pending = make_refused(), builders.make_raw_operazione(tentativi=1)
    processed = builders.make_raw_operazione(stato=Stato.PROCESSED)
    assert store.requeue([refused.pk, pending.pk, processed.pk], by=ANNA) == 1
    for row in (refused, pending, processed):
        row.refresh_from_db()
    assert (refused.stato, refused.tentativi) == (Stato.PENDING, 0)
    assert (refused.errore_codice, refused.errore_messaggio) == (None, None)
    assert (pending.stato, pending.tentativi) == (Stato.PENDING, 1)
    assert processed.stato == Stato.PROCESSED
    assert store.requeue([refused.pk], by=ANNA) == 0


def test_requeue_says_in_the_log_who_did_it(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("etl")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger="etl"):
            store.requeue([make_refused().pk], by=ANNA)
    finally:
        logger.removeHandler(caplog.handler)
    assert "1 rows requeued by anna" in caplog.text


def requeue(client: Client, *rows: RawOperazione):
    chosen = {"action": "requeue", "index": "0", "_selected_action": [row.pk for row in rows]}
    return client.post(RAW, chosen, follow=True)


def test_the_action_requeues_what_is_chosen(admin_client: Client) -> None:
    chosen, left = make_refused(), make_refused()
    page = requeue(admin_client, chosen)
    expected = "1 record rimesso in coda: sarà preso dal prossimo trasferimento."
    assert messages_of(page) == [expected]
    chosen.refresh_from_db()
    left.refresh_from_db()
    assert (chosen.stato, left.stato) == (Stato.PENDING, Stato.ERROR)


def test_the_action_says_when_nothing_was_in_error(admin_client: Client) -> None:
    page = requeue(admin_client, builders.make_raw_operazione())
    assert messages_of(page)[0].startswith("Nessun record rimesso in coda")


def test_who_may_only_look_cannot_requeue() -> None:
    refused = make_refused()
    onlooker = client_with("view_rawoperazione")
    assert "requeue" not in onlooker.get(RAW).text
    assert "Rimetti in coda" not in onlooker.get(f"{RAW}{refused.pk}/change/").text
    requeue(onlooker, refused)
    refused.refresh_from_db()
    assert refused.stato == Stato.ERROR


def test_one_record_is_requeued_from_its_own_page(admin_client: Client) -> None:
    refused = make_refused()
    assert "Rimetti in coda" in admin_client.get(f"{RAW}{refused.pk}/change/").text
    settled = builders.make_raw_operazione(stato=Stato.PROCESSED)
    assert "Rimetti in coda" not in admin_client.get(f"{RAW}{settled.pk}/change/").text


# --- Batches --------------------------------------------------------------------------------


def test_a_batch_tells_its_records_by_state(admin_client: Client) -> None:
    lotto = builders.make_lotto(record=3)
    builders.make_raw_operazioni(2, lotto=lotto)
    make_refused(lotto=lotto)
    page = admin_client.get(f"{LOTTI}{lotto.pk}/change/").text
    assert "In attesa: 2" in page
    assert "In errore: 1" in page
    assert f"lotto={lotto.pk}&amp;stato__exact=ERROR" in page


def test_a_body_is_shown_escaped(admin_client: Client) -> None:
    body = json.dumps([{"codice_pezzo": "<script>x</script>", "nota": "è"}], ensure_ascii=False)
    lotto = builders.make_lotto(corpo=gzip.compress(body.encode()))
    page = admin_client.get(f"{LOTTI}{lotto.pk}/corpo/").text
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page
    assert "è" in page
    assert "Sono mostrati solo" not in page


def test_of_a_long_body_the_beginning_is_shown(admin_client: Client) -> None:
    lotto = builders.make_lotto(corpo=gzip.compress(b"x" * 50_000))
    page = admin_client.get(f"{LOTTI}{lotto.pk}/corpo/").text
    assert "Sono mostrati solo i primi 20 KB." in page
    assert page.count("x" * 1024) == 20


def test_no_more_of_a_body_is_unpacked_than_is_shown() -> None:
    body = gzip.compress(b"x" * 50_000_000)
    tracemalloc.start()
    try:
        text, cut = beginning_of(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(text), cut) == (20 * 1024, True)
    assert peak < 1_000_000


def test_lists_and_details_do_not_read_bodies(admin_client: Client) -> None:
    lotto = builders.make_lotto()
    with CaptureQueriesContext(connections["default"]) as captured:
        assert listed(admin_client, LOTTI) == [lotto.pk]
        admin_client.get(f"{LOTTI}{lotto.pk}/change/")
    assert not any('"corpo"' in query["sql"] for query in captured)


def test_a_batch_is_found_by_its_identifier(admin_client: Client) -> None:
    lotto, _ = builders.make_lotto(), builders.make_lotto()
    assert listed(admin_client, LOTTI, q=str(lotto.pk)) == [lotto.pk]
    assert listed(admin_client, LOTTI, q="x") == []


def test_a_body_is_for_who_may_see_batches() -> None:
    lotto = builders.make_lotto()
    assert client_with("view_rawoperazione").get(f"{LOTTI}{lotto.pk}/corpo/").status_code == 403


# --- Runs -----------------------------------------------------------------------------------


def test_a_run_is_shown_with_its_counters(admin_client: Client, plant: None) -> None:
    builders.make_raw_operazione()
    run = transfer()
    page = admin_client.get(RUNS).text
    assert 'badge-ok">OK' in page
    assert "1 record caricati." in page
    detail = admin_client.get(f"{RUNS}{run.pk}/change/").text
    assert "Mostra i record in errore" not in detail
    assert "Aggiorna la pagina" not in detail


def test_a_run_leads_to_its_rows_in_error(admin_client: Client) -> None:
    run = builders.make_esecuzione(in_errore=1)
    detail = admin_client.get(f"{RUNS}{run.pk}/change/").text
    assert f"{RAW}?esecuzione={run.pk}&amp;stato__exact=ERROR" in detail
    assert "Aggiorna la pagina" in detail  # it has not ended


def test_the_button_queues_a_transfer(admin_client: Client) -> None:
    assert "Trasferisci ora" in admin_client.get(RUNS).text
    page = admin_client.post(START, follow=True)
    run = EsecuzioneEtl.objects.get()
    assert (run.tipo, run.origine, run.stato) == ("transfer", "admin", "IN_CODA")
    assert run.avviata_da == "admin"
    assert OrmQ.objects.count() == 1
    assert f'href="{RUNS}{run.pk}/change/">{run.pk}</a>' in messages_of(page)[0]
    assert "Il worker è fermo" in messages_of(page)[1]  # none runs in a test


@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_the_transfer_that_the_button_queued_runs(
    admin_client: Client, plant: None, run_queue
) -> None:
    builders.make_raw_operazione()
    admin_client.post(START)
    assert run_queue() == 1
    assert EsecuzioneEtl.objects.get().stato == "OK"
    assert Operazione.objects.count() == 1


def test_a_running_transfer_is_not_doubled(admin_client: Client) -> None:
    active = builders.make_active_esecuzione()
    page = admin_client.post(START, follow=True)
    assert EsecuzioneEtl.objects.count() == 1
    assert "già in corso" in messages_of(page)[0]
    assert f"{RUNS}{active.pk}/change/" in messages_of(page)[0]


def test_a_dead_transfer_holds_nobody_up(admin_client: Client) -> None:
    builders.make_dead_esecuzione()
    admin_client.post(START)
    assert EsecuzioneEtl.objects.filter(stato="IN_CODA").count() == 1


def test_the_button_needs_its_permission_a_post_and_a_token() -> None:
    onlooker = client_with("view_esecuzioneetl")
    assert "Trasferisci ora" not in onlooker.get(RUNS).text
    assert onlooker.post(START).status_code == 403
    starter = User.objects.create_user("capo", password="capo", is_staff=True)
    starter.user_permissions.set(
        Permission.objects.filter(codename__in=["view_esecuzioneetl", "add_esecuzioneetl"])
    )
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(starter)
    assert "Trasferisci ora" in strict.get(RUNS).text
    assert strict.get(START).status_code == 405
    assert strict.post(START).status_code == 403
    assert not EsecuzioneEtl.objects.exists()
