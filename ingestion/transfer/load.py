"""Writing a batch to MySQL: operations, details and anomalies in one transaction.

Keyed on ``raw_uid``: what is there already is passed over. Ids come from a query by ``raw_uid``
and never from the insert: MySQL returns none for many rows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, transaction

from ingestion.runs.failures import Failure, classify
from ingestion.transfer.build import (
    ANOMALIE_COLUMNS,
    CNC_COLUMNS,
    FORGIATURA_COLUMNS,
    OPERAZIONI_COLUMNS,
    LoadRow,
)
from production.models import Operazione

ALIAS = "production"
LOOKUP_CHUNK = 500  # SQLite takes at most 999 parameters in older builds


class Rejected(NamedTuple):
    uid: UUID
    error: Exception


class Loaded(NamedTuple):
    """What became of a batch: rows new in MySQL, rows that were there, rows refused."""

    new: list[UUID]
    present: list[UUID]
    rejected: list[Rejected]
    anomalies: int

    def __add__(self, other: "Loaded") -> "Loaded":  # type: ignore[override]
        return Loaded(
            self.new + other.new,
            self.present + other.present,
            self.rejected + other.rejected,
            self.anomalies + other.anomalies,
        )


class LoadMismatch(Exception):
    """Rows that were inserted in this very transaction are not found again by their uid."""


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - constants


INSERT_OPERAZIONE = _insert("operazioni", OPERAZIONI_COLUMNS)
INSERT_FORGIATURA = _insert("forgiatura", ("id_operazione", *FORGIATURA_COLUMNS))
INSERT_CNC = _insert("cnc", ("id_operazione", *CNC_COLUMNS))
INSERT_ANOMALIA = _insert("anomalia_operazione", ("id_operazione", *ANOMALIE_COLUMNS, "creata_il"))


def load(rows: list[LoadRow], created_at: datetime) -> Loaded:
    """Loads the rows, committed on return. ``created_at``: naive plant time for ``creata_il``.

    Bad data is halved away down to the row, each half in a transaction of its own, so that
    neighbours load; every other failure is raised with nothing of that transaction kept.
    """
    try:
        with transaction.atomic(using=ALIAS):
            return _load_together(rows, created_at)
    except Exception as error:
        if classify(error) is not Failure.DATA:
            raise
        if len(rows) == 1:
            uid = rows[0].uid
            if ids_by_uid([uid]):  # what refused it is a rival worker's insert of the same row
                return Loaded([], [uid], [], 0)
            return Loaded([], [], [Rejected(uid, error)], 0)
    middle = len(rows) // 2
    return load(rows[:middle], created_at) + load(rows[middle:], created_at)


def _load_together(rows: list[LoadRow], created_at: datetime) -> Loaded:
    present = ids_by_uid([row.uid for row in rows])
    new = [row for row in rows if row.uid not in present]
    anomalies = 0
    if new:
        # MariaDB has a uuid type; MySQL and SQLite keep 32 hex digits.
        native = connections[ALIAS].features.has_native_uuid_field
        _insert_many(
            INSERT_OPERAZIONE,
            ((str(row.uid) if native else row.uid.hex, *row.operazione[1:]) for row in new),
        )
        ids = ids_by_uid([row.uid for row in new])
        if len(ids) != len(new):
            raise LoadMismatch(f"{len(new)} inserted, {len(ids)} found")
        _insert_many(
            INSERT_FORGIATURA,
            ((ids[row.uid], *row.forgiatura) for row in new if row.forgiatura is not None),
        )
        _insert_many(INSERT_CNC, ((ids[row.uid], *row.cnc) for row in new if row.cnc is not None))
        anomalies = _insert_many(
            INSERT_ANOMALIA,
            ((ids[row.uid], *anomalia, created_at) for row in new for anomalia in row.anomalie),
        )
    return Loaded([row.uid for row in new], list(present), [], anomalies)


def ids_by_uid(uids: Sequence[UUID]) -> dict[UUID, int]:
    """``id_operazione`` of each uid that is in ``operazioni``."""
    found: dict[UUID, int] = {}
    for start in range(0, len(uids), LOOKUP_CHUNK):
        chunk = uids[start : start + LOOKUP_CHUNK]
        rows = Operazione.objects.filter(raw_uid__in=chunk)
        found |= {uid: pk for uid, pk in rows.values_list("raw_uid", "pk") if uid}
    return found


def _insert_many(sql: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Inserts all rows with as few statements as the driver can; returns how many."""
    values = list(rows)
    if values:
        with connections[ALIAS].cursor() as cursor:
            cursor.executemany(sql, values)
    return len(values)
