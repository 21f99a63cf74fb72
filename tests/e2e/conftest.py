"""The living portal that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.portal import LivePortal


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
