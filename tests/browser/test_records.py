"""Transfers and rejected records, as the shift leader handles them."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LIST = "/admin/ingestion/rawoperazione/?errori=da_gestire"


def message(page):
    return page.locator(".messagelist")


def open_first_rejected(page):
    page.goto(LIST)
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Record ricevuto")
    return re.search(r"/(\d+)/change/", page.url).group(1)


def state_of(portal, pk):
    return portal.value(
        "default", "SELECT stato FROM raw_operazione WHERE id_operazione = %s", [pk]
    )


def test_a_rejected_record_is_set_aside_with_a_reason(opened, portal):
    page = opened("capoturno")
    pk = open_first_rejected(page)
    page.get_by_role("link", name="Scarta con motivo").click()
    submit = page.locator("input[type=submit][value='Scarta con motivo']")

    submit.click()  # without a reason

    expect(page.locator(".errornote")).to_be_visible()
    page.get_by_label("Motivo").fill("Prova del turno, non produzione")
    submit.click()
    expect(message(page)).to_have_text("1 record scartato.")
    expect(page.locator(".field-stato_badge").first).to_contain_text("In errore · scartato")
    expect(page.locator(".field-scartato_motivo")).to_contain_text("Prova del turno")
    expect(page.locator(".field-scartato_da")).to_contain_text("capoturno")
    page.goto("/admin/ingestion/rawoperazione/?errori=scartati")
    expect(page.locator("#result_list tbody th a").filter(has_text=pk)).to_be_visible()
    assert state_of(portal, pk) == "ERROR"


def test_a_rejected_record_goes_back_and_a_transfer_takes_it(opened, portal):
    page = opened("capoturno")
    pk = open_first_rejected(page)
    page.get_by_role("button", name="Rimetti in coda").click()
    expect(message(page)).to_contain_text("1 record rimesso in coda")
    assert state_of(portal, pk) == "PENDING"

    page.goto("/admin/ingestion/esecuzioneetl/")
    page.get_by_role("button", name="Trasferisci ora").click()

    expect(message(page)).to_contain_text("Trasferimento messo in coda")
    run = message(page).get_by_role("link").inner_text()
    ended = "SELECT count(*) FROM esecuzione_etl WHERE id = %s AND stato = 'OK'"
    portal.wait_until(lambda: portal.value("default", ended, [run]), "the run's end")
    message(page).get_by_role("link").click()
    expect(page.locator(".field-stato_badge").first).to_contain_text("OK")
    assert state_of(portal, pk) == "PROCESSED"


def test_several_go_back_from_the_list(opened, portal):
    page = opened("capoturno")
    page.goto(LIST)
    page.locator("#result_list tbody .action-select").first.check()
    pk = page.locator("#result_list tbody th a").first.inner_text()
    page.locator("select[name=action]").select_option(label="Rimetti in coda i record in errore")
    page.get_by_role("button", name="Vai").click()
    expect(message(page)).to_contain_text("1 record rimesso in coda")
    assert state_of(portal, pk.replace(".", "")) == "PENDING"


def test_from_a_record_to_its_run_its_log_lines_and_back(opened):
    page = opened("capoturno")
    pk = open_first_rejected(page)
    record = page.url
    page.get_by_role("link", name="Righe di registro").click()
    expect(page.get_by_label("Testo")).to_have_value(re.compile(f"row {pk}"))
    page.get_by_role("link", name=re.compile("Vai all'esecuzione")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Esecuzione")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(record)


def test_from_an_operation_to_what_was_received_and_back(opened):
    page = opened("operatore")
    page.goto("/admin/production/operazione/")
    page.locator("#result_list tbody th a").first.click()
    operation = page.url
    page.locator(".field-record_ricevuto a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Record ricevuto")
    page.locator(
        f".provenance a[href='{operation.split('/admin/')[1].join(['/admin/', ''])}']"
    ).click()
    expect(page).to_have_url(operation)
