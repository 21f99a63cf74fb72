"""Anomalies as work: taken by an operator, accepted, closed and reopened by the shift leader."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LIST = "/admin/production/anomaliaoperazione/"


def open_one(page, number):
    """The page of the number-th of those that wait; its address."""
    page.goto(f"{LIST}?stato=aperta")
    page.locator("#result_list tbody th a").nth(number).click()
    expect(page.locator(".anomaly-sentence")).to_be_visible()
    return page.url


def act(page, title, note=None):
    page.locator(".object-tools").get_by_role("link", name=title, exact=True).click()
    if note:
        page.get_by_label("Nota").fill(note)
    page.locator(f"input[type=submit][value='{title}']").click()


def expect_state(page, words):
    expect(page.locator(".field-stato_badge .badge").first).to_have_text(words)


def test_an_operator_takes_it_and_the_shift_leader_accepts_it(opened):
    operator = opened("operatore")
    address = open_one(operator, 0)
    act(operator, "Prendi in carico")
    expect_state(operator, "Presa in carico")
    act(operator, "Aggiungi una nota", "Ricontrollato il pezzo")

    leader = opened("capoturno")
    leader.goto(address)
    leader.locator(".object-tools").get_by_role("link", name="Accetta in deroga").click()
    leader.locator("input[type=submit]").last.click()  # without saying why
    expect(leader.locator(".errornote")).to_be_visible()
    leader.get_by_label("Nota").fill("Il cliente lo accetta")
    leader.locator("input[type=submit][value='Accetta in deroga']").click()

    expect_state(leader, "Accettata in deroga")
    story = leader.locator("#storia")
    for text in ("operatore", "Ricontrollato il pezzo", "capoturno", "Il cliente lo accetta"):
        expect(story).to_contain_text(text)


def test_it_is_closed_leaves_the_list_and_comes_back(opened):
    page = opened("capoturno")
    address = open_one(page, 1)
    pk = re.search(r"/(\d+)/change/", address).group(1)
    act(page, "Chiudi", "Sensore sostituito")
    expect_state(page, "Chiusa")
    page.goto(LIST)  # what waits for somebody
    expect(page.locator(f"#result_list a[href^='{LIST}{pk}/']")).to_have_count(0)

    page.goto(address)
    act(page, "Riapri", "Il sensore sbaglia ancora")

    expect_state(page, "Aperta")
    page.goto(LIST)
    expect(page.locator(f"#result_list a[href^='{LIST}{pk}/']").first).to_be_visible()


def test_many_are_taken_at_once_and_the_filter_stays(opened, portal):
    page = opened("operatore")
    page.goto(f"{LIST}?stato=aperta")
    for box in page.locator("#result_list tbody .action-select").all()[-2:]:
        box.check()
    page.locator("select[name=action]").select_option(label="Prendi in carico le anomalie scelte")
    page.get_by_role("button", name="Vai").click()
    expect(page.locator(".chosen li")).to_have_count(2)
    page.locator("input[type=submit][value='Prendi in carico']").click()
    expect(page.locator(".messagelist")).to_contain_text("2")
    expect(page).to_have_url(f"{portal.url}{LIST}?stato=aperta")


def test_the_page_says_what_is_wrong_and_shows_the_value_among_others(opened):
    page = opened("operatore")
    page.goto(f"{LIST}?tipo=102")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".anomaly-sentence")).to_contain_text("kg")
    chart = page.locator(".chart")
    expect(chart.locator("svg").first).to_be_visible()
    chart.locator("summary").click()
    expect(chart.locator("tbody tr").first).to_be_visible()
