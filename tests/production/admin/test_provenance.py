"""The panel "Provenienza": from the flow's run to the movements, and back from every page."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.test import Client

from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import store
from ingestion.runs.queue import start
from ingestion.runs.running import do_work
from ingestion.transfer import pipeline
from orders.counting.run import Counting, CountingOptions
from orders.models import MovimentoMagazzino, MovimentoProduzione
from production.models import AnomaliaOperazione, Operazione
from tests import builders
from tests.orders.builders import make_riga, make_scorta, make_update
from tests.orders.conftest import DEAD_AFTER

pytestmark = pytest.mark.django_db(databases=["default", "production"])

NOW = datetime(2024, 12, 20, 12, 0, tzinfo=UTC)
HEADERS = {
    "x-ms-workflow-name": "Flusso <di prova>",
    "x-ms-workflow-run-id": "08585",
    "x-ms-workflow-operation-name": "Invia",
}


class Chain:
    """One record on its whole way: sent by a flow, transferred with two anomalies, counted."""

    def __init__(self) -> None:
        make_riga(8, "PZC01", 3)
        make_scorta("PZC01")
        record = builders.make_posted(temperatura_effettiva=1350, codice_operatore="ignoto")
        receipt = store.store_lotto(store.Post([record], b"[]", "k", HEADERS, "r-77"))
        self.lotto = LottoRicevuto.objects.get(pk=receipt.lotto)
        run, work = builders.make_active_esecuzione(), pipeline.Transfer(pipeline.TransferOptions())
        self.transfer = do_work(run, work)
        self.update = make_update()
        start(self.update, DEAD_AFTER, NOW)
        do_work(self.update, Counting(CountingOptions()))
        self.raw = RawOperazione.objects.get()
        self.operazione = Operazione.objects.get()
        self.anomalia = AnomaliaOperazione.objects.order_by("pk").first()
        self.contata = MovimentoProduzione.objects.get()

    def links(self) -> set[str]:
        """The page of each link of the chain, as the panel of any of them shows it."""
        return {
            page("ingestion/rawoperazione", self.raw.pk),
            page("ingestion/lottoricevuto", self.lotto.pk),
            page("ingestion/esecuzioneetl", self.transfer.pk),
            page("ingestion/esecuzioneetl", self.update.pk),
            page("production/operazione", self.operazione.pk),
            page("orders/ordine", 8),
            page("orders/movimentoproduzione", self.contata.pk),
            f"/admin/production/anomaliaoperazione/?operazione={self.operazione.pk}&stato=tutte",
        }


def page(model: str, pk: Any) -> str:
    return f"/admin/{model}/{pk}/change/"


def panel(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.text.split('class="module provenance"')[1].split("</section>")[0]


def links_in(text: str) -> set[str]:
    return {unescape(url) for url in re.findall(r'href="([^"]+)"', text)}


@pytest.fixture
def chain(plant: None) -> Chain:
    return Chain()


@pytest.mark.parametrize(
    "page_of",
    [
        lambda chain: page("production/operazione", chain.operazione.pk),
        lambda chain: page("production/anomaliaoperazione", chain.anomalia.pk),
        lambda chain: page("ingestion/rawoperazione", chain.raw.pk),
        lambda chain: page("orders/movimentoproduzione", chain.contata.pk),
    ],
    ids=["operazione", "anomalia", "record", "movimento"],
)
def test_from_any_of_one_operation_to_all_the_others(
    admin_client: Client, chain: Chain, page_of: Any
) -> None:
    text = panel(admin_client, page_of(chain))
    assert chain.links() <= links_in(text)
    assert "Flusso &lt;di prova&gt; · 08585 · Invia" in text
    assert "r-77" in text
    for url in links_in(text):
        assert admin_client.get(url).status_code == 200, url


def test_from_a_batch_and_from_a_run(admin_client: Client, chain: Chain) -> None:
    text = panel(admin_client, page("ingestion/lottoricevuto", chain.lotto.pk))
    records = f"/admin/ingestion/rawoperazione/?lotto={chain.lotto.pk}"
    transfer = page("ingestion/esecuzioneetl", chain.transfer.pk)
    assert links_in(text) == {records, transfer}
    assert "08585" in text
    assert "r-77" in text
    text = panel(admin_client, transfer)
    records = f"/admin/ingestion/rawoperazione/?esecuzione={chain.transfer.pk}"
    assert links_in(text) == {records, page("ingestion/lottoricevuto", chain.lotto.pk)}
    text = panel(admin_client, page("ingestion/esecuzioneetl", chain.update.pk))
    (movements,) = links_in(text)
    listed = admin_client.get(movements).context["cl"].result_list
    assert [row.pk for row in listed] == [chain.contata.pk]
    other = admin_client.get(movements.replace(str(chain.update.pk), "999999"))
    assert list(other.context["cl"].result_list) == []


def test_a_stock_movement_of_one_operation_has_its_chain(
    admin_client: Client, chain: Chain
) -> None:
    movement = MovimentoMagazzino.objects.filter(operazione=chain.operazione.pk).first()
    assert movement is not None
    text = panel(admin_client, page("orders/movimentomagazzino", movement.pk))
    assert chain.links() <= links_in(text)


def test_a_stock_movement_of_a_person(admin_client: Client, chain: Chain) -> None:
    scorta = MovimentoMagazzino.objects.first().magazzino
    movement = MovimentoMagazzino.objects.create(
        magazzino=scorta, quantita=2, causa="RETTIFICA", utente="anna"
    )
    text = panel(admin_client, page("orders/movimentomagazzino", movement.pk))
    assert links_in(text) == set()
    assert "anna" in text


def test_a_record_that_is_not_transferred_yet(admin_client: Client, plant: None) -> None:
    raw = builders.make_raw_operazione(lotto=builders.make_lotto())
    text = panel(admin_client, page("ingestion/rawoperazione", raw.pk))
    assert "Non ancora trasferito." in text
    assert "Non ancora trasferita." in text
    assert page("ingestion/lottoricevuto", raw.lotto_id) in links_in(text)


def test_what_was_purged_is_told_without_a_link(admin_client: Client, chain: Chain) -> None:
    RawOperazione.objects.all().delete()
    LottoRicevuto.objects.all().delete()
    EsecuzioneEtl.objects.all().delete()
    text = panel(admin_client, page("production/operazione", chain.operazione.pk))
    assert "Non più conservato" in text
    assert f"esecuzione {chain.update.pk}" in text
    assert not any("/ingestion/" in url for url in links_in(text))
    for url in links_in(text):
        assert admin_client.get(url).status_code == 200, url


def test_an_operation_of_another_program(admin_client: Client, plant: None) -> None:
    operazione = Operazione.objects.create()
    text = panel(admin_client, page("production/operazione", operazione.pk))
    assert "di un altro programma" in text
    assert "Non ancora contata per gli ordini." in text
    assert links_in(text) == {page("production/operazione", operazione.pk)}


def test_while_production_is_away_the_rest_is_shown(
    admin_client: Client, chain: Chain, production_away: Any
) -> None:
    with production_away():
        for url in (
            page("ingestion/rawoperazione", chain.raw.pk),
            page("ingestion/lottoricevuto", chain.lotto.pk),
            page("ingestion/esecuzioneetl", chain.update.pk),
        ):
            assert "provenance" in admin_client.get(url).text
        text = panel(admin_client, page("ingestion/rawoperazione", chain.raw.pk))
    assert "ora non risponde" in text
    assert page("ingestion/lottoricevuto", chain.lotto.pk) in links_in(text)
