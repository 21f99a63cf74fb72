"""The living portal that the tests of this folder share."""

import os
from collections.abc import Iterator

import pytest

from tests.portal import ALIASES, LivePortal


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


@pytest.fixture(autouse=True)
def servers(request: pytest.FixtureRequest) -> None:
    """A test marked ``servers`` says what it lacks instead of passing for something else."""
    if request.node.get_closest_marker("servers") and not all(map(os.environ.get, ALIASES.values())):
        pytest.fail(
            "Questa prova chiede PostgreSQL e MariaDB: "
            "python -m tests.servers -- python -m pytest tests/e2e",
            pytrace=False,
        )
