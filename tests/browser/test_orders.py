"""Orders and stock: made and confirmed, cancelled, reopened; a count that differs, corrected."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def choose(page, field, text):
    """Types into a choice with a search, found by its name, and takes the first offer."""
    page.get_by_role("combobox", name=field).first.click()
    page.locator(".select2-search__field").fill(text)
    page.locator(".select2-results__option--highlighted").filter(
        has_text=re.compile(re.escape(text), re.I)
    ).click()


@pytest.fixture
def order(opened, portal):
    """The address of an order that somebody of the administration just made."""
    page = opened("admin")
    page.goto("/admin/orders/ordine/add/")
    customer = portal.value("production", "SELECT nome FROM cliente ORDER BY id_cliente LIMIT 1")
    choose(page, re.compile("Cliente"), customer)
    choose(page, re.compile("Pezzo", re.I), "PZC01")
    page.get_by_label("Quantità").first.fill("3")
    page.locator("input[name=_continue]").click()
    expect(page.locator(".messagelist")).to_contain_text(re.compile("magazzino"))
    expect(page.locator(".field-stato_badge .badge").first).to_have_text("In attesa")
    return page.url


def give_reason(page, title, reason):
    page.locator(".object-tools").get_by_role("link", name=title).click()
    page.get_by_label("Motivo").fill(reason)
    page.locator(f"input[type=submit][value='{title}']").click()


def test_an_order_is_made_cancelled_and_reopened(opened, order):
    page = opened("capoturno")
    page.goto(order)
    give_reason(page, "Annulla ordine", "Il cliente ha rinunciato")
    expect(page.locator(".messagelist")).to_contain_text("annullato")
    expect(page.locator(".field-stato_badge .badge").first).to_have_text("Annullato")
    expect(page.locator("input[name=_save]")).to_have_count(0)

    give_reason(page, "Riapri ordine", "Ha cambiato idea")

    expect(page.locator(".messagelist")).to_contain_text("riaperto")
    expect(page.locator(".field-stato_badge .badge").first).to_have_text("In attesa")
    page.locator(".historylink").click()
    expect(page.locator("#change-history")).to_contain_text("Motivo: Il cliente ha rinunciato")
    expect(page.locator("#change-history")).to_contain_text("Motivo: Ha cambiato idea")


def test_the_orders_are_brought_up_to_date(opened, portal):
    page = opened("capoturno")
    page.goto("/admin/orders/ordine/")
    page.get_by_role("button", name="Aggiorna ordini ora").click()
    run = page.locator(".messagelist").get_by_role("link").inner_text()
    ended = "SELECT count(*) FROM esecuzione_etl WHERE id = %s AND stato = 'OK'"
    portal.wait_until(lambda: portal.value("default", ended, [run]), "the run's end")


def test_a_stock_figure_is_corrected_by_a_movement(opened, portal):
    page = opened("capoturno")
    page.goto("/admin/orders/magazzino/")
    page.locator("#result_list tbody th a").first.click()
    stock = re.search(r"/(\d+)/change/", page.url).group(1)
    query = "SELECT quantita_disponibile FROM magazzino WHERE id_magazzino = %s"
    before = portal.value("production", query, [stock])

    page.get_by_role("link", name="Rettifica giacenza").click()
    page.get_by_label("Quantità contata").fill(str(before + 2))
    page.get_by_label("Motivo").fill("Inventario")
    page.get_by_role("button", name="Registra la rettifica").click()

    expect(page.locator(".messagelist")).to_have_text(
        f"Giacenza rettificata da {before} a {before + 2}."
    )
    assert portal.value("production", query, [stock]) == before + 2
    expect(page.locator(".related-table tbody tr").first).to_contain_text("Inventario")
