"""/api/docs in a browser: it renders, and a call can be tried, under the portal's strict CSP."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.launch import chromium, complaints, violations, watch
from tests.portal import LivePortal

USER = "anna"
pytestmark = pytest.mark.browser


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
    with chromium() as browser:
        page = watch(browser.new_context(locale="it-IT").new_page())
        page.strangers = []
        page.on("request", lambda request: note_stranger(page, request.url, portal.url))
        yield page


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
    assert complaints(page) == []
    assert violations(page) == []

    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-api-key").or_(page.locator(".auth-container input")).fill(portal.key)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".btn-done").click()
    block = page.locator("#operations-Stato-status")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table")).to_contain_text("oldest_pending_s")

    assert complaints(page) == []
    assert page.strangers == []
