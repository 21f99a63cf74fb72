"""``GET /ordine`` and the orders list with a million operations and fifty thousand orders."""

import time
from statistics import median, quantiles
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from ingestion.models import RawOperazione
from orders.models import Ordine
from tests.bench.report import Measure, say, show
from tests.bench.rows import analyse, make_master_data, make_operations, make_orders

OPERATIONS = 1_000_000
ORDERS = 50_000
CALLS = 50
MOST_MS = 50.0
MOST_LIST_MS = 300.0

WAITING = 2_000
# Of those, the first are on their way whole: 300 records, what the plant makes in a day.
ON_THE_WAY = 15
LOADED_EACH, STAGED_EACH = 16, 4  # of the 2 × 10 pieces of an order


def run() -> bool:
    make_master_data()
    say("· 1.000.000 di operazioni e 50.000 ordini")
    closed = ORDERS - WAITING
    make_orders(1, closed, "COMPLETATO", 10)
    make_orders(closed + 1, WAITING, "IN ATTESA", 10)
    make_operations(1, OPERATIONS, 1, closed, counted=True)
    analyse()
    measures = _measure("2.000 ordini in attesa")
    _put_on_the_way(closed + 1)
    analyse()
    measures += _measure("e 300 record non contati")
    Ordine.objects.filter(pk__lte=closed).update(stato=Ordine.Stato.IN_ATTESA)
    _reopen_lines()
    analyse()
    measures += _measure("tutti in attesa")
    measures.append(_measure_list())
    return show("ordine", measures)


def _put_on_the_way(first_order: int) -> None:
    """All pieces of the oldest waiting orders, most loaded and the rest still staged."""
    make_operations(
        OPERATIONS + 1,
        LOADED_EACH * ON_THE_WAY,
        first_order,
        ON_THE_WAY,
        counted=False,
    )
    RawOperazione.objects.bulk_create(
        RawOperazione(
            id_ordine=f"{order}",
            codice_pezzo=f"P{(2 * order + number % 2) % 20:02}",
            codice_macchinario="CNC01" if number % 2 else "FRG01",
            tipo_operazione="cnc" if number % 2 else "forgiatura",
            timestamp_inizio="2024-12-20T10:00:00Z",
            timestamp_fine="2024-12-20T10:20:00Z",
            numero_pezzi_ora="3",
            peso_effettivo="11",
            temperatura_effettiva="1000",
        )
        for order in range(first_order, first_order + ON_THE_WAY)
        for number in range(STAGED_EACH)
    )


def _reopen_lines() -> None:
    with connections["production"].cursor() as cursor:
        cursor.execute("UPDATE pezzi_ordine SET quantita_rimanente = quantita_totale")


def _measure_list() -> Measure:
    """The orders list of the admin, for its first page."""
    client = Client(headers={"Host": "localhost"})
    client.force_login(get_user_model().objects.create_superuser("bench"))
    times, _ = _calls(client, "/admin/orders/ordine/")
    what = "elenco degli ordini nel portale: mediana"
    return Measure(what, median(times), "ms", ("<", MOST_LIST_MS))


def _calls(client: Client, path: str) -> tuple[list[float], Any]:
    """Milliseconds of ``CALLS`` calls, and the last answer."""
    milliseconds = []
    for call in range(CALLS + 3):
        started = time.perf_counter()
        answer = client.get(path)
        if call >= 3:  # the first ones open connections
            milliseconds.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200
    return milliseconds, answer


def _measure(what: str) -> list[Measure]:
    client = Client(headers={"X-API-KEY": settings.API_KEY, "Host": "localhost"})
    milliseconds, answer = _calls(client, "/ordine")
    assert len(answer.json()) == 5
    return [
        Measure(f"GET /ordine, {what}: mediana", median(milliseconds), "ms", ("<", MOST_MS)),
        Measure(f"GET /ordine, {what}: p95", quantiles(milliseconds, n=20)[-1], "ms"),
    ]
