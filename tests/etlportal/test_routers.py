import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connections
from django_q.models import OrmQ

from etlportal.routers import AppRouter
from ingestion.models import RawOperazione
from orders.models import Ordine
from production.models import Operazione, Pezzo

IN_MYSQL = {"production", "orders"}
LABELS = sorted(config.label for config in apps.get_app_configs())


@pytest.mark.parametrize("label", [*LABELS, "an_app_of_tomorrow"])
def test_every_app_has_one_home(label):
    answers = {alias: AppRouter().allow_migrate(alias, label) for alias in connections}

    assert answers == {"default": label not in IN_MYSQL, "production": label in IN_MYSQL}


@pytest.mark.parametrize(
    ("model", "alias"),
    [
        (Operazione, "production"),
        (Ordine, "production"),
        (RawOperazione, "default"),
        (User, "default"),
        (OrmQ, "default"),
    ],
)
def test_models_are_read_and_written_at_home(model, alias):
    assert AppRouter().db_for_read(model) == alias
    assert AppRouter().db_for_write(model) == alias


def test_no_relation_crosses_the_two_databases():
    assert AppRouter().allow_relation(Operazione(), Ordine()) is True
    assert AppRouter().allow_relation(Operazione(), RawOperazione()) is False
    assert AppRouter().allow_relation(User(), Pezzo()) is False


@pytest.mark.django_db(databases=["default", "production"])
class TestTables:
    def test_mysql_has_the_plant_and_nothing_else(self):
        ours = {model._meta.db_table for model in apps.get_models() if self._is_plant(model)}

        assert self._tables("production") == ours | {"django_migrations"}

    def test_postgresql_has_all_the_rest(self):
        others = {
            model._meta.db_table
            for model in apps.get_models()
            if not self._is_plant(model) and model._meta.managed
        }

        assert self._tables("default") >= others | {"cache", "auth_user_groups"}
        assert not self._tables("default") & {"operazioni", "ordine", "pezzi"}

    def _is_plant(self, model):
        return model._meta.app_label in IN_MYSQL

    def _tables(self, alias):
        return set(connections[alias].introspection.table_names())
