"""An update costs what is new, not what is old: statements and rows read, counted.

(The time it takes with a million old operations is the benchmark's to show.)
"""

from datetime import date

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orders.models import MovimentoProduzione, Ordine, PezzoOrdine
from production.models import Operazione
from tests.orders.builders import ENDED_AT, make_forgiature, make_lavorazioni, make_ordine_con

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"]),
    pytest.mark.usefixtures("workshop"),
]

NEW = 40
OLD = 4000


def make_history(orders, first=1_000_000):
    """Closed orders with ten counted forgings each, as years of updates leave them."""
    closed = Ordine.objects.bulk_create(
        Ordine(id_ordine=first + n, stato="COMPLETATO", data_fine=date(2020, 1, 1))
        for n in range(orders)
    )
    PezzoOrdine.objects.bulk_create(
        PezzoOrdine(
            ordine=order, pezzo_id="PZC01", quantita_totale=10, quantita_rimanente=0, prelevati=0
        )
        for order in closed
    )
    operations = Operazione.objects.bulk_create(
        Operazione(
            id_operazione=first + n,
            ordine=closed[n // 10],
            pezzo_id="PZC01",
            tipo_operazione="forgiatura",
            timestamp_fine=ENDED_AT,
            da_contare=None,
        )
        for n in range(10 * orders)
    )
    MovimentoProduzione.objects.bulk_create(
        MovimentoProduzione(
            operazione=operation,
            ordine_id=operation.ordine_id,
            pezzo_id="PZC01",
            esito="ORDINE",
            pezzi=1,
            dati=1,
        )
        for operation in operations
    )


def make_new():
    """An order that the new operations complete, with surplus, a machined line, loose pieces."""
    order = make_ordine_con({"PZC01": NEW // 4, "PZC20": 1}).pk
    make_forgiature(NEW // 2, ordine_id=order)
    make_lavorazioni(NEW // 4, ordine_id=order)
    make_forgiature(NEW // 4, ordine_id=None)


def rows_read():
    """What this session has read from tables and indexes so far, by the server's own count."""
    with connections["production"].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


def test_statements_do_not_grow_with_what_is_counted_already(update):
    def statements():
        make_new()
        with CaptureQueriesContext(connections["production"]) as captured:
            assert update().caricati == NEW
        return len(captured)

    update()
    statements()  # makes the stock rows
    before = statements()
    make_history(OLD // 10)

    assert statements() == before


def test_statements_do_not_grow_with_the_operations_of_a_chunk(update):
    counts = []
    for size in (NEW, 5 * NEW):
        make_forgiature(size, ordine_id=make_ordine_con({"PZC01": 1000}).pk)
        with CaptureQueriesContext(connections["production"]) as captured:
            update()
        counts.append(len(captured))

    assert counts[1] <= counts[0]


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_rows_read_do_not_grow_with_what_is_counted_already(update):
    """On a real server, whose optimiser knows the tables' sizes."""

    def reads():
        make_new()
        with connections["production"].cursor() as cursor:
            cursor.execute("ANALYZE TABLE operazioni, movimento_produzione, pezzi_ordine, ordine")
        before = rows_read()
        assert update().caricati == NEW
        return rows_read() - before

    make_history(OLD // 100)
    few = reads()
    make_history(OLD // 10, first=2_000_000)
    many = reads()

    assert many < few * 1.2 + 20
    assert few < 40 * NEW
