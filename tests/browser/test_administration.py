"""Logs, keys, users and the audit trail: the work of who administers the portal."""

import gzip
import re

import pytest
from playwright.sync_api import expect

from tests.browser.launch import log_in

pytestmark = pytest.mark.browser
LOGS = "/admin/logviewer/registro/"
LOG = f"{LOGS}file/?file=etl"


def saved(page, click):
    with page.expect_download() as download:
        click()
    return download.value.path()


def test_a_log_is_filtered_by_level_and_text(opened):
    page = opened("capoturno")
    page.goto(LOG)
    lines = page.locator("#log-lines-table tbody tr")
    every = lines.count()
    page.get_by_label("Testo").fill("run")
    page.get_by_role("button", name="Filtra").click()
    assert 0 < lines.count() <= every
    page.get_by_label("Livello").select_option("CRITICAL")
    page.get_by_role("button", name="Filtra").click()
    expect(page.get_by_text("Nessuna riga con questi filtri.")).to_be_visible()


def test_a_log_is_followed_while_a_transfer_runs(opened, portal):
    page = opened("capoturno")
    page.goto(LOG)
    page.get_by_role("button", name="Segui").click()
    run = portal.transfer()["id"]
    newest = page.locator("#log-lines-table tbody tr").filter(has_text=str(run)).last
    expect(newest).to_be_in_viewport()


def test_a_log_is_downloaded_and_cleared_with_a_copy(opened, portal):
    page = opened("admin")
    page.goto(LOG)
    before = saved(page, page.get_by_role("link", name="Scarica").click).read_text()
    assert "INFO" in before
    page.get_by_role("link", name="Svuota").click()
    page.get_by_role("button", name="Svuota").click()
    expect(page.locator(".messagelist")).to_contain_text("Svuotato il registro etl.")
    page.goto(LOGS)
    copy = page.get_by_role("link", name=re.compile(r"Scarica etl.+\.gz"))
    kept = gzip.decompress(saved(page, copy.first.click).read_bytes()).decode()
    assert kept.startswith(before[:1000])

    page.goto("/admin/etlportal/voceaudit/")
    newest = page.locator("#result_list tbody tr").filter(has_text="registri.svuotati").first
    expect(newest).to_contain_text("admin")


def test_a_key_is_made_opens_the_door_and_is_revoked(opened, portal):
    page = opened("admin")
    page.goto("/admin/etlportal/chiaveapi/add/")
    page.get_by_label("Nome").fill("flusso di prova")
    page.get_by_label("Lettura").check()
    page.locator("input[name=_save]").click()
    key = page.get_by_label("Valore di X-API-KEY").input_value()
    assert portal.request("GET", "/status", key=key).status == 200
    assert portal.request("POST", "/run-etl", "[]", key=key).status == 403

    page.get_by_role("link", name="L'ho copiata").click()
    row = page.locator("#result_list tbody tr").filter(has_text="flusso di prova")
    expect(row).to_contain_text("Valida")
    assert key not in page.content()
    row.locator(".action-select").check()
    page.locator("select[name=action]").select_option(label="Revoca le chiavi scelte")
    page.get_by_role("button", name="Vai").click()

    expect(page.locator(".messagelist")).to_contain_text("1 chiave revocata")
    expect(row).to_contain_text("Revocata")
    assert portal.request("GET", "/status", key=key).status == 401
    page.goto("/admin/etlportal/voceaudit/?q=flusso+di+prova")
    entries = page.locator("#result_list tbody tr")
    expect(entries).to_have_count(2)
    for entry, deed in zip(entries.all(), ("chiave.revocata", "chiave.creata"), strict=True):
        expect(entry).to_contain_text(deed)
        expect(entry).to_contain_text("admin")


def test_a_user_is_made_gets_a_role_and_comes_in(opened, portal):
    page = opened("admin")
    page.goto("/admin/auth/user/add/")
    page.get_by_label("Nome utente").fill("nuova")
    page.locator("#id_password1").fill("Una-parola-lunga-7")
    page.locator("#id_password2").fill("Una-parola-lunga-7")
    page.locator("input[name=_save]").click()
    page.locator("#id_is_staff").check()
    page.locator("#id_groups_from").select_option(label="operatore")
    page.locator("#id_groups_add, #id_groups_add_link").first.click()
    expect(page.locator("#id_is_superuser")).to_have_count(0)
    page.locator("input[name=_save]").click()
    expect(page.locator(".messagelist")).to_contain_text("nuova")

    newcomer = opened(None)
    log_in(newcomer, portal.url, "nuova", "Una-parola-lunga-7")

    expect(newcomer.get_by_role("heading", level=1)).to_have_text("Oggi")
    expect(newcomer.get_by_role("link", name="Chiavi API")).to_have_count(0)
