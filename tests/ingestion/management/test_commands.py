"""The maintainer's commands: what they print, what they change, and how they end."""

import pytest
from django.core.management import CommandError, call_command
from django.core.management import execute_from_command_line as run_line
from django.db import connections
from django_q.models import Schedule

from ingestion.models import EsecuzioneEtl, RawOperazione
from production.models import Operazione
from tests.builders import (
    make_active_esecuzione,
    make_dead_esecuzione,
    make_raw_operazione,
    make_raw_operazioni,
)
from tests.commands import as_json, manage

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

COUNTERS = ("letti", "caricati", "gia_presenti", "in_errore", "rimanenti")


# --- transfer -------------------------------------------------------------------------------


@pytest.mark.usefixtures("plant")
class TestTransfer:
    def test_moves_what_is_pending_and_says_so(self):
        make_raw_operazioni(3)

        code, printed = manage("transfer")

        assert code == 0
        run = EsecuzioneEtl.objects.get()
        assert f"Esecuzione {run.pk}: OK. 3 record caricati." in printed
        assert "letti 3, caricati 3, già presenti 0, in errore 0, rimanenti 0" in printed
        assert run.origine == "comando"
        assert Operazione.objects.count() == 3

    def test_again_moves_nothing(self, table_contents):
        make_raw_operazioni(3)
        manage("transfer")
        loaded = table_contents()

        code, run = as_json("transfer")

        assert code == 0
        assert [run[name] for name in COUNTERS] == [0] * 5
        assert table_contents() == loaded

    def test_as_json(self):
        make_raw_operazioni(2)

        code, run = as_json("transfer")

        assert code == 0
        assert [run[name] for name in COUNTERS] == [2, 2, 0, 0, 0]
        assert (run["tipo"], run["stato"]) == ("transfer", "OK")

    def test_a_limit(self):
        make_raw_operazioni(5)

        code, run = as_json("transfer", "--limit", "2")

        assert code == 0
        assert run["letti"] == 2
        assert RawOperazione.objects.filter(stato="PENDING").count() == 3

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
    def test_a_limit_that_is_none_is_a_usage_error(self, limit):
        make_raw_operazione()

        with pytest.raises(SystemExit) as exit_:
            run_line(["manage.py", "transfer", "--limit", limit])

        assert exit_.value.code == 2
        assert not EsecuzioneEtl.objects.exists()

    def test_rows_in_error_are_a_problem_found(self):
        make_raw_operazione(tentativi=3)

        code, run = as_json("transfer")

        assert code == 1
        assert (run["stato"], run["in_errore"]) == ("PARZIALE", 1)

    def test_mysql_away_is_a_problem_found(self, no_pauses, production_away):
        make_raw_operazioni(2)

        with production_away():
            code, run = as_json("transfer")

        assert code == 1
        assert (run["stato"], run["rimanenti"]) == ("PARZIALE", 2)

    def test_another_run_in_course_is_a_problem_found(self):
        active = make_active_esecuzione()

        with pytest.raises(CommandError, match=f"esecuzione {active.pk}"):
            call_command("transfer")

        assert manage("transfer")[0] == 1

    def test_a_dead_run_is_no_problem(self):
        make_dead_esecuzione()
        make_raw_operazione()

        assert as_json("transfer")[1]["caricati"] == 1


@pytest.mark.usefixtures("plant")
class TestDryRun:
    @pytest.fixture(autouse=True)
    def _rows(self):
        make_raw_operazioni(2)
        make_raw_operazione(peso_effettivo="-1")
        make_raw_operazione(peso_effettivo="-1", temperatura_effettiva="99")

    def test_says_what_would_happen(self):
        code, printed = manage("transfer", "--dry-run")

        assert code == 0
        assert "4 record letti, 4 da caricare" in printed
        assert "3 anomalie" in printed
        assert "2    2 PESO_NON_VALIDO" in printed
        assert "1    3 TEMPERATURA_NON_VALIDA" in printed

    def test_as_json(self):
        code, report = as_json("transfer", "--dry-run")

        assert code == 0
        assert [report[name] for name in COUNTERS] == [4, 4, 0, 0, 0]
        assert report["per_tipo"] == {"2": 2, "3": 1}

    def test_keeps_to_the_limit(self):
        assert as_json("transfer", "--dry-run", "--limit", "1")[1]["letti"] == 1

    def test_mysql_away_is_told_in_words(self, production_away):
        with production_away(), pytest.raises(CommandError, match="database non risponde"):
            call_command("transfer", "--dry-run")

    def test_changes_nothing(self, table_contents):
        def everything():
            tables = ("raw_operazione", "esecuzione_etl", "django_q_ormq")
            return table_contents(), table_contents(*tables, alias="default")

        before = everything()
        manage("transfer", "--dry-run")

        assert everything() == before


# --- verifica -------------------------------------------------------------------------------


@pytest.mark.usefixtures("plant")
class TestVerifica:
    @pytest.fixture(autouse=True)
    def _loaded(self, plant):
        make_raw_operazioni(3)
        manage("transfer")

    def test_all_is_well(self):
        code, printed = manage("verifica")

        assert code == 0
        assert "trasferiti_caricati: bene" in printed
        assert printed.endswith("Tutto bene.\n")
        assert as_json("verifica") == (0, {"ok": True, "problemi": []})

    def test_a_row_deleted_by_hand(self):
        operation = Operazione.objects.first()
        row = RawOperazione.objects.get(uid=operation.raw_uid)
        operation.delete()

        code, printed = manage("verifica")
        assert code == 1
        assert "trasferiti_caricati: 1" in printed
        assert f"record {row.pk}: Il record è PROCESSED ma manca in operazioni." in printed
        assert printed.endswith("Ci sono problemi.\n")
        assert as_json("verifica") == (
            1,
            {
                "ok": False,
                "problemi": [
                    {
                        "invariante": "trasferiti_caricati",
                        "soggetto": f"record {row.pk}",
                        "messaggio": "Il record è PROCESSED ma manca in operazioni.",
                    }
                ],
            },
        )

    def test_mysql_away_is_told_in_words(self, production_away):
        with production_away(), pytest.raises(CommandError, match="database non risponde"):
            call_command("verifica")

    def test_of_very_many_problems_the_first_are_listed(self):
        make_raw_operazioni(25, stato="PROCESSED")

        _, printed = manage("verifica")

        assert "trasferiti_caricati: 25" in printed
        assert printed.count("manca in operazioni") == 20


# --- setup_schedules and migrate ------------------------------------------------------------


def test_setup_schedules_twice():
    Schedule.objects.all().delete()

    assert "trasferimento orario: creata" in manage("setup_schedules")[1]
    assert "trasferimento orario: già presente" in manage("setup_schedules")[1]


def test_migrate_takes_both_databases_in_one_step():
    for alias, table in (("default", "cache"), ("production", "tipo_fermo")):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations")
            assert cursor.fetchone()[0] > 0
            assert table in connections[alias].introspection.table_names(cursor)

    code, printed = manage("migrate")

    assert code == 0
    assert printed.count("No migrations to apply.") == 2


def test_migrate_of_one_database():
    assert manage("migrate", "--database", "production")[1].count("No migrations to apply.") == 1
