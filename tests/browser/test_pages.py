"""Every page, as every role finds it: it opens, fits, is accessible and breaks no policy."""

from itertools import product

import pytest
from playwright.sync_api import expect

from tests.browser import plant
from tests.browser.conftest import DARK, LIGHT
from tests.browser.launch import complaints, overflow, violations
from tests.browser.walk import kind_of, walk
from tests.length import either

pytestmark = pytest.mark.browser
LOOKS = (LIGHT, DARK)
# One look for each role; in full, both.
WALKS = either(
    short=list(zip(plant.ROLES, (DARK, LIGHT, DARK), strict=True)),
    full=list(product(plant.ROLES, LOOKS)),
)

# How many pages somebody finds, at least: a walk that stops early would prove nothing.
PAGES = {"operatore": 30, "capoturno": 35, "admin": 50, plant.SUPERUSER: 70}
OUTSIDE = ("/admin/login/", "/admin/production/nessuno/")  # the second: first log in


def name_of(value):
    return getattr(value, "colours", value)


def listing(wrong):
    return "\n".join(f"{address}: {fault}" for address, found in wrong.items() for fault in found)


def faults(page, status):
    found = [f"status {status}"] if status != 200 else []
    found += complaints(page)
    if wide := overflow(page):
        found.append(f"{wide} px wider than the window")
    return found


@pytest.mark.parametrize("look", either(short=[LIGHT], full=LOOKS), ids=name_of)
def test_every_page_is_accessible(opened, look):
    """As the superuser, who finds them all."""
    page = opened(plant.SUPERUSER, look)
    wrong, seen = {}, set()
    for address, status in walk(page):
        seen.add(kind_of(address))
        if found := faults(page, status) + violations(page):
            wrong[address] = found
        assert page.locator("html").get_attribute("lang") == look.language, address
    assert not wrong, listing(wrong)
    assert len(seen) >= PAGES[plant.SUPERUSER]


@pytest.mark.parametrize(("role", "look"), WALKS, ids=name_of)
def test_every_page_of_a_role_opens_and_fits(opened, role, look):
    """What a role may only look at is drawn otherwise: those pages are judged here. And, in the
    dark, all that the administration finds.
    """
    page = opened(role, look)
    wrong, seen = {}, set()
    for address, status in walk(page):
        seen.add(kind_of(address))
        found = faults(page, status)
        views = role == "operatore" and "/change/" in address
        if views or (role == "admin" and look is DARK):
            found += violations(page)
        if found:
            wrong[address] = found
    assert not wrong, listing(wrong)
    assert len(seen) >= PAGES[role]


@pytest.mark.parametrize("look", LOOKS, ids=name_of)
@pytest.mark.parametrize("address", OUTSIDE)
def test_a_page_for_strangers_is_accessible(opened, address, look):
    page = opened(None, look)
    page.goto(address)
    assert overflow(page) == 0
    assert complaints(page) == []
    assert violations(page) == []
    expect(page.locator("html")).to_have_attribute("lang", look.language)
