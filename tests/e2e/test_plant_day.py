"""A whole day of a plant through the API, as a flow drives it, while everything breaks.

What to make → post it → transfer → update the orders, shift after shift. Answers are lost, the
web server and the worker are killed with work in hand and started again. In the end every
operation is there once, and orders, stock and anomalies are exactly what was made.
"""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.flow_engine import ActionFailed, FlowEngine
from tests.lossy_proxy import LossyProxy, lossy_proxy
from tests.portal import LivePortal

FLANGES, HUBS = 5001, 5002  # orders
FORGED, MACHINED = "PZC01", "PZC03"  # of the demo plant, by their last working step
WEIGHT = {FORGED: 5.5, MACHINED: 25.0}
ASKED = {(FLANGES, FORGED): 12, (HUBS, MACHINED): 6}
IN_STOCK = 10
PIECES_A_SHIFT = 5
SURPLUS = 2
MIDNIGHT = datetime(2024, 12, 20, 6, 0)  # noqa: DTZ001 - plant time, as the flows send it
ORDER_TABLES = ("pezzi_ordine", "ordine")
SCALE = 0.01
LOST = 0.25  # of the answers

Record = dict[str, Any]


@dataclass
class Plant:
    """The machines and the flow between them and the portal."""

    portal: LivePortal
    proxy: LossyProxy
    rng: random.Random
    made: list[Record] = field(default_factory=list)
    posts: int = 0
    engines: list[FlowEngine] = field(default_factory=list)

    def flow(self) -> FlowEngine:
        """A run of the flow: an engine of its own."""
        seed = random.Random(self.rng.random())
        engine = FlowEngine(self.proxy.url, self.portal.key, SCALE, retries=10, rng=seed)
        self.engines.append(engine)
        return engine

    def asked(self) -> dict[tuple[int, str], int]:
        """What to make next, of what somebody ordered."""
        lines = self.flow().get("/ordine").json
        return {
            (line["id_ordine"], line["codice_pezzo"]): line["quantita_da_produrre"]
            for line in lines
            if not line["fittizio"]
        }

    def work(self, order: int, piece: str, pieces: int) -> list[Record]:
        """So many pieces made: forged, and machined at half a piece in each cycle."""
        records = [self._cycle(order, piece, "forgiatura") for _ in range(pieces)]
        if piece == MACHINED:
            records += [self._cycle(order, piece, "cnc") for _ in range(2 * pieces)]
        return records

    def _cycle(self, order: int, piece: str, kind: str) -> Record:
        begin = MIDNIGHT + timedelta(minutes=10 * len(self.made))
        measures = {
            "forgiatura": {"peso_effettivo": WEIGHT[piece], "temperatura_effettiva": 1050},
            "cnc": {"numero_pezzi_ora": 3, "tipo_fermo": "nessuno"},
        }
        record = {
            "id_ordine": order,
            "codice_pezzo": piece,
            "timestamp_inizio": str(begin),
            "timestamp_fine": str(begin + timedelta(minutes=10)),
            "tipo_operazione": kind,
            **measures[kind],
        }
        self.made.append(record)
        return record

    def post(self, records: list[Record], path: str = "/insert-postgres") -> None:
        """A few records at a time, one action each, as flows do."""
        engine = self.flow()
        for start in range(0, len(records), 3):
            engine.post(path, records[start : start + 3])
            self.posts += 1

    def run(self, path: str) -> dict[str, Any]:
        """A job to its good end; where its process died, the flow's author has it asked again."""
        for _ in range(3):
            with suppress(ActionFailed):
                answer: dict[str, Any] = self.flow().post(path).json
                return answer
        raise AssertionError(f"{path} failed three times")


# --- What breaks ----------------------------------------------------------------------------


def meanwhile(act: Callable[[], Any], harm: Callable[[], None]) -> Any:
    """The act's result; the harm is done while it runs.

    Services are started by the main thread: they end with the thread that starts them.
    """
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        harm()
        return acting.result()


def kill_web_workers(portal: LivePortal) -> None:
    for child in portal.web.children():
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def restart_web(portal: LivePortal) -> None:
    portal.web.kill9()
    portal.start_web()


@contextmanager
def held_up(portal: LivePortal) -> Iterator[None]:
    """Nothing can be written to the production tables: a run stays in the middle of its work."""
    with closing(portal.connect("production")) as connection:
        with closing(connection.cursor()) as cursor:
            if portal.on_servers:
                cursor.execute("LOCK TABLES operazioni WRITE, movimento_produzione WRITE")
            else:
                cursor.execute("BEGIN IMMEDIATE")
            yield
            if portal.on_servers:
                cursor.execute("UNLOCK TABLES")
        connection.rollback()


def killed_in_the_middle(plant: Plant, path: str, tipo: str) -> None:
    """The job is asked for, its worker dies with the work half done, another takes over."""
    portal = plant.portal
    in_course = "SELECT count(*) FROM esecuzione_etl WHERE tipo = %s AND stato = 'IN_CORSO'"
    with ThreadPoolExecutor(1) as pool:
        with held_up(portal):
            asking = pool.submit(plant.run, path)
            portal.wait_until(lambda: portal.value("default", in_course, [tipo]), "the run")
            portal.worker.kill9()
        portal.start_worker()
        asking.result()
    died = "SELECT count(*) FROM esecuzione_etl WHERE tipo = %s AND stato = 'INTERROTTA'"
    assert portal.value("default", died, [tipo]) == 1


# --- The day --------------------------------------------------------------------------------


@pytest.fixture
def plant(portal: LivePortal) -> Iterator[Plant]:
    seed = random.randrange(1_000_000)
    sys.stdout.write(f"seed {seed}\n")  # shown if it fails
    rng = random.Random(seed)
    lottery = random.Random(rng.random())
    _empty(portal)
    with lossy_proxy(portal.port, lambda _: lottery.random() < LOST) as proxy:
        yield Plant(portal, proxy, rng)
    _empty(portal)


def _empty(portal: LivePortal) -> None:
    portal.empty()
    for table in ORDER_TABLES:
        portal.sql("production", f"DELETE FROM {table}")


def take_orders(portal: LivePortal) -> None:
    """As the web shop writes them; and what stock there is."""
    for (order, piece), pieces in ASKED.items():
        portal.sql(
            "production",
            "INSERT INTO ordine (id_ordine, data_inizio, totale_pezzi, stato) "
            "VALUES (%s, %s, %s, %s)",
            [order, "2024-12-18", pieces, "IN ATTESA"],
        )
        portal.sql(
            "production",
            "INSERT INTO pezzi_ordine (id_ordine, id_pezzo, quantita_totale, quantita_rimanente) "
            "VALUES (%s, %s, %s, %s)",
            [order, piece, pieces, pieces],
        )
    portal.sql(
        "production",
        "INSERT INTO magazzino (descrizione, ubicazione, codice_pezzo, quantita_disponibile) "
        "VALUES ('', 'A1', %s, %s)",
        [FORGED, IN_STOCK],
    )


def test_a_day_of_the_plant(plant: Plant) -> None:
    portal = plant.portal
    take_orders(portal)

    # Morning: the web server dies while records come in.
    to_make = plant.asked()
    assert to_make == ASKED
    records = make(plant, to_make)
    records[0]["peso_effettivo"] = "pesante"
    meanwhile(lambda: plant.post(records), lambda: kill_web_workers(portal))
    left = {key: pieces - PIECES_A_SHIFT for key, pieces in to_make.items()}
    assert plant.asked() == left
    assert plant.run("/process-transfer")["esecuzione"]["rimanenti"] == 0
    assert plant.asked() == left
    plant.run("/aggiorna/ordine")
    assert plant.asked() == left

    # Afternoon: the worker dies in the middle of the transfer, the web server goes altogether.
    records = make(plant, plant.asked())
    records[1]["temperatura_effettiva"] = 1300
    meanwhile(lambda: plant.post(records), lambda: restart_web(portal))
    killed_in_the_middle(plant, "/process-transfer", "transfer")
    plant.run("/aggiorna/ordine")
    assert plant.asked() == {(FLANGES, FORGED): 2}

    # Night: more is made than was asked; the worker dies in the middle of the update.
    records = make(plant, {(FLANGES, FORGED): 2 + SURPLUS})
    plant.post(records, "/run-etl")
    plant.run("/process-transfer")
    killed_in_the_middle(plant, "/aggiorna/ordine", "ordini")
    assert plant.asked() == {}

    assert_the_day_is_exactly_as_it_was(plant)
    before = contents(portal)
    assert plant.run("/process-transfer")["esecuzione"]["letti"] == 0
    assert plant.run("/aggiorna/ordine")["pezzi_attribuiti"] == 0
    assert contents(portal) == before


def make(plant: Plant, to_make: dict[tuple[int, str], int]) -> list[Record]:
    return [
        record
        for (order, piece), pieces in to_make.items()
        for record in plant.work(order, piece, min(pieces, PIECES_A_SHIFT))
    ]


# --- What came of it ------------------------------------------------------------------------


def contents(portal: LivePortal) -> dict[str, Any]:
    tables = ("operazioni", "anomalia_operazione", "movimento_magazzino", "movimento_produzione")
    return {
        table: portal.sql("production", f"SELECT * FROM {table} ORDER BY 1")
        for table in (*tables, *ORDER_TABLES)
    }


def assert_the_day_is_exactly_as_it_was(plant: Plant) -> None:
    portal = plant.portal
    assert_every_record_is_there_once(plant)
    lines = "SELECT id_ordine, id_pezzo, quantita_totale, quantita_rimanente FROM pezzi_ordine"
    assert portal.sql("production", f"{lines} WHERE id_ordine IN (5001, 5002) ORDER BY 1") == [
        (FLANGES, FORGED, 12, 0),
        (HUBS, MACHINED, 6, 0),
    ]
    states = "SELECT stato FROM ordine WHERE id_ordine IN (5001, 5002)"
    assert portal.sql("production", states) == [("COMPLETATO",)] * 2
    stock = "SELECT codice_pezzo, quantita_disponibile FROM magazzino ORDER BY 1"
    assert portal.sql("production", stock) == [(FORGED, IN_STOCK + SURPLUS), (MACHINED, 0)]
    found = portal.sql("production", "SELECT id_anomalia, campo FROM anomalia_operazione")
    assert Counter(kind for kind, _ in found) == {2: 1, 3: 1, 109: SURPLUS}
    verifica = portal.manage("verifica")
    assert verifica.returncode == 0, verifica.stdout
    assert plant.proxy.lost > 0
    polls_and_repetitions = sum(engine.attempts for engine in plant.engines)
    assert polls_and_repetitions > plant.posts + plant.proxy.lost


def assert_every_record_is_there_once(plant: Plant) -> None:
    portal = plant.portal
    assert portal.sql("default", "SELECT stato, count(*) FROM raw_operazione GROUP BY stato") == [
        ("PROCESSED", len(plant.made))
    ]
    lotti = "SELECT count(*) FROM lotto_ricevuto WHERE flusso = 'Produzione'"
    assert portal.value("default", lotti) == plant.posts
    loaded = portal.sql(
        "production",
        "SELECT id_ordine, codice_pezzo, tipo_operazione, timestamp_inizio FROM operazioni",
    )
    assert sorted(
        (order, piece, kind, str(begin)[:16]) for order, piece, kind, begin in loaded
    ) == sorted(
        (
            record["id_ordine"],
            record["codice_pezzo"],
            record["tipo_operazione"],
            record["timestamp_inizio"][:16],
        )
        for record in plant.made
    )
    counted = "SELECT count(*), count(DISTINCT id_operazione) FROM movimento_produzione"
    assert portal.sql("production", counted) == [(len(plant.made), len(plant.made))]
