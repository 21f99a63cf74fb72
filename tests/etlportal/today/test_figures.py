"""The figures of the start page against plain SQL and plain Python over the same rows."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from etlportal.today.window import HOUR, last_hours
from ingestion.models import RawOperazione
from ingestion.watch import figures as staging
from orders import figures as orders
from orders.models import Ordine
from production import figures as production
from production.models import AnomaliaOperazione, Macchinario, Pezzo
from production.vocabulary import OrigineAnomalia, TipoOperazione
from tests import builders
from tests.etlportal.today.rows import NOON, make_anomaly, make_operation
from tests.etlportal.today.test_window import ROME
from tests.orders import builders as order_builders

pytestmark = pytest.mark.django_db(databases=["default", "production"])

OPEN = "stato IN ('aperta', 'presa_in_carico')"
STOPS = ["NESSUNO", "UTENSILE", "PAUSA", "GUASTO_MECCANICO"]


def sql(statement: str, alias: str = "production") -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture
def shift(plant: None) -> random.Random:
    """Two days of operations and anomalies at random: some without end, piece or machine."""
    rng = random.Random(20261123)
    Pezzo.objects.create(codice_pezzo="PZC20", fase_finale=TipoOperazione.CNC)
    Macchinario.objects.create(pk="CNC2")
    for _ in range(150):
        begun = NOON + timedelta(minutes=rng.uniform(-48 * 60, 60))
        cnc = rng.random() < 0.6
        operation = make_operation(
            begun,
            None if rng.random() < 0.1 else rng.choice([10, 7.5, 45, 300]),
            rng.choice(STOPS) if cnc else None,
            pezzi_ora=rng.choice([None, 2, 3, 7]) if cnc else None,
            pezzo_id=rng.choice([None, "PZC01", "PZC20", "PZC09"]),
            macchinario_id=rng.choice([None, "FORGIA1", "CNC1", "CNC2"]),
            ordine_id=rng.choice([None, 8, 9]),
        )
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            make_anomaly(
                operation,
                rng.choice([1, 2, 102, 106]),
                origine=rng.choice([None, *OrigineAnomalia]),
                stato=rng.choice(["aperta", "aperta", *AnomaliaOperazione.Stato]),
                creata_il=rng.choice([None, begun]),
            )
    return rng


# --- Anomalies ------------------------------------------------------------------------------


def test_anomalies_by_kind(shift) -> None:
    wanted = sql(
        "SELECT a.id_anomalia, a.tipo_anomalia, COUNT(*) FROM anomalia_operazione o "
        f"JOIN anomalia a ON a.id_anomalia = o.id_anomalia WHERE o.{OPEN} "
        "GROUP BY a.id_anomalia, a.tipo_anomalia ORDER BY 3 DESC, 1"
    )
    assert len(wanted) == 4
    assert [tuple(row) for row in production.anomalies_by_kind()] == wanted


def test_anomalies_by_piece_since_a_moment(shift) -> None:
    since = NOON - timedelta(hours=24)
    rows = sql(
        "SELECT p.codice_pezzo, o.id_anomalia FROM anomalia_operazione o JOIN operazioni p "
        "ON p.id_operazione = o.id_operazione WHERE o.creata_il >= '2026-11-22 13:00:00' "
        f"AND o.{OPEN}"
    )
    assert None in {piece for piece, _kind in rows}
    found = production.anomalies_by_piece(since)
    assert {(row.pezzo, row.id_anomalia): row.numero for row in found} == Counter(rows)
    assert production.anomalies_since(since) == len(rows)


def test_what_somebody_settled_is_open_no_more(plant) -> None:
    operation = make_operation(NOON)
    rows = [make_anomaly(operation, stato=state) for state in AnomaliaOperazione.Stato]
    assert len(rows) == 4
    assert [row.numero for row in production.anomalies_by_kind()] == [2]


# --- Operations -----------------------------------------------------------------------------


def all_work() -> list[dict[str, Any]]:
    """Each operation as plain SQL has it, with instants by Python's own arithmetic."""
    names = ["id", "machine", "piece", "order", "kind", "begun", "ended", "lasted", "stop", "rate"]
    names += ["class", "final", "anomalies"]
    rows = sql(
        "SELECT o.id_operazione, o.codice_macchinario, o.codice_pezzo, o.id_ordine, "
        "o.tipo_operazione, o.timestamp_inizio, o.timestamp_fine, o.durata, c.tipo_fermo, "
        "c.numero_pezzi_ora, t.classe, p.fase_finale, "
        "(SELECT COUNT(*) FROM anomalia_operazione a WHERE a.id_operazione = o.id_operazione "
        f"AND a.{OPEN} AND (a.origine IS NULL OR a.origine <> 'ORDINI')) "
        "FROM operazioni o LEFT JOIN cnc c ON c.id_operazione = o.id_operazione "
        "LEFT JOIN tipo_fermo t ON t.codice = c.tipo_fermo "
        "LEFT JOIN pezzi p ON p.codice_pezzo = o.codice_pezzo"
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        for name in ("begun", "ended"):
            row[name] = _instant(row[name])
    return found


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    local = datetime.fromisoformat(value) if isinstance(value, str) else value
    return local.replace(tzinfo=ROME).astimezone(UTC)


def test_work_in_a_window(shift) -> None:
    start, end = NOON - timedelta(hours=24), NOON
    wanted = {
        row["id"]: (
            row["machine"],
            row["begun"],
            row["ended"],
            row["stop"] if row["class"] not in (None, "nessuno") else None,
            row["anomalies"] > 0,
        )
        for row in all_work()
        if row["begun"] < end and (row["ended"] or row["begun"]) >= start
    }
    found = {
        work.id_operazione: (work.macchinario, work.inizio, work.fine, work.fermo, work.anomala)
        for work in production.work_between(start, end)
    }
    assert len(wanted) > 50
    assert found == wanted


def test_finished_pieces_of_each_hour(shift) -> None:
    Ordine.objects.filter(pk=9).update(fittizio=True)
    window = last_hours(NOON - timedelta(minutes=1), ROME)
    wanted = [Fraction(0)] * 24
    for row in all_work():
        if row["kind"] != row["final"] or row["order"] == 9 or row["ended"] is None:
            continue
        slot = int((row["ended"] - window.start) // HOUR)
        if not 0 <= slot < 24 or (row["kind"] == "cnc" and row["rate"] is None):
            continue
        lasted = Fraction(str(row["lasted"]))
        wanted[slot] += 1 if row["kind"] == "forgiatura" else row["rate"] * lasted / 3600
    works = production.work_between(window.start, window.end)
    assert any(number.denominator > 1 for number in wanted)
    assert orders.pieces_per_slot(works, window.slots) == wanted


def test_stops_since_a_moment(shift) -> None:
    since = NOON - timedelta(hours=24)
    wanted: dict[str, list[Any]] = {}
    for row in all_work():
        if row["begun"] >= since and row["class"] not in (None, "nessuno"):
            entry = wanted.setdefault(row["stop"], [0, Decimal(0), 0])
            entry[0] += 1
            entry[1] += Decimal(str(row["lasted"] or 0))
            entry[2] += row["lasted"] is None
    found = production.stops_since(since)
    assert {row.codice: [row.numero, row.secondi, row.senza_durata] for row in found} == wanted
    assert set(wanted) == set(STOPS[1:])
    assert [row.secondi for row in found] == sorted((r.secondi for r in found), reverse=True)


@pytest.mark.parametrize(
    ("begun", "minutes"),
    [
        ("2026-10-25T00:50:00Z", 20),  # from the first 2:50 to the second 2:10
        ("2026-10-25T01:50:00Z", 20),  # from the second 2:50 to 3:10
        ("2026-10-24T23:50:00Z", 30),  # from 1:50 to the first 2:20
        ("2026-10-25T00:05:00Z", 120),  # from the first 2:05 to 3:05
        ("2026-03-29T00:50:00Z", 20),  # from 1:50 to 3:10, in the spring gap
    ],
)
def test_an_operation_on_the_day_the_clock_changes(plant, begun: str, minutes: int) -> None:
    start = datetime.fromisoformat(begun)
    make_operation(start, minutes, macchinario_id="FORGIA1", pezzo_id="PZC01")
    (work,) = production.work_between(start - HOUR, start + 3 * HOUR)
    assert (work.inizio, work.fine) == (start, start + timedelta(minutes=minutes))
    window = last_hours(start + 2 * HOUR, ROME)
    made = orders.pieces_per_slot([work], window.slots)
    assert made.index(1) == int((work.fine - window.start) // HOUR)


def test_a_row_of_another_program_without_a_duration(plant) -> None:
    make_operation(NOON - HOUR, 30, macchinario_id="FORGIA1")
    production.Operazione.objects.update(durata=None)
    (work,) = production.work_between(NOON - 2 * HOUR, NOON)
    assert work.fine == NOON - timedelta(minutes=30)


# --- Orders and stock -----------------------------------------------------------------------


def test_orders_late_nearly_done_and_without_lines(catalogue) -> None:
    today = date(2026, 11, 23)
    builders.make_pezzo("PZC01")
    builders.make_pezzo("PZC02", **order_builders.NO_LIMITS)
    rng = random.Random(7)
    for number in range(1, 61):
        begun = rng.choice([None, today - timedelta(days=rng.randint(0, 30))])
        state = rng.choice(["IN ATTESA", "IN ATTESA", "COMPLETATO", "ANNULLATO"])
        builders.make_ordine(number, data_inizio=begun, stato=state, fittizio=rng.random() < 0.1)
        for code in ("PZC01", "PZC02")[: rng.choice([0, 1, 2])]:
            total = rng.choice([1, 9, 10, 11, 100])
            left = rng.choice([0, 1, total // 10, total])
            order_builders.make_riga(number, code, total, quantita_rimanente=left)
    waiting = "FROM ordine o WHERE o.stato = 'IN ATTESA' AND NOT o.fittizio"
    late = f"{waiting} AND o.data_inizio <= '2026-11-09'"
    sums = "(SELECT SUM({}) FROM pezzi_ordine l WHERE l.id_ordine = o.id_ordine)"
    left, total = sums.format("quantita_rimanente"), sums.format("quantita_totale")
    near = f"{waiting} AND {left} > 0 AND {left} * 10 <= {total}"
    none = (
        f"{waiting} AND NOT EXISTS (SELECT 1 FROM pezzi_ordine l WHERE l.id_ordine = o.id_ordine)"
    )
    counts = [sql(f"SELECT COUNT(*) {what}")[0][0] for what in (waiting, late, near, none)]
    assert all(counts)
    found = orders.order_figures(today, 14)
    assert list(found[:4]) == counts
    first = sql(
        f"SELECT o.id_ordine, {total} - {left}, {total} {late} "
        "ORDER BY o.data_inizio, o.id_ordine LIMIT 3"
    )
    assert [tuple(row) for row in found.primi_in_ritardo] == [
        (pk, made or 0, all_of or 0) for pk, made, all_of in first
    ]
    assert {row.id_ordine for row in found.primi_quasi_completi} <= {
        pk for (pk,) in sql(f"SELECT o.id_ordine {near}")
    }


def test_the_limits_of_late_and_nearly_done(catalogue) -> None:
    today = date(2026, 11, 23)
    builders.make_pezzo("PZC01")
    for number, days, left in [(1, 14, 10), (2, 13, 1), (3, 13, 2), (4, 13, 0)]:
        builders.make_ordine(number, data_inizio=today - timedelta(days=days))
        order_builders.make_riga(number, "PZC01", 10, quantita_rimanente=left)
    found = orders.order_figures(today, 14)
    assert [row.id_ordine for row in found.primi_in_ritardo] == [1]
    assert [tuple(row) for row in found.primi_quasi_completi] == [(2, 9, 10)]


def test_stock_below_its_minimum_the_emptiest_first(catalogue) -> None:
    for code, have, least in [
        ("PZC01", 9, 10),
        ("PZC02", 10, 10),
        ("PZC03", 0, 5),
        ("PZC04", 0, None),
        ("PZC05", 1, 4),
    ]:
        builders.make_pezzo(code, **order_builders.NO_LIMITS)
        order_builders.make_scorta(code, have, scorta_minima=least)
    found = orders.below_minimum()
    assert [(row.articolo, row.quantita_disponibile, row.scorta_minima) for row in found] == [
        ("PZC03", 0, 5),
        ("PZC05", 1, 4),
        ("PZC01", 9, 10),
    ]


# --- Staging --------------------------------------------------------------------------------


def test_rejected_rows_and_since_when() -> None:
    assert staging.rejected() == (0, None)
    moments = [NOON - timedelta(days=2), NOON - timedelta(days=1), NOON]
    for stato, moment in zip(["ERROR", "PENDING", "ERROR"], moments, strict=True):
        builders.make_raw_operazione(stato=stato, ricevuto_il=moment)
    ((number,),) = sql("SELECT COUNT(*) FROM raw_operazione WHERE stato = 'ERROR'", "default")
    assert staging.rejected() == (number, moments[0])
    RawOperazione.objects.filter(stato="ERROR").delete()
    assert staging.rejected() == (0, None)


def test_the_last_transfers_in_order_and_no_other_runs() -> None:
    for n in range(5):
        began = NOON + n * HOUR
        builders.make_esecuzione(
            stato="OK", creata_il=began, iniziata_il=began, finita_il=began + HOUR, caricati=n
        )
        builders.make_esecuzione(tipo="ordini", stato="OK", creata_il=began)
    found = staging.last_transfers(3)
    assert [run.inizio for run in found] == [NOON + n * HOUR for n in (2, 3, 4)]
    assert [run.fine for run in found] == [NOON + n * HOUR for n in (3, 4, 5)]
    assert [run.caricati for run in found] == [2, 3, 4]


def test_a_dead_run_worked_until_its_heart_stopped() -> None:
    builders.make_esecuzione(
        stato="INTERROTTA",
        iniziata_il=NOON,
        battito_il=NOON + timedelta(minutes=2),
        finita_il=NOON + 9 * HOUR,
    )
    queued = builders.make_esecuzione()
    dead, waiting = staging.last_transfers(2)
    assert dead.fine == NOON + timedelta(minutes=2)
    assert waiting.inizio == waiting.fine == queued.creata_il
    assert timezone.is_aware(waiting.inizio)


def test_a_piece_whose_start_is_unknown_counts_where_it_ended(plant) -> None:
    make_operation(NOON - HOUR, 30, macchinario_id="FORGIA1", pezzo_id="PZC01")
    production.Operazione.objects.update(timestamp_inizio=None, durata=None)
    window = last_hours(NOON - timedelta(minutes=1), ROME)
    (work,) = production.work_between(window.start, window.end)
    assert work.inizio == work.fine == NOON - timedelta(minutes=30)
    assert sum(orders.pieces_per_slot([work], window.slots)) == 1
