"""The log pages: what they show, who may see and clear, and the way to a run and back."""

import gzip

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from etlportal.models import VoceAudit
from logviewer import files
from tests import builders
from tests.etlportal.test_admin_site import inline_code
from tests.logviewer.lines import everything, line, numbered, write

pytestmark = pytest.mark.django_db(databases=["default", "production"])

OVERVIEW = "/admin/logviewer/registro/"
FILE = f"{OVERVIEW}file/"
CLEAR = f"{OVERVIEW}svuota/"
READS = (OVERVIEW, f"{FILE}?file=etl", f"{OVERVIEW}righe/?file=etl", f"{OVERVIEW}scarica/?file=etl")


def client_with(*codenames: str) -> Client:
    """A user of the staff with these permissions alone."""
    user = User.objects.create_user("anna", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def reader():
    return client_with("view_logs", "view_esecuzioneetl", "view_rawoperazione")


@pytest.fixture
def keeper():
    return client_with("view_logs", "clear_logs")


def messages(page):
    return [each.messaggio for each in page.context["lines"]]


# --- The overview -----------------------------------------------------------------------------


def test_the_logs_and_their_backups_are_listed(reader, logs):
    write(logs / "etl.log", numbered(100))
    write(logs / "etl.log.1", numbered(100))
    (logs / "backup").mkdir()
    (logs / "backup" / "etl.20241220T120000Z.log.gz").write_bytes(gzip.compress(b"old"))
    (logs / "backup" / ".etl.x.part").touch()

    page = reader.get(OVERVIEW)

    assert [log.name for log in page.context["logs"]] == list(files.LOGS)
    sizes = (logs / "etl.log").stat().st_size + (logs / "etl.log.1").stat().st_size
    assert page.context["logs"][0].bytes == sizes
    assert [each.file for each in page.context["backups"]] == ["etl.20241220T120000Z.log.gz"]
    assert "Svuota" not in page.text


def test_the_menu_leads_there(reader, logs):
    apps = {app["app_label"]: app for app in reader.get("/admin/").context["app_list"]}

    assert [model["admin_url"] for model in apps["logviewer"]["models"]] == [OVERVIEW]


# --- One log ----------------------------------------------------------------------------------


def test_a_log_newest_last_in_plant_time(reader, logs):
    write(logs / "etl.log", numbered(300))

    page = reader.get(FILE)

    assert messages(page) == [f"n{number}" for number in range(100, 300)]
    assert page.context["lines"][-1].ora == "20/12/2024 13:04:59"
    assert page.context["truncated"]
    assert "Ci sono righe più vecchie" in page.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"level": "WARNING"}, ["b", "c"]),
        ({"esecuzione": "7"}, ["a", "c"]),
        ({"q": "B"}, ["b"]),
        ({"since": "1h"}, []),
        ({"dal": "2024-12-20T13:00"}, ["a", "b", "c"]),
        ({"dal": "2024-12-20T13:01", "since": "7d"}, []),
        ({"lines": "1"}, ["c"]),
    ],
)
def test_filters(reader, logs, query, expected):
    write(logs / "mysql.log", [line("a", run=7), line("b", "WARNING"), line("c", "ERROR", run=7)])

    page = reader.get(FILE, {"file": "mysql", **query})

    assert messages(page) == expected
    assert not page.context["wrong"]


def test_a_filter_that_is_wrong_says_so(reader, logs):
    write(logs / "etl.log", numbered(3))

    page = reader.get(FILE, {"file": "etl", "dal": "ieri"})

    assert "Il filtro «since» non è scritto bene" in page.text
    assert len(messages(page)) == 3


@pytest.mark.parametrize("name", ["etc", "../etl", "/etc/passwd", "etl\0", "backup", ""])
def test_no_other_file_is_ever_shown(reader, keeper_client, logs, name):
    for route in ("file", "righe", "scarica"):
        assert reader.get(f"{OVERVIEW}{route}/", {"file": name}).status_code in (400, 404)
    assert keeper_client.get(CLEAR, {"file": name}).status_code in (400, 404)


@pytest.fixture
def keeper_client():
    user = User.objects.create_superuser("capo")
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", ["..", "etl.log.gz", "%2e%2e%2fetl.log", ".etl.x.part"])
def test_only_backups_are_downloaded_as_such(reader, logs, name):
    (logs / "backup").mkdir()
    (logs / "backup" / ".etl.x.part").touch()
    (logs / "backup" / "etl.20241220T120000Z.log.gz").touch()
    write(logs / "etl.log", numbered(1))

    assert reader.get(f"{OVERVIEW}copia/{name}/").status_code == 404


def test_what_is_in_a_line_is_text_and_no_code(reader, logs):
    write(logs / "etl.log", [line("<script>alert(1)</script><b onclick=x>")])

    page = reader.get(FILE)

    assert "&lt;script&gt;alert(1)" in page.text
    assert inline_code(page.text) == []


def test_no_page_has_inline_code(keeper, logs):
    write(logs / "etl.log", numbered(3))
    for url in (OVERVIEW, FILE, f"{CLEAR}?file=etl"):
        assert inline_code(keeper.get(url).text) == [], url


def test_the_lines_as_json_for_the_page_that_follows(reader, logs):
    write(logs / "etl.log", [line("a"), line("row 5 refused: X", "ERROR", run=7, request="r-1")])

    answer = reader.get(f"{OVERVIEW}righe/?file=etl&level=ERROR").json()

    assert answer == {
        "righe": [
            {
                "ora": "20/12/2024 13:00:00",
                "livello": "Errore",
                "colore": "error",
                "esecuzione": "7",
                "esecuzione_url": reverse("admin:ingestion_esecuzioneetl_change", args=[7]),
                "richiesta": "r-1",
                "richiesta_url": f"{FILE}?file=etl&q=r-1",
                "messaggio": "row 5 refused: X",
                "record_url": reverse("admin:ingestion_rawoperazione_change", args=[5]),
            }
        ],
        "troncato": False,
    }


def test_links_are_for_who_may_follow_them(logs):
    write(logs / "etl.log", [line("row 5 refused: X", run=7)])
    (shown,) = client_with("view_logs").get(f"{OVERVIEW}righe/").json()["righe"]

    assert (shown["esecuzione"], shown["esecuzione_url"], shown["record_url"]) == ("7", "", "")


# --- From a run or a record to its lines, and back ---------------------------------------------


def test_from_a_run_to_its_lines_and_back(reader, logs):
    run = builders.make_esecuzione()
    write(logs / "etl.log", [line("other", run=run.pk + 1), line("its own", run=run.pk)])
    url = f"{FILE}?file=etl&amp;esecuzione={run.pk}"
    run_url = reverse("admin:ingestion_esecuzioneetl_change", args=[run.pk])

    assert f'href="{url}"' in reader.get(run_url).text
    page = reader.get(url.replace("&amp;", "&"))
    assert messages(page) == ["its own"]
    assert page.text.count(f'href="{run_url}"') == 2  # above the table, and in its line


def test_from_a_refused_record_to_its_line_and_back(reader, logs):
    run = builders.make_esecuzione()
    raw = builders.make_raw_operazione(
        stato="ERROR", esecuzione=run, errore_codice="MYSQL_1406", errore_messaggio="Troppo lungo."
    )
    lines = [f"row {number} refused: MYSQL_1406" for number in (f"{raw.pk}0", f"1{raw.pk}", raw.pk)]
    write(logs / "etl.log", [line(each, "WARNING", run=run.pk) for each in lines])
    raw_url = reverse("admin:ingestion_rawoperazione_change", args=[raw.pk])
    url = f"{FILE}?file=etl&amp;esecuzione={run.pk}&amp;q=row+{raw.pk}+"

    assert f'href="{url}"' in reader.get(raw_url).text
    page = reader.get(url.replace("&amp;", "&"))
    assert messages(page) == [lines[-1]]
    assert f'href="{raw_url}"' in page.text


def test_the_links_are_only_for_who_may_read_logs(logs):
    run = builders.make_esecuzione()
    client = client_with("view_esecuzioneetl")

    page = client.get(reverse("admin:ingestion_esecuzioneetl_change", args=[run.pk]))

    assert page.status_code == 200
    assert FILE not in page.text


# --- Downloads --------------------------------------------------------------------------------


def test_a_log_is_downloaded_whole(reader, logs):
    write(logs / "etl.log", numbered(2, first=2))
    write(logs / "etl.log.1", numbered(2))

    answer = reader.get(f"{OVERVIEW}scarica/?file=etl")

    assert answer.streaming
    assert answer["Content-Disposition"] == 'attachment; filename="etl.log"'
    assert b"".join(answer.streaming_content).decode().splitlines() == numbered(4)


def test_a_backup_is_downloaded(reader, logs):
    (logs / "backup").mkdir()
    backup = logs / "backup" / "etl.20241220T120000Z.log.gz"
    backup.write_bytes(gzip.compress(b"old"))

    answer = reader.get(f"{OVERVIEW}copia/{backup.name}/")

    assert answer["Content-Disposition"] == f'attachment; filename="{backup.name}"'
    assert gzip.decompress(b"".join(answer.streaming_content)) == b"old"


# --- Clearing ---------------------------------------------------------------------------------


def test_clearing_asks_first(keeper, logs):
    write(logs / "etl.log", numbered(3))

    page = keeper.get(f"{CLEAR}?file=etl")

    assert "Questi registri verranno svuotati" in page.text
    assert everything(logs / "etl.log") == numbered(3)
    assert (logs / "etl.log").exists()


@pytest.mark.parametrize(("form", "kept"), [({"backup": "on"}, numbered(3)), ({}, [])])
def test_clearing_with_and_without_a_copy(keeper, logs, form, kept):
    write(logs / "etl.log", numbered(3))
    write(logs / "mysql.log", numbered(1))

    page = keeper.post(CLEAR, {"file": "etl", **form}, follow=True)

    assert page.redirect_chain == [(OVERVIEW, 302)]
    assert "Svuotato il registro etl." in page.text
    assert everything(logs / "etl.log") == kept
    assert not (logs / "etl.log").exists()
    assert (logs / "mysql.log").exists()
    entry = VoceAudit.objects.get(azione="registri.svuotati")
    assert (entry.chi, entry.oggetto) == ("anna", "etl")
    assert entry.dettagli == {"file": ["etl"], "backup": bool(form)}
    assert entry.attore == "utente"


def test_a_clearing_that_fails_says_so(keeper, logs):
    write(logs / "etl.log", numbered(3))
    (logs / "backup").write_text("in the way")

    page = keeper.post(CLEAR, {"file": "etl", "backup": "on"}, follow=True)

    assert "Non svuotati, e rimasti com&#x27;erano: etl." in page.text
    assert everything(logs / "etl.log") == numbered(3)


def test_a_form_of_another_site_clears_nothing(logs):
    write(logs / "etl.log", numbered(3))
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("capo"))

    assert client.post(CLEAR, {"file": "etl"}).status_code == 403
    assert everything(logs / "etl.log") == numbered(3)


# --- Who may ----------------------------------------------------------------------------------


def test_who_may_read_may_not_clear(reader, logs):
    write(logs / "etl.log", numbered(3))

    assert [reader.get(url).status_code for url in READS] == [200] * 4
    assert reader.get(CLEAR).status_code == 403
    assert reader.post(CLEAR, {"file": "etl"}).status_code == 403
    assert everything(logs / "etl.log") == numbered(3)


@pytest.mark.parametrize("codenames", [[], ["clear_logs"], ["view_esecuzioneetl"]])
def test_who_may_not_read_sees_nothing(logs, codenames):
    client = client_with(*codenames)

    assert [client.get(url).status_code for url in (*READS, CLEAR)] == [403] * 5
    assert client.post(CLEAR, {"file": "etl"}).status_code == 403
    assert FILE not in client.get("/admin/").text


def test_every_page_asks_for_a_login(client, logs):
    for url in (*READS, CLEAR, f"{OVERVIEW}copia/x/"):
        assert client.get(url)["Location"].startswith("/admin/login/"), url
