"""Many requests at the same moment: more than PostgreSQL has connections."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.portal import LivePortal

CLIENTS = 150
# Each web process may work on 20 requests at once; the worker has a few, and this test one.
MOST_CONNECTIONS = 50


@pytest.mark.servers
def test_a_rush_of_requests_queues_and_is_stored(clean_portal: LivePortal) -> None:
    together = threading.Barrier(CLIENTS, timeout=30)

    def send(number: int) -> int:
        record: dict[str, Any] = {"tipo_operazione": "cnc", "codice_pezzo": f"PZC{number}"}
        together.wait()
        return clean_portal.post("/insert-postgres", [record] * 20).status

    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    most = 0
    with ThreadPoolExecutor(CLIENTS) as clients:
        sent = [clients.submit(send, number) for number in range(CLIENTS)]
        while not all(answer.done() for answer in sent):
            most = max(most, clean_portal.value("default", query))
    assert [answer.result() for answer in sent] == [200] * CLIENTS
    assert clean_portal.count() == 20 * CLIENTS
    assert 10 < most < MOST_CONNECTIONS
