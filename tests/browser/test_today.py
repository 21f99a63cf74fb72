"""The tiles of "Oggi" and the lists to which they lead."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import plant

pytestmark = pytest.mark.browser

# Tile → where it leads, when every one of them has something to show.
TILES = {
    "Flusso dei dati": "/admin/ingestion/esecuzioneetl/",
    "Record rifiutati": "/admin/ingestion/rawoperazione/?errori=da_gestire",
    "Anomalie aperte": "/admin/production/anomaliaoperazione/",
    "Ordini in attesa": "/admin/orders/ordine/?stato__exact=IN+ATTESA",
    "Sotto la scorta minima": "/admin/orders/magazzino/?scorta=sotto",
}


def number_in(text):
    return int(re.sub(r"\D", "", text))


def rows_of(page):
    """How many rows a list says that it has."""
    return number_in(re.search(r"[\d.]+(?= \D+$)", page.locator(".paginator").inner_text()).group())


@pytest.mark.parametrize("title", TILES)
def test_a_tile_leads_to_the_rows_that_it_counts(opened, portal, title):
    page = opened("operatore")
    page.goto("/admin/")
    tile = page.locator(".tile").filter(has=page.get_by_role("heading", name=title, exact=True))
    figure = tile.locator(".tile-figure")
    counted = number_in(figure.inner_text()) if figure.count() else None

    tile.get_by_role("link", name=title, exact=True).click()

    expect(page).to_have_url(portal.url + TILES[title])
    assert (counted is None) == (title == "Flusso dei dati")
    if counted is not None:
        assert counted == rows_of(page) > 0


def test_every_line_with_a_number_leads_to_as_many_rows(opened):
    page = opened("operatore")
    page.goto("/admin/")
    lines = page.locator(".tile-line dd a").evaluate_all(
        "links => links.map(link => [link.getAttribute('href'), link.firstChild.textContent])"
    )
    lists = [(address, text) for address, text in lines if not address.endswith("/change/")]
    assert len(lists) >= 8
    for address, text in lists:
        page.goto(address)
        assert rows_of(page) == number_in(text.split(",")[0]), address


def test_what_is_needed_stands_first(opened, portal):
    page = opened("capoturno")
    page.goto("/admin/")
    needs = page.locator(".need a")
    rejected = portal.value(
        "default", "SELECT count(*) FROM raw_operazione WHERE stato='ERROR' AND scartato_il IS NULL"
    )
    expect(needs.filter(has_text="rifiutat")).to_contain_text(str(rejected))
    needs.filter(has_text="rifiutat").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Record ricevuti")
    assert rows_of(page) == rejected


def test_the_numbers_of_a_picture_are_there_as_a_table(opened):
    page = opened("operatore")
    page.goto("/admin/")
    pictures = page.locator(".chart:has(svg)")
    assert pictures.count() >= 4
    for picture in pictures.all():
        picture.locator("summary").click()
        expect(picture.locator("table").first).to_be_visible()


def test_another_day_can_be_chosen(opened):
    page = opened("operatore")
    page.goto("/admin/")
    page.get_by_label("Un altro giorno").fill("2026-01-15")
    page.get_by_role("button", name="Mostra").click()
    expect(page.locator("#window-title")).to_contain_text("15")
    page.get_by_role("link", name="Ultime 24 ore").click()
    expect(page).to_have_url(re.compile("/admin/$"))


def test_there_is_something_of_everything(portal):
    """What the other tests of this folder need to see something."""
    assert portal.count("ERROR") >= 1
    assert portal.count("PROCESSED") > plant.HOURS * 6
