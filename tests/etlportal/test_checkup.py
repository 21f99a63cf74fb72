"""Each check of check_etl on both sides of its limit; servers that are really away: tests/e2e."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.management import execute_from_command_line as run_line
from django.utils import timezone
from django_q.models import Schedule

from etlportal.checkup import CHECKS
from etlportal.models import ChiaveApi
from ingestion.runs.job import JOBS
from ingestion.runs.timetable import create_schedules
from ingestion.watch import checkup, health
from tests import builders
from tests.builders import make_raw_operazione
from tests.commands import as_json, manage

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(checkup, "WORKER_PATIENCE_SECONDS", 0)
    create_schedules()
    Schedule.objects.update(next_run=timezone.now() + timedelta(hours=1))


def check(name):
    """(exit code, outcome, sentence) of one check."""
    code, report = as_json("check_etl", "--solo", name)
    (found,) = report["controlli"]
    assert found["nome"] == name
    assert report["ok"] is (code == 0)
    return code, found["esito"], found["messaggio"]


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "worker"])
def test_all_is_well(name, settings):
    settings.API_KEY = "k" * 20

    code, outcome, told = check(name)

    assert (code, outcome) == (0, "bene"), told
    assert told


def test_it_runs_every_check_and_one_problem_is_enough():
    code, report = as_json("check_etl")

    assert code == 1
    assert [each["nome"] for each in report["controlli"]] == [*CHECKS]
    wrong = [each["nome"] for each in report["controlli"] if each["esito"] == "problema"]
    assert wrong == ["worker"]


def test_in_words():
    code, printed = manage("check_etl", "--solo", "disco", "--solo", "worker")

    assert code == 1
    disk, worker, last = printed.splitlines()
    assert disk.startswith("disco   BENE           registri: ")
    assert worker == "worker  PROBLEMA       Il worker è fermo: non dà segni di vita."
    assert last == "Ci sono problemi."


@pytest.mark.parametrize("line", [["--solo", "x"], ["--boh"], ["x"]])
def test_usage_errors(line):
    with pytest.raises(SystemExit) as exit_:
        run_line(["manage.py", "check_etl", *line])

    assert exit_.value.code == 2


def test_a_living_worker(monkeypatch):
    monkeypatch.setattr(health, "worker_beat", timezone.now)

    assert check("worker")[:2] == (0, "bene")


def test_a_worker_that_does_not_take_what_is_due(monkeypatch):
    monkeypatch.setattr(health, "worker_beat", timezone.now)
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=5))

    assert check("worker") == (
        1,
        "problema",
        "Il worker è sordo: è acceso ma non prende i lavori in coda.",
    )
    assert check("orari")[2].startswith("Non sono partiti all'ora prevista: ")


def test_a_worker_that_starts_is_waited_for(monkeypatch):
    beats = iter([None, None, timezone.now()])
    monkeypatch.setattr(checkup, "WORKER_PATIENCE_SECONDS", 10)
    monkeypatch.setattr(checkup, "time", SimpleNamespace(monotonic=lambda: 0, sleep=lambda _: 0))
    monkeypatch.setattr(health, "worker_beat", lambda: next(beats))

    assert check("worker")[0] == 0


def test_a_schedule_that_is_missing():
    Schedule.objects.filter(name="ordini orario").delete()

    code, _, told = check("orari")

    assert (code, told) == (1, "Mancano nell'orario: ordini orario. Lanciare setup_schedules.")


def test_one_that_staff_paused_is_told_and_no_problem():
    Schedule.objects.filter(name="ordini orario").update(
        repeats=0, next_run=timezone.now() - timedelta(days=3)
    )

    assert check("orari") == (0, "bene", "Sospesi: ordini orario.")
    assert len(JOBS) > 1


@pytest.mark.parametrize(("minutes", "code"), [(74, 0), (76, 1)])
def test_records_that_wait(minutes, code):
    make_raw_operazione(ricevuto_il=timezone.now() - timedelta(minutes=minutes))

    assert check("attesa")[::2] == (
        code,
        f"1 record in attesa, il più vecchio da {minutes} minuti.",
    )
    assert check("ritardi")[0] == code


def test_a_disk_that_fills(settings, tmp_path):
    settings.LOG_DIR = tmp_path / "non" / "ancora"
    assert check("disco")[0] == 0

    settings.DISCO_MINIMO_MB = 10**9
    code, outcome, told = check("disco")
    assert (code, outcome) == (1, "problema")
    assert "registri: " in told


@pytest.mark.parametrize(("seconds", "code"), [(4, 0), (-4, 0), (6, 1), (-6, 1)])
def test_clocks_apart(monkeypatch, seconds, code):
    def difference(alias):
        return timedelta(seconds=seconds if alias == "production" else 0)

    monkeypatch.setattr(checkup, "_clock_difference", difference)

    found, _, told = check("orologi")
    assert (found, f"mysql {seconds:+.1f} s" in told) == (code, True)


@pytest.mark.servers
@pytest.mark.parametrize("alias", ["default", "production"])
def test_the_servers_clocks_are_read(alias):
    assert abs(checkup._clock_difference(alias)) < timedelta(seconds=1)


@pytest.mark.parametrize(("length", "code"), [(19, 1), (20, 0)])
def test_a_short_first_key(settings, length, code):
    settings.API_KEY = "k" * length

    assert check("chiavi")[0] == code


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"scade_il": timedelta(days=13)}, 1),
        ({"scade_il": timedelta(days=15)}, 0),
        ({"scade_il": timedelta(days=-1)}, 0),  # nothing is left to renew in time
        ({"scade_il": None}, 0),
        ({"scade_il": timedelta(days=3), "revocata_il": timedelta(days=-1)}, 0),
    ],
)
def test_keys_that_expire(settings, key, code):
    settings.API_KEY = "k" * 20
    now = timezone.now()
    moments = {name: delta and now + delta for name, delta in key.items()}
    ChiaveApi.objects.create(identificativo="abc", nome="flusso-1", creata_da="x", **moments)

    found, _, told = check("chiavi")

    assert (found, "«flusso-1»" in told) == (code, code == 1)


def test_mysql_away_is_told_once(production_away):
    with production_away():
        assert check("mysql")[:2] == (1, "problema")
        assert check("mysql_stretto")[:2] == (0, "non giudicato")
        assert check("orologi")[0] == 0


def test_without_postgresql_nothing_else_is_judged(monkeypatch):
    monkeypatch.setattr(health, "reachable", lambda alias: alias != "default")

    outcomes = {name: check(name)[1] for name in CHECKS if name not in ("disco", "orologi")}

    assert outcomes == {
        "postgresql": "problema",
        "mysql": "bene",
        "mysql_stretto": "bene",
        **dict.fromkeys(
            ["worker", "ritardi", "orari", "attesa", "verifica", "chiavi"], "non giudicato"
        ),
    }


def test_a_verification_that_found_something_is_a_problem_until_the_next():
    assert check("verifica")[:2] == (0, "bene")
    builders.make_esecuzione(
        tipo="verifica", stato="ERRORE", messaggio="Qualcosa non torna: x (1)."
    )
    builders.make_esecuzione(tipo="verifica", stato="INTERROTTA")

    assert check("verifica") == (1, "problema", "Qualcosa non torna: x (1).")

    builders.make_esecuzione(tipo="verifica", stato="OK")
    assert check("verifica")[:2] == (0, "bene")


def test_a_dry_run_of_nothing_is_a_usage_error():
    assert manage("check_etl", "--dry-run", "--solo", "disco")[0] == 2
