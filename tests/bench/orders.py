"""Counting 10,000 new operations on a short and on a long history: the cost is the new ones'."""

import time
from statistics import median

from ingestion.models import EsecuzioneEtl
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out
from orders import jobs
from orders.models import MovimentoProduzione, Ordine
from production.models import Operazione
from tests.bench.report import Measure, say, show
from tests.bench.rows import analyse, make_master_data, make_operations, make_orders

NEW = 10_000
HISTORIES = (10_000, 1_000_000)
ROUNDS = 3
MOST_RATIO = 2.0

OLD_ORDERS = 50_000
NEW_ORDERS = 500  # of two lines with ten pieces each: all of them end
FIRST_NEW = 10_000_000  # numbers of new orders and operations, beyond all old ones


def run() -> bool:
    make_master_data()
    make_orders(1, OLD_ORDERS, "COMPLETATO", 10)
    seconds: dict[int, float] = {}
    old, first = 0, FIRST_NEW
    for history in HISTORIES:
        say(f"· {history:,} operazioni già contate".replace(",", "."))
        make_operations(old + 1, history - old, 1, OLD_ORDERS, counted=True)
        old = history
        analyse()
        times = []
        for _ in range(ROUNDS):
            make_orders(first, NEW_ORDERS, "IN ATTESA", 10)
            make_operations(first, NEW, first, NEW_ORDERS, counted=False)
            times.append(_count())
            first += NEW
        seconds[history] = median(times)
    short, long = (seconds[history] for history in HISTORIES)
    return show(
        "orders",
        [
            Measure("10.000 operazioni nuove su 10.000 contate", short, "s"),
            Measure("10.000 operazioni nuove su 1.000.000 contate", long, "s"),
            Measure("operazioni contate al secondo, sulla storia lunga", NEW / long, "/s"),
            Measure("rapporto fra i due tempi", long / short, "", ("<", MOST_RATIO)),
        ],
    )


def _count() -> float:
    """Seconds of one update; it must have counted all, or the time means nothing."""
    completed = Ordine.objects.filter(stato=Ordine.Stato.COMPLETATO).count()
    update = create(EsecuzioneEtl.Tipo.ORDINI, EsecuzioneEtl.Origine.COMANDO)
    started = time.perf_counter()
    update = carry_out(update, jobs.COUNTING)
    seconds = time.perf_counter() - started
    assert (update.stato, update.caricati) == ("OK", NEW), update.messaggio
    assert Operazione.objects.filter(da_contare=True).count() == 0
    assert MovimentoProduzione.objects.filter(esecuzione=update.pk, dati=1).count() == NEW
    assert Ordine.objects.filter(stato=Ordine.Stato.COMPLETATO).count() == completed + NEW_ORDERS
    return seconds
