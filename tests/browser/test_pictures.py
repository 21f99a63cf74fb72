"""The start page and the pictures of orders and stock."""

from itertools import product

import pytest

from tests.browser import plant
from tests.browser.conftest import DARK, LIGHT, Look
from tests.browser.launch import complaints, overflow, violations
from tests.length import either

pytestmark = pytest.mark.browser

# In full: each language in each colours and width.
LOOKS = either(
    short=[LIGHT, DARK],
    full=[Look(*look) for look in product(["it", "en"], ["light", "dark"], [1280, 800])],
)


@pytest.fixture
def page_of(opened):
    """``page_of(address, look)``: the page as the superuser sees it."""

    def open_at(address, look=LIGHT):
        page = opened(plant.SUPERUSER, look)
        page.goto(address)
        return page

    return open_at


@pytest.mark.parametrize(
    "look", LOOKS, ids=lambda look: f"{look.language}-{look.colours}-{look.width}"
)
def test_it_is_accessible_in_every_look(page_of, look) -> None:
    page = page_of("/admin/", look)
    assert complaints(page) == []
    assert page.locator("svg.drawing").count() == 4
    assert overflow(page) == 0
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.locator("details table").count() >= 5
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/admin/orders/ordine/", "/admin/orders/magazzino/"])
def test_the_pictures_of_orders_and_stock_are_accessible(page_of, path: str) -> None:
    page = page_of(path)
    page.click("#result_list tbody a >> nth=0")
    page.wait_for_selector("svg.drawing polyline.level", state="attached")  # it may be flat
    assert page.locator("svg.drawing polyline.level").count() == 1
    assert complaints(page) == []
    assert violations(page) == []


def test_no_data_work_stop_and_anomaly_look_different(page_of) -> None:
    """Also without colours: by what fills them."""
    page = page_of("/admin/")
    fills = {
        kind: page.eval_on_selector(
            f"svg.drawing .{kind}",
            "mark => mark.getAttribute('fill') || getComputedStyle(mark).fill",
        )
        for kind in ("worked", "stopped", "anomalous", "no-data")
    }
    assert len(set(fills.values())) == 4
    assert fills["worked"].startswith("rgb")
    assert fills["no-data"] == "url(#pattern-no-data)"


def test_the_users_own_theme_beats_the_systems(page_of) -> None:
    page = page_of("/admin/")
    colour = "mark => getComputedStyle(mark).fill"
    light = page.eval_on_selector(".drawing .worked", colour)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = page.eval_on_selector(".drawing .worked", colour)
    assert light != dark


def test_the_numbers_open_with_the_keyboard(page_of) -> None:
    page = page_of("/admin/")
    numbers = page.locator("details").first
    assert not numbers.locator("table").first.is_visible()
    numbers.locator("summary").focus()
    page.keyboard.press("Enter")
    assert numbers.locator("table").first.is_visible()
    assert numbers.get_by_role("columnheader", name="Senza dati").is_visible()


def test_what_is_needed_is_above_the_fold(page_of) -> None:
    page = page_of("/admin/")
    page.set_viewport_size({"width": 1280, "height": 800})
    for name in ("Che cosa serve", "Flusso dei dati", "Ordini in attesa", "Anomalie aperte"):
        box = page.get_by_role("heading", name=name, exact=True).bounding_box()
        assert box["y"] + box["height"] < 800, name
    assert page.get_by_text("2 articoli sotto scorta").is_visible()
