"""The living portal that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.portal import LivePortal
from tests.servers import MariadbServer, PostgresqlServer, postgresql_server, production_server


@pytest.fixture(scope="package")
def portal() -> Iterator[LivePortal]:
    """On the servers of the environment, or on SQLite."""
    with LivePortal() as portal:
        yield portal


@pytest.fixture
def clean_portal(portal: LivePortal) -> LivePortal:
    """The same, without records, runs and operations."""
    portal.empty()
    return portal


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlServer]:
    """The module's own, so that it may stop it."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbServer]:
    """The module's own, so that it may stop it."""
    with production_server() as server:
        yield server
