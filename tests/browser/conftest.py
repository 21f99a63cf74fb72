"""One portal, one Chromium and one session per role for all tests of this folder."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, StorageState

from tests.browser import plant
from tests.browser.launch import chromium, log_in, watch
from tests.portal import LivePortal


class Look(NamedTuple):
    """Language, colours and width (px) of a window."""

    language: str
    colours: str
    width: int


LIGHT = Look("it", "light", 1280)
DARK = Look("en", "dark", 800)
HEIGHT = 900


@pytest.fixture(scope="package")
def portal() -> Iterator[LivePortal]:
    with LivePortal() as portal:
        plant.add_day(portal)
        yield portal


@pytest.fixture(scope="package")
def words(portal: LivePortal) -> dict[str, str]:
    """The password of each of ``plant.PEOPLE``."""
    return plant.add_people(portal)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def sessions(
    portal: LivePortal, browser: Browser, words: dict[str, str]
) -> Callable[[str], StorageState]:
    """What a browser keeps of somebody who logged in, once, through the form."""
    kept: dict[str, StorageState] = {}

    def session(name: str) -> StorageState:
        if name not in kept:
            context = browser.new_context(locale="it-IT")
            log_in(context.new_page(), portal.url, name, words[name])
            kept[name] = context.storage_state()
            context.close()
        return kept[name]

    return session


@pytest.fixture
def opened(
    portal: LivePortal, browser: Browser, sessions: Callable[[str], StorageState]
) -> Iterator[Callable[..., Page]]:
    """``opened("capoturno", DARK)``: a page of somebody who is logged in; None is a stranger.

    A test ends well only if none of its pages complained.
    """
    pages: list[Page] = []

    def open_page(who: str | None, look: Look = LIGHT) -> Page:
        context = browser.new_context(
            base_url=portal.url,
            locale={"it": "it-IT", "en": "en-GB"}[look.language],
            color_scheme=look.colours,
            viewport={"width": look.width, "height": HEIGHT},
            storage_state=sessions(who) if who else None,
        )
        context.set_default_timeout(15_000)
        pages.append(watch(context.new_page()))
        return pages[-1]

    yield open_page
    told = [text for page in pages for text in page.complaints]  # type: ignore[attr-defined]
    for page in pages:
        page.context.close()
    assert told == []
