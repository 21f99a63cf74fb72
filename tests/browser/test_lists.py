"""What every list offers: filters, search, filters that are kept, and the list as a file."""

import csv
import io

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LIST = "/admin/production/operazione/"


def rows(page):
    return page.locator("#result_list tbody tr")


def test_a_list_is_filtered_searched_and_shown_whole_again(opened):
    page = opened("operatore")
    page.goto(LIST)
    every = rows(page).count()
    forged = page.get_by_role("group", name="Lavorazione").get_by_role("link", name="Forgiatura")
    forged.click()
    expect(forged).to_have_attribute("aria-current", "true")
    assert 0 < rows(page).count() < every
    expect(page.locator("#result_list tbody .field-lavorazione").first).to_have_text("Forgiatura")
    number = page.locator("#result_list tbody th a").first.inner_text()

    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type(number)
    page.keyboard.press("Enter")

    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Cancella tutti i filtri").click()
    page.get_by_role("link", name="Mostra tutto").click()
    expect(rows(page)).to_have_count(every)


def test_a_filter_is_kept_under_a_name_found_again_and_forgotten(opened):
    page = opened("capoturno")
    page.goto(LIST)
    page.get_by_role("group", name="Lavorazione").get_by_role("link", name="CNC").click()
    filtered, shown = page.url, rows(page).count()
    page.get_by_text("Salva questo filtro").click()
    page.get_by_label("Nome").fill("Solo macchine")
    page.get_by_label("Condividi con tutti").check()
    page.get_by_role("button", name="Salva", exact=True).click()
    expect(page.locator(".messagelist")).to_have_text("Filtro «Solo macchine» salvato.")

    operator = opened("operatore")
    operator.goto(LIST)
    operator.get_by_role("link", name="Solo macchine (capoturno)").click()
    expect(rows(operator)).to_have_count(shown)
    expect(operator).to_have_url(filtered)
    expect(operator.locator(".saved-delete")).to_have_count(0)  # it is not theirs

    page.get_by_role("button", name="Elimina il filtro «Solo macchine»").click()
    expect(page.locator(".messagelist")).to_have_text("Filtro «Solo macchine» eliminato.")
    expect(page.get_by_role("link", name="Solo macchine")).to_have_count(0)


def test_an_operator_keeps_filters_but_not_for_others(opened):
    page = opened("operatore")
    page.goto(f"{LIST}?tipo_operazione=cnc&q=1")
    page.get_by_text("Salva questo filtro").click()
    expect(page.get_by_label("Nome")).to_be_visible()
    expect(page.get_by_label("Condividi con tutti")).to_have_count(0)


@pytest.fixture
def filtered(opened):
    page = opened("capoturno")
    page.goto(LIST)
    page.get_by_role("group", name="Lavorazione").get_by_role("link", name="Forgiatura").click()
    return page


def saved(page, link):
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return download.value


def test_a_filtered_list_is_taken_away_as_csv(filtered):
    shown = rows(filtered).count()
    file = saved(filtered, "Esporta CSV")
    assert file.suggested_filename.endswith(".csv")
    text = file.path().read_text(encoding="utf-8-sig")
    heading, *lines = csv.reader(io.StringIO(text), delimiter=";")
    assert len(lines) == shown
    assert {line[heading.index("Lavorazione")] for line in lines} == {"Forgiatura"}


def test_a_filtered_list_is_taken_away_for_excel(filtered):
    shown = rows(filtered).count()
    file = saved(filtered, "Esporta per Excel")
    assert file.suggested_filename.endswith(".xlsx")
    heading, *lines = load_workbook(io.BytesIO(file.path().read_bytes())).active.iter_rows(
        values_only=True
    )
    assert len(lines) == shown
    assert {line[heading.index("Lavorazione")] for line in lines} == {"Forgiatura"}
