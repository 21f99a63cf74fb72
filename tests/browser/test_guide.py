"""The guide behind the "?": pictures that load, and a page that fits a telephone."""

import pytest

from tests.browser.conftest import HEIGHT, LIGHT
from tests.browser.launch import overflow, violations

pytestmark = pytest.mark.browser

WIDTHS = (320, 390, LIGHT.width)
BROKEN = "pictures => pictures.filter(one => !one.naturalWidth).map(one => one.src)"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_guide_fits_and_shows_its_pictures(opened, width):
    page = opened("operatore", LIGHT._replace(width=width))
    page.goto("/admin/")
    page.click(".guide-link")
    page.wait_for_load_state("networkidle")
    pictures = page.locator("article img")
    assert pictures.count() > 5
    assert pictures.evaluate_all(BROKEN) == []
    assert overflow(page) == 0
    assert violations(page) == []


def test_a_chapter_is_one_click_away(opened):
    page = opened("operatore")
    page.goto("/admin/guida/")
    page.click(".guide-heads a >> nth=-1")
    top: float = page.evaluate("document.querySelector('h2:target').getBoundingClientRect().top")
    assert -1 <= top < HEIGHT
