"""Fixtures that the whole suite shares. What tests need as rows is made by builders.py."""

import copy
import importlib
import logging
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.utils import load_backend
from django.test import Client, TransactionTestCase
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from pytest_django.plugin import DjangoDbBlocker
from xdist.remote import Producer

from ingestion.watch.invariants import INVARIANTS
from tests import arrangement, builders, length, tables

LOADED_TABLES = ("operazioni", "forgiatura", "cnc", "anomalia_operazione")
SERVERS = {"default": "postgresql", "production": "mysql"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lungo", action="store_true", help="le prove lunghe per intero")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("lungo"):
        length.run_in_full()
    # WhiteNoise misses the folder that collectstatic makes; the tests need none.
    config.addinivalue_line("filterwarnings", "ignore:No directory at:UserWarning")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        _log_apart(worker)
    # Passwords are hashed to be slow; the tests' need not be.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _log_apart(process: str) -> None:
    """Two test processes do not wait for each other's lock on a file. Told to the settings too:
    a test that runs a whole command line has the loggers made anew.
    """
    settings.LOG_DIR /= process
    settings.LOG_DIR.mkdir(exist_ok=True)
    for name in ("etl", "periodic", "postgresql", "mysql"):
        (handler,) = logging.getLogger(name).handlers
        handler.path = settings.LOG_DIR / handler.path.name
        settings.LOGGING["handlers"][name]["filename"] = handler.path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer | None) -> arrangement.ByGroup:
    config.option.loadscopereorder = False  # the longest first, as arrangement.py has them
    return arrangement.ByGroup(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    arrangement.mark(items)
    yield
    arrangement.in_order(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs the real servers fails without them: skipped, it would prove nothing."""
    if item.get_closest_marker("servers"):
        vendors = {alias: connections[alias].vendor for alias in connections}
        if vendors != SERVERS:
            pytest.fail(
                "needs PostgreSQL and MariaDB: python -m tests.servers -- pytest", pytrace=False
            )


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    def restore(case: TransactionTestCase) -> None:
        for alias in case.databases:
            tables.restore(alias)

    with django_db_blocker.unblock():
        for alias in connections:
            tables.remember(alias)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", restore)
        yield


@pytest.fixture
def catalogue() -> None:
    """The rows that migrations seed; transactional tests empty the tables after themselves."""
    migration = importlib.import_module("production.migrations.0002_catalogue")
    migration.seed(apps, SimpleNamespace(connection=connections["production"]))


@pytest.fixture
def plant(catalogue: None) -> None:
    """Catalogue and master data: what ``builders.make_plant`` says."""
    builders.make_plant()


@pytest.fixture
def anonymous() -> Client:
    """An HTTP client without a key; an exception of the server is an answer, as in production."""
    return Client(raise_request_exception=False)


@pytest.fixture
def api() -> Client:
    """An HTTP client with the key."""
    return Client(raise_request_exception=False, headers={"X-API-KEY": settings.API_KEY})


def _run_queue() -> int:
    done = 0
    for entry in OrmQ.objects.order_by("pk"):
        task = entry.task
        entry.delete()
        import_string(task["func"])(*task["args"], **task["kwargs"])
        done += 1
    return done


@pytest.fixture
def run_queue() -> Callable[[], int]:
    """Runs the tasks that wait in the queue's table, in this thread; returns how many."""
    return _run_queue


@pytest.fixture
def worker() -> Iterator[None]:
    """A thread that takes tasks from the queue's table, as qcluster does."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.05):
                _run_queue()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The transfer retries at once; the list gets the seconds it would have waited."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@contextmanager
def _production_as(**changes: Any) -> Iterator[None]:
    usual = connections["production"]
    config = copy.deepcopy(usual.settings_dict) | changes
    connections["production"] = load_backend(config["ENGINE"]).DatabaseWrapper(config, "production")
    try:
        yield
    finally:
        connections["production"].close()
        connections["production"] = usual


@pytest.fixture
def production_as() -> Callable[..., AbstractContextManager[None]]:
    """``with production_as(PORT=…):`` this thread's production database is another one."""
    return _production_as


def _refuse(params: dict[str, Any]) -> NoReturn:
    """What MySQL's client says when the server is away; a file has no such failure."""
    raise sqlite3.OperationalError(2002, "Can't connect to server")


@pytest.fixture
def production_away() -> Callable[[], AbstractContextManager[None]]:
    """``with production_away():`` the production database takes no connection."""

    @contextmanager
    def away() -> Iterator[None]:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))  # the port is taken, and nobody listens
            with _production_as(PORT=deaf.getsockname()[1]):
                if connections["production"].vendor == "sqlite":
                    connections["production"].get_new_connection = _refuse  # type: ignore[method-assign]
                yield

    return away


@pytest.fixture
def assert_well() -> Callable[[], None]:
    """Fails with the list of what is wrong, if any invariant of ``verifica`` does not hold."""

    def check() -> None:
        problems = [problem for invariant in INVARIANTS.values() for problem in invariant()]
        assert problems == []

    return check


Contents = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def table_contents() -> Callable[..., Contents]:
    """Every value of every row of the tables that a transfer writes, or of those named."""

    def read(*tables: str, alias: str = "production") -> Contents:
        contents: Contents = {}
        with connections[alias].cursor() as cursor:
            for table in tables or LOADED_TABLES:
                cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
                contents[table] = list(cursor.fetchall())
        return contents

    return read
