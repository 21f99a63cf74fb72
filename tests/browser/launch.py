"""The system's Chromium, for every test that looks at a page, and what no page may do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

HEARD = {"error", "warning"}  # of the console's levels; the others are advice
LEFT = "net::ERR_ABORTED"  # a download, or a page that was left before it had all
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def find_chromium() -> str:
    """Its program. A test without it fails: skipped, it would prove nothing."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    pytest.fail("needs Chromium (apt-get install chromium)", pytrace=False)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


def watch(page: Page) -> Page:
    """From now on ``page.complaints`` gathers what the console, scripts and requests say.

    A broken policy (CSP) is told in the console. What a test itself cuts short is no complaint.
    """
    page.complaints = []  # type: ignore[attr-defined]
    tell = page.complaints.append  # type: ignore[attr-defined]
    page.on("console", lambda said: said.type in HEARD and tell(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: tell(f"error: {error}"))
    page.on("requestfailed", lambda asked: asked.failure != LEFT and tell(f"failed: {asked.url}"))
    return page


def complaints(page: Page) -> list[str]:
    """What was gathered until now, and forgotten with this."""
    told: list[str] = page.complaints[:]  # type: ignore[attr-defined]
    page.complaints.clear()  # type: ignore[attr-defined]
    return told


def violations(page: Page) -> list[tuple[Any, ...]]:
    """(rule, first element, number of elements) of each WCAG A or AA rule that the page breaks."""
    results = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    page.complaints.clear()  # type: ignore[attr-defined]  # of the checker's own style, refused by the policy
    return [
        (rule["id"], rule["nodes"][0]["html"][:300], len(rule["nodes"]))
        for rule in results.response["violations"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


def log_in(page: Page, url: str, name: str, word: str) -> None:
    """Through the form, as people do."""
    page.goto(f"{url}/admin/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", word)
    page.click("#login-form [type=submit]")
    page.wait_for_url("**/admin/")
