"""One message when a problem begins and one when it ends, through real mail and web servers."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.db.backends.signals import connection_created
from django.utils import timezone
from django_q.models import Schedule

from ingestion.models import Avviso, EsecuzioneEtl
from ingestion.watch import alert_store, alerts, health
from ingestion.watch.channels import Email, Webhook
from tests.builders import make_esecuzione
from tests.commands import as_json, manage
from tests.receivers import hook_server, mail_server

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

PORTAL = "https://portale.example.com/"
LATE = "Nessun trasferimento riuscito da più di 75 minuti."


@pytest.fixture
def mail(settings):
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.AVVISI_EMAIL = ["capoturno@example.com", "it@example.com"]
        yield server


@pytest.fixture
def hook(settings):
    with hook_server() as server:
        settings.AVVISI_WEBHOOK = server.url
        yield server


@pytest.fixture(autouse=True)
def _portal(settings, tmp_path, monkeypatch):
    Schedule.objects.all().delete()
    settings.PORTALE_URL = PORTAL
    settings.DATA_DIR = tmp_path
    settings.AVVISI_EMAIL, settings.AVVISI_WEBHOOK = [], ""
    monkeypatch.setattr(alerts, "CONFIRM_AFTER_SECONDS", 0)


def success(minutes_ago, tipo=EsecuzioneEtl.Tipo.TRANSFER):
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    return make_esecuzione(tipo=tipo, stato="OK", iniziata_il=moment, finita_il=moment)


@pytest.fixture
def late():
    """The transfer is late, the orders are not."""
    success(0, EsecuzioneEtl.Tipo.ORDINI)
    return success(80)


def look():
    return [problem.codice for problem in alerts.look(alerts.configured_channels())]


# --- By mail and by webhook -----------------------------------------------------------------


def test_one_mail_at_the_beginning_and_one_at_the_end(late, mail):
    assert [look(), look(), look()] == [["transfer"]] * 3
    assert len(mail.messages) == 1
    recipients, message = mail.messages[0]
    assert recipients == ["capoturno@example.com", "it@example.com"]
    assert mail.subjects == [f"Portale ETL, problema: {LATE}"]
    since = timezone.localtime(late.finita_il)
    body = message.get_content()
    assert LATE in body
    assert f"Dal {since:%d/%m/%Y alle %H:%M}." in body
    assert PORTAL in body

    success(0)
    assert [look(), look(), look()] == [[]] * 3
    assert len(mail.messages) == 2
    _, message = mail.messages[1]
    assert mail.subjects[1] == f"Portale ETL, risolto: {LATE}"
    assert f"Dal {since:%d/%m/%Y alle %H:%M}." in message.get_content()
    assert f"Risolto: {timezone.localtime():%d/%m/%Y alle }" in message.get_content()


def test_one_post_at_the_beginning_and_one_at_the_end(late, hook):
    look(), look()
    success(0)
    look(), look()

    assert hook.events == [("inizio", "transfer"), ("fine", "transfer")]
    (kind, begun), (_, ended) = hook.messages
    assert kind == "application/json; charset=utf-8"
    assert begun.keys() == {
        *("evento", "codice", "messaggio", "da", "finito_il", "portale", "text")
    }
    assert (begun["messaggio"], begun["finito_il"], begun["portale"]) == (LATE, "", PORTAL)
    assert begun["da"].endswith("Z")
    assert LATE in begun["text"]
    assert ended["finito_il"] > ended["da"] == begun["da"]


def test_each_problem_has_its_own_messages(late, hook, production_away):
    look()
    with production_away():
        look(), look()
    look()

    assert hook.events == [("inizio", "transfer"), ("inizio", "mysql"), ("fine", "mysql")]


def test_a_problem_that_comes_back_is_told_again(late, hook):
    look()
    latest = success(0)
    look()
    latest.delete()
    look()

    assert hook.events == [(event, "transfer") for event in ("inizio", "fine", "inizio")]


def test_nobody_to_tell_is_no_error(late):
    assert look() == ["transfer"]
    assert Avviso.objects.get().inizio_inviato == []


def test_a_brief_one_is_told_to_nobody(late, hook, monkeypatch):
    """Over when looked at again: a server that restarted."""
    found = iter([health.problems(), []])
    monkeypatch.setattr(alerts, "problems", lambda: next(found))

    assert look() == []
    assert hook.events == []


# --- What fails is tried again --------------------------------------------------------------


def test_a_mail_that_is_refused_is_sent_at_the_next_look(late, mail):
    mail.refusing = True
    assert [look(), look()] == [["transfer"]] * 2
    assert mail.messages == []

    mail.refusing = False
    look(), look()
    assert mail.subjects == [f"Portale ETL, problema: {LATE}"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_post_that_is_refused_is_sent_at_the_next_look(late, hook, status):
    hook.status = status
    look()
    assert hook.events == []

    hook.status = 202
    look(), look()
    assert hook.events == [("inizio", "transfer")]


def test_a_server_that_is_not_there_fails_nobody(late, settings, hook):
    settings.AVVISI_WEBHOOK = "http://127.0.0.1:9/"
    assert look() == ["transfer"]

    settings.AVVISI_WEBHOOK = hook.url
    look()
    assert hook.events == [("inizio", "transfer")]


def test_one_channel_that_fails_holds_up_no_other(late, mail, hook):
    mail.refusing = True
    look(), look()
    assert (len(mail.messages), hook.events) == (0, [("inizio", "transfer")])

    mail.refusing = False
    look(), look()
    assert (len(mail.messages), len(hook.messages)) == (1, 1)


def test_an_end_that_could_not_be_sent_is_sent_later(late, hook):
    look()
    success(0)
    hook.status = 500
    look()
    hook.status = 200
    look(), look()

    assert hook.events == [("inizio", "transfer"), ("fine", "transfer")]


def test_a_beginning_never_sent_is_told_by_the_end_alone(late, hook):
    hook.status = 500
    look()
    success(0)
    hook.status = 200
    look(), look()

    assert hook.events == [("fine", "transfer")]


def test_many_looks_at_once_send_once(late, hook):
    ready = threading.Barrier(6)

    def one():
        try:
            ready.wait()
            return look()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert {tuple(found.result()) for found in [pool.submit(one) for _ in range(6)]} == {
            ("transfer",)
        }

    assert hook.events == [("inizio", "transfer")]
    assert Avviso.objects.count() == 1


def test_a_look_that_judged_before_another_one_sent_sends_nothing(late, hook, settings):
    url, settings.AVVISI_WEBHOOK = settings.AVVISI_WEBHOOK, ""
    look()
    seen_before = Avviso.objects.get()
    settings.AVVISI_WEBHOOK = url
    look()

    assert alert_store.claim(seen_before, timezone.now()) is False
    assert alert_store.claim(Avviso.objects.get(), timezone.now()) is True


def test_who_died_while_sending_is_followed_after_two_minutes(late, hook):
    look()
    Avviso.objects.update(inizio_inviato=[], in_invio_dal=timezone.now() - timedelta(seconds=110))
    look()
    assert len(hook.messages) == 1

    Avviso.objects.update(in_invio_dal=timezone.now() - timedelta(seconds=130))
    look()
    assert len(hook.messages) == 2


# --- PostgreSQL itself away -----------------------------------------------------------------


@pytest.fixture
def postgresql_away(monkeypatch):
    """``problems`` as it is without PostgreSQL; the real outage is in tests/e2e."""
    return lambda: monkeypatch.setattr(
        alerts, "problems", lambda: health.problems({"postgresql": False, "mysql": True})
    )


def test_its_outage_is_told_once_and_its_end_once(hook, postgresql_away, monkeypatch, tmp_path):
    postgresql_away()
    assert [look(), look(), look()] == [["postgresql"]] * 3
    assert hook.events == [("inizio", "postgresql")]
    assert not Avviso.objects.exists()

    monkeypatch.undo()
    assert [look(), look()] == [[], []]
    assert hook.events == [("inizio", "postgresql"), ("fine", "postgresql")]
    assert hook.messages[0][1]["da"] == hook.messages[1][1]["da"]
    assert not (tmp_path / alert_store.NAME).exists()


def test_its_outage_ends_no_other_alert(late, hook, postgresql_away, monkeypatch):
    look()
    postgresql_away()
    look()

    assert hook.events == [("inizio", "transfer"), ("inizio", "postgresql")]


@pytest.mark.parametrize("status", [200, 500])
def test_its_messages_are_tried_again_too(hook, postgresql_away, monkeypatch, status):
    postgresql_away()
    hook.status = 500
    look()
    hook.status = status
    look()
    monkeypatch.undo()
    hook.status = 500
    look()
    hook.status = 200
    look(), look()

    begun = [("inizio", "postgresql")] if status == 200 else []
    assert hook.events == [*begun, ("fine", "postgresql")]


def test_a_damaged_file_is_no_error(hook, postgresql_away, tmp_path):
    (tmp_path / alert_store.NAME).write_text("{")
    postgresql_away()

    assert [look(), look()] == [["postgresql"]] * 2
    assert hook.events == [("inizio", "postgresql")]
    (kept,) = json.loads((tmp_path / alert_store.NAME).read_text())
    assert (kept["codice"], kept["inizio_inviato"]) == ("postgresql", ["webhook"])


def test_what_postgresql_cannot_write_is_told_all_the_same(late, hook, tmp_path):
    """Once, and so is its end, though it is writable again by then."""
    with read_only():
        assert [look(), look()] == [["transfer"]] * 2
        assert hook.events == [("inizio", "transfer")]
    look()
    assert not Avviso.objects.exists()
    assert (tmp_path / alert_store.NAME).exists()

    success(0)
    assert [look(), look()] == [[], []]
    assert hook.events == [("inizio", "transfer"), ("fine", "transfer")]
    assert not (tmp_path / alert_store.NAME).exists()


@contextmanager
def read_only():
    """Connections to PostgreSQL take no writes."""

    def refuse_writes(connection, **kwargs):
        statement = {
            "sqlite": "PRAGMA query_only = on",
            "postgresql": "SET default_transaction_read_only = on",
        }.get(connection.vendor)
        if statement and connection.alias == "default":
            connection.cursor().execute(statement)

    connection_created.connect(refuse_writes)
    connections["default"].close()
    yield
    connection_created.disconnect(refuse_writes)
    connections["default"].close()


def test_a_folder_that_cannot_be_written_fails_nobody(hook, postgresql_away, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "non" / "esiste"
    postgresql_away()

    assert look() == ["postgresql"]
    assert hook.events == [("inizio", "postgresql")]


# --- The command ----------------------------------------------------------------------------


def test_the_command_alerts_and_says_the_problems(late, hook):
    code, report = as_json("check_etl", "--avvisa", "--solo", "ritardi")

    assert code == 1
    assert report["problemi"] == ["transfer"]
    assert report["controlli"] == [{"nome": "ritardi", "esito": "problema", "messaggio": LATE}]
    assert hook.events == [("inizio", "transfer")]


def test_without_the_option_nobody_is_told(late, hook):
    assert manage("check_etl", "--solo", "ritardi")[0] == 1
    assert (hook.events, Avviso.objects.count()) == ([], 0)


def test_a_dry_run_tells_nobody(late, hook):
    line = ("check_etl", "--avvisa", "--dry-run", "--solo", "ritardi")
    report = as_json(*line)[1]

    assert (report["avviserebbe_inizio"], report["avviserebbe_fine"]) == (["transfer"], [])
    look()
    success(0)
    report = as_json(*line)[1]
    assert (report["avviserebbe_inizio"], report["avviserebbe_fine"]) == ([], ["transfer"])
    assert hook.events == [("inizio", "transfer")]


def test_which_channels_the_settings_name(settings):
    assert alerts.configured_channels() == []
    settings.AVVISI_EMAIL, settings.AVVISI_WEBHOOK = ["a@example.com"], "https://example.com/x"
    assert alerts.configured_channels() == [
        Email(("a@example.com",)),
        Webhook("https://example.com/x"),
    ]


def test_what_another_look_opened_meanwhile_stays_open(monkeypatch):
    def judge():
        Avviso.objects.create(codice="worker", messaggio="x", iniziato_il=timezone.now())
        return []

    monkeypatch.setattr(alerts, "problems", judge)

    alerts.look([])

    assert Avviso.objects.get().finito_il is None
