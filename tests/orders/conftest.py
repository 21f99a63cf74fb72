"""What the tests of orders share: a plant with a machined piece, and running an update."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.queue import start
from ingestion.runs.running import do_work
from orders.counting.run import Counting, CountingOptions
from tests.orders.builders import make_cnc_pezzo, make_update

DEAD_AFTER = timedelta(minutes=3)
ORDER_TABLES = (
    "operazioni",
    "cnc",
    "anomalia_operazione",
    "ordine",
    "pezzi_ordine",
    "magazzino",
    "movimento_produzione",
    "movimento_magazzino",
)

Update = Callable[..., EsecuzioneEtl]


@pytest.fixture
def workshop(plant: None) -> None:
    """The plant, where PZC01 is finished by forging and PZC20 by machining."""
    make_cnc_pezzo("PZC20")


@pytest.fixture
def update() -> Update:
    """Runs an update of the orders by the fields of ``CountingOptions``; returns the closed run."""

    def run_one(on_progress: Any = None, **options: Any) -> EsecuzioneEtl:
        run = make_update()
        start(run, DEAD_AFTER, timezone.now())
        return do_work(run, Counting(CountingOptions(**options)), on_progress)

    return run_one


@pytest.fixture
def order_tables(table_contents: Callable[..., Any]) -> Callable[[], Any]:
    """Every value of every row of the tables that an update reads or writes."""
    return lambda: table_contents(*ORDER_TABLES)
