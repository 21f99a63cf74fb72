"""/api/docs in a browser: it renders, and a call can be tried, under the portal's strict CSP."""

import secrets
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.portal import LivePortal

CHROMIUM = "/usr/bin/chromium"
USER = "anna"


@pytest.fixture(scope="module")
def password(portal: LivePortal) -> str:
    word = secrets.token_urlsafe(16)
    portal.run_python(
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser({USER!r}, password={word!r})"
    )
    return word


@pytest.fixture
def page(portal) -> Iterator[Page]:
    """Only the portal can be reached: whatever the page wants from elsewhere is missing."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="it-IT")
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("requestfailed", lambda request: page.complaints.append(request.url))
        page.strangers = []
        page.on("request", lambda request: note_stranger(page, request.url, portal.url))
        yield page
        browser.close()


def note_stranger(page, url, ours):
    if not url.startswith((ours, "data:", "blob:")):
        page.strangers.append(url)


def test_it_renders_and_tries_a_call_under_the_strict_csp(portal, password, page):
    page.goto(f"{portal.url}/api/docs")
    page.fill("#id_username", USER)
    page.fill("#id_password", password)
    page.click("#login-form [type=submit]")
    expect(page.get_by_role("heading", name="Portale ETL")).to_be_visible()
    answer = page.reload()
    assert "'unsafe" not in answer.headers["content-security-policy"]
    expect(page.locator(".opblock")).to_have_count(20)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert found.response["violations"] == []

    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-api-key").or_(page.locator(".auth-container input")).fill(portal.key)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".btn-done").click()
    block = page.locator("#operations-Stato-status")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table")).to_contain_text("oldest_pending_s")

    assert page.complaints == []
    assert page.strangers == []
