import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections

from etlportal import checks


def test_a_short_key_is_refused(settings):
    settings.API_KEY = "x" * 19

    (error,) = checks.check_api_key()

    assert error.id == "etlportal.E001"
    assert "API_KEY" in error.msg


def test_a_long_enough_key_is_accepted(settings):
    settings.API_KEY = "x" * 20

    assert checks.check_api_key() == []


def test_manage_check_stops_at_a_short_key(settings):
    settings.API_KEY = "corta"

    with pytest.raises(SystemCheckError, match="API_KEY è troppo corta"):
        call_command("check")


@pytest.mark.django_db(databases=["default", "production"])
def test_the_test_databases_are_as_they_must_be():
    assert checks.check_mysql(["default", "production"]) == []


def test_no_server_is_asked_without_being_named():
    assert checks.check_mysql(None) == []


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
class TestMysql:
    @pytest.fixture(autouse=True)
    def _fresh_session(self):
        """The session's settings go with its connection."""
        yield
        connections["production"].close()

    def test_a_lax_server_is_refused(self):
        self._execute("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'")

        (error,) = checks.check_mysql(["production"])

        assert error.id == "etlportal.E002"
        assert "modalità stretta" in error.msg

    @pytest.mark.parametrize("mode", ["STRICT_TRANS_TABLES", "ANSI_QUOTES,STRICT_ALL_TABLES"])
    def test_either_strict_mode_will_do(self, mode):
        self._execute(f"SET SESSION sql_mode = '{mode}'")

        assert checks.check_mysql(["production"]) == []

    def test_migrate_refuses_a_lax_server_too(self):
        self._execute("SET SESSION sql_mode = ''")

        with pytest.raises(SystemCheckError, match="modalità stretta"):
            call_command("migrate", skip_checks=False, verbosity=0)

    def test_a_connection_in_another_charset_is_refused(self):
        self._execute("SET NAMES latin1")

        (error,) = checks.check_mysql(["production"])

        assert error.id == "etlportal.E003"
        assert "latin1" in error.msg
        assert "utf8mb4" in error.msg

    def test_a_database_in_another_charset_is_refused(self):
        self._execute("CREATE DATABASE di_prova CHARACTER SET utf8mb3")
        try:
            self._execute("USE di_prova")
            (error,) = checks.check_mysql(["production"])
        finally:
            self._execute("DROP DATABASE di_prova")

        assert error.id == "etlportal.E003"
        assert "utf8mb3" in error.msg

    def test_a_server_that_is_away_is_told_in_words(self, production_away):
        with production_away():
            (error,) = checks.check_mysql(["production"])

        assert error.id == "etlportal.E004"
        assert "non risponde" in error.msg

    def _execute(self, sql):
        with connections["production"].cursor() as cursor:
            cursor.execute(sql)
