"""The start page and the pictures of orders and stock in a browser, on a portal that is alive."""

import secrets
from collections.abc import Callable, Iterator
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.launch import chromium
from tests.portal import LivePortal

pytestmark = pytest.mark.browser

PLANT = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from orders.models import Magazzino, Ordine

call_command("loaddata", "impianto_demo", "impianto_demo_ordini", database="production")
call_command("simula", ore=30, ordini=8, seed=1)
call_command("transfer")
call_command("aggiorna_ordini")
Magazzino.objects.filter(pk=1).update(scorta_minima=10_000)
Ordine.objects.filter(stato="IN ATTESA").update(
    data_inizio=timezone.localdate() - timedelta(days=20))
User.objects.create_superuser("anna", password={word!r})
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[LivePortal]:
    with LivePortal(postgresql_url="", mysql_url="") as portal:
        yield portal


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def cookies(portal: LivePortal, browser: Browser):
    """Of a superuser's session, on a plant that simulated a day and a quarter."""
    word = secrets.token_urlsafe(16)
    portal.run_python(PLANT.format(word=word))
    page = browser.new_page()
    page.goto(f"{portal.url}/admin/login/")
    page.fill("#id_username", "anna")
    page.fill("#id_password", word)
    page.click("#login-form input[type=submit]")
    page.wait_for_url("**/admin/")
    return page.context.cookies()


@pytest.fixture
def opened(portal, browser, cookies) -> Iterator[Callable[..., Page]]:
    """``opened(path, **options of the context)``: a page of somebody who is logged in."""
    made = []

    def open_page(path: str, **options) -> Page:
        made.append(browser.new_context(base_url=portal.url, **options))
        made[-1].add_cookies(cookies)
        page = made[-1].new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in made:
        context.close()


LOOKS = [*product(["it-IT", "en-GB"], ["light", "dark"], [1280, 800])]


@pytest.mark.parametrize(("locale", "scheme", "width"), LOOKS)
def test_it_is_accessible_in_every_look(opened, locale: str, scheme: str, width: int) -> None:
    page = opened(
        "/admin/",
        locale=locale,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    assert page.complaints == []
    assert page.locator("svg.drawing").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.locator("details table").count() >= 5
    violations = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert violations.response["violations"] == [], violations.generate_report()


@pytest.mark.parametrize("path", ["/admin/orders/ordine/", "/admin/orders/magazzino/"])
def test_the_pictures_of_orders_and_stock_are_accessible(opened, path: str) -> None:
    page = opened(path, locale="it-IT")
    page.click("#result_list tbody a >> nth=0")
    page.wait_for_selector("svg.drawing polyline.level")
    assert page.locator("svg.drawing polyline.level").count() == 1
    assert page.complaints == []
    violations = Axe().run(page, context={"include": [[".chart"]]})
    assert violations.response["violations"] == [], violations.generate_report()


def test_no_data_work_stop_and_anomaly_look_different(opened) -> None:
    """Also without colours: by what fills them."""
    page = opened("/admin/", locale="it-IT", color_scheme="light")
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


def test_the_users_own_theme_beats_the_systems(opened) -> None:
    page = opened("/admin/", locale="it-IT", color_scheme="light")
    colour = "mark => getComputedStyle(mark).fill"
    light = page.eval_on_selector(".drawing .worked", colour)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = page.eval_on_selector(".drawing .worked", colour)
    assert light != dark


def test_the_numbers_open_with_the_keyboard(opened) -> None:
    page = opened("/admin/", locale="it-IT")
    numbers = page.locator("details").first
    assert not numbers.locator("table").first.is_visible()
    numbers.locator("summary").focus()
    page.keyboard.press("Enter")
    assert numbers.locator("table").first.is_visible()
    assert numbers.get_by_role("columnheader", name="Senza dati").is_visible()


def test_what_is_needed_is_above_the_fold(opened) -> None:
    page = opened("/admin/", locale="it-IT", viewport={"width": 1280, "height": 800})
    for name in ("Che cosa serve", "Flusso dei dati", "Ordini in attesa", "Anomalie aperte"):
        box = page.get_by_role("heading", name=name, exact=True).bounding_box()
        assert box["y"] + box["height"] < 800, name
    assert page.get_by_text("1 articolo sotto scorta").is_visible()
