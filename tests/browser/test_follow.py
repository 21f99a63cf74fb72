"""The page that follows a log."""

import pytest
from playwright.sync_api import expect

from tests.browser import plant
from tests.browser.conftest import DARK, LIGHT
from tests.browser.launch import complaints, overflow, violations
from tests.logviewer.lines import line, numbered, write

pytestmark = pytest.mark.browser
FILE = "/admin/logviewer/registro/file/?file=etl"
PAGES = {
    "overview": "/admin/logviewer/registro/",
    "file": FILE,
    "filtered": f"{FILE}&level=WARNING&esecuzione=7&since=7d",
    "clear": "/admin/logviewer/registro/svuota/?file=etl",
}


@pytest.fixture
def log(portal):
    return write(portal.folder / "logs" / "etl.log", numbered(300))


def append(log, *lines):
    with log.open("a") as file:
        file.write("".join(f"{each}\n" for each in lines))


def test_new_lines_appear_at_the_end_until_it_is_stopped(opened, log):
    page = opened(plant.SUPERUSER)
    page.goto(f"{FILE}&lines=200")
    rows = page.locator("#log-lines-table tbody tr")
    expect(rows).to_have_count(200)
    expect(rows.last).to_be_in_viewport()
    follow = page.get_by_role("button", name="Segui")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    append(log, line("<b>fresh</b>", "ERROR", request="req-0001-and-more"))
    expect(rows.last).to_contain_text("<b>fresh</b>")
    expect(rows.last).to_contain_text("Errore")
    expect(rows.last.locator("a")).to_have_text("req-0001…")
    expect(rows.last).to_be_in_viewport()
    expect(rows).to_have_count(200)
    follow.click()
    page.wait_for_timeout(300)
    append(log, line("later"))
    page.wait_for_timeout(2500)
    expect(rows.last).to_contain_text("fresh")
    assert complaints(page) == []


def test_who_reads_further_up_is_left_there(opened, log):
    page = opened(plant.SUPERUSER)
    page.goto(FILE)
    page.get_by_role("button", name="Segui").click()
    page.evaluate("document.getElementById('log-scroll').scrollTop = 500")
    append(log, line("fresh"))
    expect(page.locator("#log-lines-table tbody tr").last).to_contain_text("fresh")
    assert page.evaluate("document.getElementById('log-scroll').scrollTop") == 500


def test_a_session_that_ended_says_so(opened, log):
    page = opened(plant.SUPERUSER)
    page.goto(FILE)
    page.context.clear_cookies()
    page.get_by_role("button", name="Segui").click()
    expect(page.get_by_role("status")).to_have_text("Accesso scaduto: ricaricare la pagina.")
    expect(page.get_by_role("button", name="Segui")).to_have_attribute("aria-pressed", "false")


def test_following_goes_on_when_the_portal_comes_back(opened, log):
    page = opened(plant.SUPERUSER)
    page.goto(FILE)
    page.route("**/righe/**", lambda route: route.abort())
    page.get_by_role("button", name="Segui").click()
    expect(page.get_by_role("status")).to_have_text("Il portale non risponde: riprovo.")
    page.unroute("**/righe/**")
    append(log, line("fresh"))
    expect(page.locator("#log-lines-table tbody tr").last).to_contain_text("fresh")
    complaints(page)  # of what it could not get


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=lambda look: look.colours)
def test_the_pages_are_accessible_and_fit(opened, log, look):
    write(log, numbered(20))
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    append(log, *(line(f"row 5 refused {level}", level, 7, "req-0001") for level in levels))
    page = opened(plant.SUPERUSER, look)
    for name, url in PAGES.items():
        page.goto(url)
        assert complaints(page) == [], name
        assert overflow(page) == 0, name
        assert violations(page) == [], name
