"""From the start page to every page that a user finds: lists, the first row of each, its acts.

Nothing is posted and nothing downloaded.
"""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Page

START = "/admin/"
# Where links to further pages are; of rows, the first stands for all.
EVERY = (
    *(".all-pages a", ".object-tools a", "#user-tools a", ".guide-link", ".deletelink"),
    ".field-corpo_link a",
)
FIRST = ("#result_list tbody th a", ".log-files tbody th a", ".provenance dd a")
# ``goto`` may return before the admin's own scripts have drawn what they draw.
DRAWN = "new Promise(done => requestIdleCallback(done))"
DOWNLOADS = re.compile(r"/(esporta|scarica|copia)/")
PAGE_OF_ONE = re.compile(r"/[^/]+/(?=(change|password|annulla|riapri|rettifica)/$)")
SAME_FOR_ALL = re.compile(r"^.*/(?=(delete|history)/$)")  # Django's own, the same for every model


def walk(page: Page) -> Iterator[tuple[str, int]]:
    """(address, status) of each page, while ``page`` shows it."""
    waiting, seen = [START], set()
    while waiting:
        address = waiting.pop(0)
        if kind_of(address) in seen or DOWNLOADS.search(address):
            continue
        seen.add(kind_of(address))
        answer = page.goto(address)
        assert answer is not None
        page.evaluate(DRAWN)
        yield address, answer.status
        waiting += links(page)


def kind_of(address: str) -> str:
    """The same for the pages of any two rows of a list, and for any two filters."""
    return SAME_FOR_ALL.sub("/…/", PAGE_OF_ONE.sub("/…/", urlsplit(address).path))


def links(page: Page) -> list[str]:
    """Addresses inside the admin, without the host, in the order of the page."""
    found = [address for place in EVERY for address in _addresses(page, place)]
    found += [address for place in FIRST for address in _addresses(page, place)[:1]]
    absolute = [urlsplit(urljoin(page.url, address)) for address in found]
    return [
        f"{parts.path}?{parts.query}" if parts.query else parts.path
        for parts in absolute
        if parts.path.startswith(START)
    ]


def _addresses(page: Page, place: str) -> list[str]:
    script = "links => links.map(link => link.getAttribute('href')).filter(Boolean)"
    addresses: list[str] = page.locator(place).evaluate_all(script)
    return addresses
