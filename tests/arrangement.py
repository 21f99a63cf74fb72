"""How the suite is arranged: what shares a process, and what runs on which databases.

Each table names folders or files; of several that fit a test, the longest counts. A test of this
module sees to it that all of them are there.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

# What looks at the same living portal, or stops servers of its own, runs in one process; the
# longest first, so that no process ends long after the other. The rest is divided by file.
GROUPS = {
    "tests/browser/": "pages",
    "tests/e2e/": "portal",
    "tests/e2e/test_outages.py": "outages",
    "tests/e2e/test_missed_runs.py": "missed runs",
    "tests/e2e/test_schema_conformance.py": "schema",
    "tests/ingestion/transfer/test_speed.py": "speed",
}

# Where the kind of database makes a difference: queries, locks, the transfer, claims, counting,
# lists, retries. ./run test runs it on SQLite too.
PORTABLE = (
    "tests/etlportal/lists/",
    "tests/ingestion/reception/",
    "tests/ingestion/runs/",
    "tests/ingestion/transfer/",
    "tests/ingestion/watch/test_anomaly_feed.py",
    "tests/ingestion/watch/test_invariants.py",
    "tests/logviewer/test_queries.py",
    "tests/orders/counting/",
    "tests/orders/test_figures.py",
    "tests/orders/test_next_lines.py",
)

# What reads or writes the production database. ./run test --mysql runs it on MySQL.
PRODUCTION = (
    "tests/e2e/test_main_job.py",
    "tests/e2e/test_orders_flow.py",
    "tests/e2e/test_outages.py",
    "tests/etlportal/lists/",
    "tests/etlportal/simulation/test_simula.py",
    "tests/etlportal/test_checks.py",
    "tests/etlportal/test_checkup.py",
    "tests/etlportal/today/test_figures.py",
    "tests/ingestion/management/",
    "tests/ingestion/transfer/",
    "tests/ingestion/watch/",
    "tests/logviewer/test_queries.py",
    "tests/mysql8/",
    "tests/orders/",
    "tests/production/",
)


class ByGroup(LoadScopeScheduling):
    """Each group goes to one process, in the order in which its tests stand.

    (pytest-xdist has the like of it, by a marker, which this pytest does not let it write.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


def mark(items: Sequence[pytest.Item]) -> None:
    """Gives each test the markers ``portable`` and ``production``."""
    for item in items:
        file = file_of(item)
        database = item.get_closest_marker("django_db")
        if database and file.startswith(PORTABLE):
            item.add_marker(pytest.mark.portable)
        if file.startswith(PRODUCTION) and (database or "portal" in item.fixturenames):
            item.add_marker(pytest.mark.production)


def in_order(items: list[pytest.Item]) -> None:
    """The groups above first, each in one piece; otherwise as it is."""
    first = list(dict.fromkeys(GROUPS.values()))
    items.sort(
        key=lambda item: (
            first.index(group) if (group := group_of(file_of(item))) in first else len(first)
        )
    )


def group_of(file: str) -> str:
    return GROUPS.get(
        max((path for path in GROUPS if file.startswith(path)), default="", key=len), file
    )


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
