"""Cycles become records: an hour at a time, what each order needs, with its faults and its truth.

The records of a simulation follow from plant, seed, start, hours, orders and scenario alone, and
from the lines of other orders that are told to wait, if there are any.
"""

import random
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from etlportal.simulation import faults, truth, work
from etlportal.simulation.faults import PESO, SCENARI, TEMPERATURA, Episode, FaultSchedule, Record
from etlportal.simulation.plant import SimulatedPlant, take_temperature, weigh
from etlportal.simulation.truth import Fault, Injection
from etlportal.simulation.work import CYCLES_PER_HOUR, WorkItem

STOPPED_SHARE = 0.08
RATES = (1, 3)  # pieces/hour of a machine that runs
SHIFT_CYCLES = 8 * CYCLES_PER_HOUR


@dataclass(frozen=True)
class Settings:
    """What is simulated. ``inizio`` is aware; ``ordini``: how many come in."""

    inizio: datetime
    ore: int
    seme: int
    ordini: int
    scenario: str = "misto"


class Entry(NamedTuple):
    """A record as it is sent, and what was put into it."""

    record: Record
    marks: tuple[Injection, ...]


class Batch(NamedTuple):
    """One body, ready to send, with its truth; ``body`` is empty when there is no record.

    ``invio``: the body's SHA-256 in hex.
    """

    body: bytes
    record: list[Record]
    invio: str
    guasti: list[Fault]


def batch_lines(batch: Batch) -> Iterator[str]:
    """The batch's lines of the truth file."""
    if batch.record:
        yield truth.as_line({"invio": batch.invio, "record": len(batch.record)})
        yield from map(truth.as_line, batch.guasti)


class Simulation:
    """The plant at work: call ``hour(0)`` to ``hour(ore - 1)`` in order, then ``leftovers()``."""

    def __init__(self, plant: SimulatedPlant, settings: Settings) -> None:
        self.plant = plant
        self.settings = settings
        self._begin = settings.inizio.astimezone(UTC)  # adding hours to a local time may be wrong
        orders = self._stream("ordini")
        self.ordini = work.place_orders(
            orders, plant, self._begin, settings.ore, settings.seme, settings.ordini
        )
        self._measures = self._stream("misure")
        self._faults = self._stream("guasti")
        self._workshop = work.Workshop(plant, self._stream("lavoro"))
        self._schedule = FaultSchedule(self._faults, SCENARI[settings.scenario], settings.ore)
        self._held: list[tuple[int, Entry]] = []
        self._readings: dict[Episode, float] = {}
        self._number = 0

    def _stream(self, name: str) -> random.Random:
        """Chance of its own for each part: a fault more changes no measure and no order."""
        return random.Random(f"{self.settings.seme} {name}")  # noqa: S311 - not secret

    def orders_of(self, hour: int) -> list[work.SimulatedOrder]:
        """The orders that come in within this hour."""
        return [order for order in self.ordini if order.ora == hour]

    def hour(self, hour: int, waiting: Iterable[work.WaitingLine] = ()) -> Batch:
        """What is sent when this hour ends; ``waiting``: lines of other orders, oldest first."""
        seed = self.settings.seme
        own = range(work.first_number(seed), work.unknown_number(seed) + 1)
        self._workshop.take_waiting(line for line in waiting if line.id_ordine not in own)
        for order in self.orders_of(hour):
            self._workshop.take_order(order)
        entries = [entry for due, entry in self._held if due == hour]
        self._held = [(due, entry) for due, entry in self._held if due != hour]
        for cycle in range(hour * CYCLES_PER_HOUR, (hour + 1) * CYCLES_PER_HOUR):
            for make in (self._forge, self._machine):
                fault = self._schedule.of_record(self._number)
                self._number += 1
                entries += self._send(make(cycle, fault), fault, hour)
        return self._batch(entries)

    def leftovers(self) -> Batch:
        """What is still held back when the last hour is over."""
        entries = [entry for _, entry in sorted(self._held, key=lambda held: held[0])]
        self._held = []
        return self._batch(entries)

    def _batch(self, entries: list[Entry]) -> Batch:
        records = [entry.record for entry in entries]
        body = truth.body_of(records) if records else b""
        invio = truth.fingerprint(body)
        unknown = work.unknown_number(self.settings.seme)
        lines: list[Fault] = []
        for indice, (record, marks) in enumerate(entries):
            wrong = truth.anomalies_of(record, marks, self.plant, unknown)
            lines += truth.fault_lines(invio, indice, record, marks, wrong)
        return Batch(body, records, invio, lines)

    # --- Records --------------------------------------------------------------------------

    def _forge(self, cycle: int, fault: str | None) -> Entry:
        job = self._workshop.next_to_forge()
        record = self._common(job, cycle, work.FORGIATURA, self.plant.forge)
        record[PESO] = round(weigh(self._measures, job.pezzo), 3)
        record[TEMPERATURA] = round(take_temperature(self._measures, job.pezzo), 1)
        # Of each measure the episode that began last.
        episodes = {episode.campo: episode for episode in self._schedule.of_cycle(cycle)}
        marks = []
        for campo, episode in episodes.items():
            if episode.guasto == faults.SENSORE:  # stuck at what it read first
                reading = self._readings.setdefault(episode, record[campo])
            else:
                reading = record[campo] + episode.shift(cycle, job.pezzo)
            record[campo] = round(reading, 3 if campo == PESO else 1)
            marks.append(Injection(episode.guasto, campo))
        entry = self._spoil(record, marks, fault)
        if _names(job, record):
            job.forgiati += _times(fault)
        return entry

    def _machine(self, cycle: int, fault: str | None) -> Entry:
        job = self._workshop.next_to_machine()
        record = self._common(job, cycle, work.CNC, self.plant.cnc)
        stopped = bool(self.plant.fermi) and self._measures.random() < STOPPED_SHARE
        rate = 0 if stopped else self._measures.randint(*RATES)
        record["numero_pezzi_ora"] = rate
        record["tipo_fermo"] = (
            self._measures.choice(self.plant.fermi) if stopped else self.plant.nessun_fermo
        )
        entry = self._spoil(record, [], fault)
        if _names(job, record) and record["numero_pezzi_ora"] == rate:
            job.sesti += rate * _times(fault)
        return entry

    def _common(self, job: WorkItem, cycle: int, tipo: str, machines: Iterable[str]) -> Record:
        begin = self._begin + cycle * work.CYCLE
        shift = cycle // SHIFT_CYCLES + (tipo == work.CNC)
        return {
            "id_ordine": job.ordine,
            "codice_pezzo": job.pezzo.codice,
            "codice_macchinario": self._measures.choice(list(machines)),
            "codice_operatore": self.plant.operatori[shift % len(self.plant.operatori)],
            "timestamp_inizio": _iso(begin),
            "timestamp_fine": _iso(begin + work.CYCLE),
            "tipo_operazione": tipo,
        }

    # --- Faults ---------------------------------------------------------------------------

    def _spoil(self, record: Record, marks: list[Injection], fault: str | None) -> Entry:
        """The record's own fault, if it has one, done to it."""
        if fault == faults.SENSORE:
            campo = faults.spoil_reading(self._faults, record)
        elif fault == faults.CODICI:
            campo = faults.spoil_code(self._faults, record, self.plant, self.settings.seme)
        else:
            return Entry(record, tuple(marks))
        marks = [mark for mark in marks if mark.campo != campo]
        return Entry(record, (*marks, Injection(fault, campo)))

    def _send(self, entry: Entry, fault: str | None, hour: int) -> list[Entry]:
        """The entries to send now; others are held back."""
        if fault == faults.RITARDI:
            late = entry._replace(marks=(*entry.marks, Injection(fault)))
            self._held.append((hour + self._faults.randint(*faults.LATE_HOURS), late))
            return []
        if fault != faults.DUPLICATI:
            return [entry]
        copy = Entry(deepcopy(entry.record), (*entry.marks, Injection(fault)))
        if self._faults.random() < 0.5:
            return [entry, copy]
        self._held.append((hour + 1, copy))
        return [entry]


def _times(fault: str | None) -> int:
    """How often a record with this fault is sent."""
    return 2 if fault == faults.DUPLICATI else 1


def _names(job: WorkItem, record: Record) -> bool:
    """Whether the portal will count the record for the job."""
    return (job.ordine, job.pezzo.codice) == (record["id_ordine"], record["codice_pezzo"])


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
