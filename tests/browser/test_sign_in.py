"""Coming in and going out, and the two switches of the frame: language and colours."""

import pytest
from playwright.sync_api import expect

from tests.browser import plant
from tests.browser.conftest import DARK
from tests.browser.launch import log_in

pytestmark = pytest.mark.browser
ATTEMPTS = 5  # AXES_FAILURE_LIMIT


def try_password(page, name, word):
    page.goto("/admin/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", word)
    page.click("#login-form [type=submit]")


def test_in_with_the_password_and_out_again(portal, words, opened):
    page = opened(None)
    page.goto("/admin/orders/ordine/")
    expect(page).to_have_url(f"{portal.url}/admin/login/?next=/admin/orders/ordine/")
    log_in(page, portal.url, "operatore", words["operatore"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Oggi")

    page.locator("#logout-form button").click()

    expect(page.locator("#user-tools")).to_have_count(0)
    page.goto("/admin/")
    expect(page.locator("#login-form")).to_be_visible()


def test_a_wrong_password_is_told_and_too_many_close_the_door(words, opened):
    page = opened(None)
    name = plant.FORGETFUL
    for _ in range(ATTEMPTS - 1):
        try_password(page, name, "sbagliata")
        expect(page.locator(".errornote")).to_be_visible()
    page.complaints.clear()
    try_password(page, name, "sbagliata")
    expect(page.get_by_role("heading")).to_have_text("Troppi tentativi")

    try_password(page, name, words[name])

    expect(page.locator("main")).to_contain_text("riprova fra un quarto d'ora")
    # The browser itself tells of the two refusals.
    assert [text for text in page.complaints if "429" not in text] == []
    page.complaints.clear()


def test_the_language_is_changed_on_the_spot_and_kept(opened):
    page = opened("operatore")
    page.goto("/admin/orders/ordine/?stato__exact=IN+ATTESA")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Orders")
    assert page.url.endswith("?stato__exact=IN+ATTESA")

    page.goto("/admin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
    page.get_by_role("button", name="Italiano").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Oggi")


@pytest.mark.parametrize("look", [None, DARK], ids=["light", "dark"])
def test_the_colours_are_those_of_the_system_until_chosen(opened, look):
    page = opened("operatore", look) if look else opened("operatore")
    page.goto("/admin/")
    lightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    dark = page.evaluate(lightness) < 128
    assert dark == (look is DARK)

    # The switch goes through the system's choice and the two fixed ones.
    chosen = set()
    for _ in range(3):
        page.locator(".theme-toggle:visible").first.click()
        chosen.add((page.locator("html").get_attribute("data-theme"), page.evaluate(lightness)))

    assert {theme for theme, _ in chosen} == {"auto", "light", "dark"}
    by_theme = dict(chosen)
    assert by_theme["dark"] < 128 < by_theme["light"]
    page.locator(".theme-toggle:visible").first.click()
    theme = page.locator("html").get_attribute("data-theme")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
