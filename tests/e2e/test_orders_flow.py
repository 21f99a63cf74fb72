"""Orders and stock follow production: over HTTP, through the living portal and its worker."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.portal import Answer, LivePortal

ORDER = 4711
FORGED, MACHINED = "PZC01", "PZC03"  # of the demo plant, by their last working step
LEDGERS = ("movimento_magazzino", "movimento_produzione")
ORDER_TABLES = ("pezzi_ordine", "ordine")
MESSAGE = "Ordine aggiornato con successo"
MIDNIGHT = datetime(2024, 12, 20, 23, 0)  # noqa: DTZ001 - plant time, as the flows send it


@pytest.fixture
def shop(portal: LivePortal) -> Iterator[LivePortal]:
    """The portal without records, operations, orders and stock."""
    _empty(portal)
    yield portal
    _empty(portal)


def _empty(portal: LivePortal) -> None:
    portal.empty()
    for table in ORDER_TABLES:
        portal.sql("production", f"DELETE FROM {table}")


# --- What the web shop and the flows do -----------------------------------------------------


def order(portal: LivePortal, piece: str, quantity: int) -> None:
    """As the web shop writes it, naming the columns it knows."""
    portal.sql(
        "production",
        "INSERT INTO ordine (id_ordine, data_inizio, totale_pezzi, stato) VALUES (%s, %s, %s, %s)",
        [ORDER, "2024-12-18", quantity, "IN ATTESA"],
    )
    portal.sql(
        "production",
        "INSERT INTO pezzi_ordine (id_ordine, id_pezzo, quantita_totale, quantita_rimanente) "
        "VALUES (%s, %s, %s, %s)",
        [ORDER, piece, quantity, quantity],
    )


def stock(portal: LivePortal, piece: str, pieces: int) -> None:
    portal.sql(
        "production",
        "INSERT INTO magazzino (descrizione, ubicazione, codice_pezzo, quantita_disponibile) "
        "VALUES ('', 'A1', %s, %s)",
        [piece, pieces],
    )


def forgings(count: int, piece: str = FORGED, *, start: datetime = MIDNIGHT) -> list[Any]:
    """Ten-minute cycles at the forge, for the order."""
    return [_record(piece, start, n) | {"tipo_operazione": "forgiatura"} for n in range(count)]


def machinings(count: int) -> list[Any]:
    """Ten-minute cycles at 3 pieces an hour: half a piece each."""
    return [
        _record(MACHINED, MIDNIGHT, n) | {"tipo_operazione": "cnc", "numero_pezzi_ora": 3}
        for n in range(count)
    ]


def _record(piece: str, start: datetime, cycle: int) -> dict[str, Any]:
    begin = start + timedelta(minutes=10 * cycle)
    return {
        "id_ordine": ORDER,
        "codice_pezzo": piece,
        "timestamp_inizio": str(begin),
        "timestamp_fine": str(begin + timedelta(minutes=10)),
        "peso_effettivo": 5.5,
        "temperatura_effettiva": 1000,
    }


def post(portal: LivePortal, records: list[Any]) -> None:
    answer = portal.post("/insert-postgres", records)
    assert (answer.status, answer.json["inseriti"]) == (200, len(records))


def update(portal: LivePortal) -> Answer:
    """Has the worker update the orders; the last answer."""
    return portal.follow(portal.request("POST", "/aggiorna/ordine"))


def produce(portal: LivePortal, records: list[Any]) -> Answer:
    """From the flow's post to the counted order."""
    post(portal, records)
    assert portal.transfer()["caricati"] == len(records)
    return update(portal)


# --- What the databases and the portal say --------------------------------------------------


def asked(portal: LivePortal) -> list[Any]:
    answer = portal.request("GET", "/ordine")
    assert answer.status == 200
    return [
        (line["id_ordine"], line["codice_pezzo"], line["quantita_da_produrre"], line["fittizio"])
        for line in answer.json
    ]


def line(portal: LivePortal) -> tuple[Any, ...]:
    query = "SELECT id_pezzo, quantita_totale, quantita_rimanente FROM pezzi_ordine"
    (row,) = portal.sql("production", f"{query} WHERE id_ordine = %s", [ORDER])
    return row


def state(portal: LivePortal) -> tuple[str, str | None]:
    query = "SELECT stato, data_fine FROM ordine WHERE id_ordine = %s"
    ((found, end),) = portal.sql("production", query, [ORDER])
    return found, None if end is None else str(end)


def in_stock(portal: LivePortal, piece: str = FORGED) -> int:
    query = "SELECT quantita_disponibile FROM magazzino WHERE codice_pezzo = %s"
    return int(portal.value("production", query, [piece]))


def movements(portal: LivePortal) -> list[tuple[Any, ...]]:
    query = "SELECT causa, quantita, id_ordine FROM movimento_magazzino ORDER BY id_movimento"
    return portal.sql("production", query)


def anomalies(portal: LivePortal) -> list[Any]:
    query = "SELECT id_anomalia FROM anomalia_operazione WHERE origine = 'ORDINI'"
    return [row[0] for row in portal.sql("production", query)]


def contents(portal: LivePortal) -> dict[str, Any]:
    tables = ("operazioni", "anomalia_operazione", *LEDGERS, *ORDER_TABLES)
    return {
        table: portal.sql("production", f"SELECT * FROM {table} ORDER BY 1") for table in tables
    }


def assert_all_is_well(portal: LivePortal) -> None:
    result = portal.manage("verifica")
    assert result.returncode == 0, result.stdout


# --- The flows ------------------------------------------------------------------------------


def test_an_order_is_made_and_stock_is_as_before(shop: LivePortal) -> None:
    stock(shop, FORGED, 50)
    order(shop, FORGED, 10)
    assert asked(shop) == [(ORDER, FORGED, 10, False)]

    post(shop, forgings(4))
    assert asked(shop) == [(ORDER, FORGED, 6, False)]
    post(shop, forgings(6, start=MIDNIGHT + timedelta(minutes=40)))
    assert asked(shop) == []
    assert shop.transfer()["caricati"] == 10
    assert asked(shop) == []

    ended = update(shop)

    assert ended.status == 200
    body = ended.json
    run = body.pop("esecuzione")
    assert body == {
        "message": MESSAGE,
        "righe_aggiornate": 1,
        "pezzi_attribuiti": 10,
        "ordini_completati": [ORDER],
        "sovrapproduzione": 0,
    }
    assert (run["tipo"], run["stato"], run["caricati"]) == ("ordini", "OK", 10)
    assert line(shop) == (FORGED, 10, 0)
    assert state(shop) == ("COMPLETATO", "2024-12-21")  # the last cycles ended after midnight
    assert in_stock(shop) == 50
    assert movements(shop) == [("CARICO_PRODUZIONE", 10, ORDER), ("PRELIEVO_ORDINE", -10, ORDER)]

    before = contents(shop)
    for _ in range(2):
        assert shop.transfer()["letti"] == 0
        again = update(shop)
        assert (again.status, again.json["pezzi_attribuiti"]) == (200, 0)
    assert contents(shop) == before

    over = produce(shop, forgings(3, start=MIDNIGHT + timedelta(days=3)))

    assert over.json["sovrapproduzione"] == 3
    assert in_stock(shop) == 53
    assert anomalies(shop) == [109, 109, 109]
    assert state(shop) == ("COMPLETATO", "2024-12-21")
    assert movements(shop)[2:] == [("CARICO_PRODUZIONE", 3, ORDER)]
    assert [fictitious for *_, fictitious in asked(shop)] == [True] * 5
    assert_all_is_well(shop)


def test_an_order_is_cancelled_halfway(shop: LivePortal) -> None:
    stock(shop, FORGED, 50)
    order(shop, FORGED, 10)
    produce(shop, forgings(4))
    assert line(shop) == (FORGED, 10, 6)

    result = shop.manage(
        "shell",
        "-c",
        "from django.utils import timezone\n"
        "from orders.services import cancel_order\n"
        f"cancel_order({ORDER}, reason='disdetto', user='anna', now=timezone.now(), "
        "returns_stock=True)",
    )
    assert result.returncode == 0, result.stderr

    assert (state(shop), line(shop)) == (("ANNULLATO", None), (FORGED, 10, 10))
    assert in_stock(shop) == 54
    assert movements(shop)[-1] == ("RESO_ORDINE", 4, ORDER)

    body = produce(shop, forgings(3, start=MIDNIGHT + timedelta(days=1))).json

    assert (body["pezzi_attribuiti"], body["sovrapproduzione"]) == (0, 3)
    assert (state(shop), line(shop)) == (("ANNULLATO", None), (FORGED, 10, 10))
    assert in_stock(shop) == 57
    assert anomalies(shop) == [109, 109, 109]
    assert_all_is_well(shop)


def test_a_line_finished_by_machining(shop: LivePortal) -> None:
    order(shop, MACHINED, 22)
    assert asked(shop) == [(ORDER, MACHINED, 22, False)]

    body = produce(shop, [*forgings(30, MACHINED), *machinings(43)]).json
    assert (body["pezzi_attribuiti"], line(shop)) == (21, (MACHINED, 22, 1))
    assert asked(shop) == [(ORDER, MACHINED, 1, False)]

    body = produce(shop, machinings(2)).json
    assert (body["pezzi_attribuiti"], body["ordini_completati"]) == (1, [ORDER])
    assert (state(shop)[0], in_stock(shop, MACHINED)) == ("COMPLETATO", 0)

    assert produce(shop, machinings(1)).json["sovrapproduzione"] == 1
    assert in_stock(shop, MACHINED) == 1
    assert_all_is_well(shop)
