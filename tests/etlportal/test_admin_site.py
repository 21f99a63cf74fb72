"""The admin's frame: languages, order, who sees the queue, a database away, no inline code."""

import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from ingestion.runs.running import do_work
from ingestion.transfer import pipeline
from tests import builders

pytestmark = pytest.mark.django_db(databases=["default", "production"])

LOCALE = Path(__file__).parents[2] / "etlportal" / "locale"


@pytest.fixture
def staff_client() -> Client:
    """A user of the staff with every permission there is, but no superuser."""
    user = User.objects.create_user("anna", password="anna", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def compiled_translations(settings, tmp_path: Path) -> Iterator[None]:
    """The .po files as they are now, whatever was compiled before."""
    if shutil.which("msgfmt") is None:
        pytest.skip("msgfmt (package gettext) is not installed")
    for source in LOCALE.glob("*/LC_MESSAGES/django.po"):
        target = tmp_path / source.relative_to(LOCALE).with_suffix(".mo")
        target.parent.mkdir(parents=True)
        subprocess.run(["msgfmt", "-o", target, source], check=True)
    settings.LOCALE_PATHS = [tmp_path]


def changelist_urls() -> list[str]:
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in site._registry
    ]


# --- Languages ------------------------------------------------------------------------------


def test_a_browser_without_italian_or_english_gets_italian(admin_client: Client) -> None:
    page = admin_client.get("/admin/", headers={"Accept-Language": "de"})
    assert page["Content-Language"] == "it"
    assert "Ricezione e trasferimento" in page.text


def test_an_english_browser_gets_english(admin_client: Client, compiled_translations: None) -> None:
    page = admin_client.get("/admin/", headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert "Reception and transfer" in page.text
    assert "Ricezione" not in page.text


def test_the_switch_changes_the_language_for_good(
    admin_client: Client, compiled_translations: None
) -> None:
    switch = {"language": "en", "next": "/admin/production/operazione/"}
    answer = admin_client.post("/i18n/setlang/", switch)
    assert answer["Location"] == "/admin/production/operazione/"
    page = admin_client.get(answer["Location"], headers={"Accept-Language": "it"})
    assert "<h1>Operations</h1>" in page.text
    assert 'value="it" lang="it">Italiano</button>' in page.text


def test_the_switch_is_on_the_login_page_too(client: Client) -> None:
    assert 'action="/i18n/setlang/"' in client.get("/admin/login/").text


def test_the_queue_speaks_italian(admin_client: Client, compiled_translations: None) -> None:
    page = admin_client.get("/admin/", headers={"Accept-Language": "it"})
    assert "Lavori pianificati" in page.text
    assert "Scheduled tasks" not in page.text


# --- Order and permissions ------------------------------------------------------------------


def test_apps_and_pages_come_in_the_order_of_the_work(admin_client: Client) -> None:
    apps = admin_client.get("/admin/").context["app_list"]
    labels = [app["app_label"] for app in apps]
    assert labels[:3] == ["ingestion", "production", "orders"]
    assert labels[-2:] == ["django_q", "auth"]
    names = [model["object_name"] for model in apps[1]["models"]]
    assert names[:3] == ["Operazione", "AnomaliaOperazione", "Pezzo"]


def test_every_page_asks_for_a_login(client: Client) -> None:
    for url in changelist_urls():
        answer = client.get(url)
        assert answer.status_code == 302, url
        assert answer["Location"].startswith("/admin/login/"), url


def test_superusers_see_every_list(admin_client: Client) -> None:
    for url in changelist_urls():
        assert admin_client.get(url).status_code == 200, url


def test_only_superusers_see_the_queue(staff_client: Client, admin_client: Client) -> None:
    for name in ("schedule", "success", "failure", "ormq"):
        assert staff_client.get(f"/admin/django_q/{name}/").status_code == 403, name
        assert admin_client.get(f"/admin/django_q/{name}/").status_code == 200, name
    assert staff_client.get("/admin/django_q/schedule/add/").status_code == 403
    labels = [app["app_label"] for app in staff_client.get("/admin/").context["app_list"]]
    assert "django_q" not in labels
    assert "production" in labels


# --- Errors ---------------------------------------------------------------------------------


def test_a_page_of_production_says_that_the_database_is_away(
    admin_client: Client, production_away
) -> None:
    admin_client.get("/admin/")  # what it knows of the user comes from the other database
    with production_away():
        page = admin_client.get("/admin/production/operazione/")
        staging = admin_client.get("/admin/ingestion/rawoperazione/")
    assert page.status_code == 503
    assert page["Retry-After"] == "30"
    assert "Il database non risponde" in page.text
    assert staging.status_code == 200


def test_an_unknown_page_and_a_forbidden_one_say_so(admin_client: Client) -> None:
    missing = admin_client.get("/admin/non-esiste/")
    assert missing.status_code == 404
    assert "Pagina non trovata" in missing.text
    user = User.objects.create_user("bruno", password="bruno", is_staff=True)
    admin_client.force_login(user)
    forbidden = admin_client.get("/admin/production/pezzo/")
    assert forbidden.status_code == 403
    assert "Accesso negato" in forbidden.text


# --- Content-Security-Policy ----------------------------------------------------------------


class InlineCode(HTMLParser):
    """Collects what a policy without ``unsafe-inline`` would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        data = dict(attrs).get("type") == "application/json"
        if (
            tag == "style"
            or (tag == "script" and "src" not in names and not data)
            or "style" in names
            or any(name.startswith("on") for name in names)
        ):
            self.found.append(self.get_starttag_text() or tag)


def inline_code(page: str) -> list[str]:
    parser = InlineCode()
    parser.feed(page)
    return parser.found


def test_the_parser_sees_inline_code() -> None:
    page = '<p style="a">x</p><script>1</script><b onclick="x">y</b><script src="/a.js"></script>'
    assert len(inline_code(page)) == 3


def test_no_page_has_inline_code(admin_client: Client, plant: None) -> None:
    wrong = {"peso_effettivo": "tanti", "codice_operatore": "ignoto"}
    raw = builders.make_raw_operazione(lotto=builders.make_lotto(), **wrong)
    run = do_work(builders.make_active_esecuzione(), pipeline.Transfer(pipeline.TransferOptions()))
    raw.refresh_from_db()
    details = [
        f"/admin/ingestion/rawoperazione/{raw.pk}/change/",
        f"/admin/ingestion/lottoricevuto/{raw.lotto_id}/change/",
        f"/admin/ingestion/lottoricevuto/{raw.lotto_id}/corpo/",
        f"/admin/ingestion/esecuzioneetl/{run.pk}/change/",
        "/admin/production/pezzo/PZC01/change/",
        "/admin/production/pezzo/add/",
        "/admin/production/tipofermo/PAUSA/change/",
        "/admin/",
        "/admin/login/",
        "/admin/non-esiste/",
    ]
    operations = admin_client.get("/admin/production/operazione/").context["cl"].result_list
    details += [f"/admin/production/operazione/{row.pk}/change/" for row in operations]
    assert len(details) == 11
    for url in changelist_urls() + details:
        assert inline_code(admin_client.get(url).text) == [], url
