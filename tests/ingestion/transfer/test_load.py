"""Writing a batch to the production database: once, whole, and by uid."""

import itertools
import uuid
from datetime import datetime

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction

from ingestion.transfer import load as load_module
from ingestion.transfer.build import OPERAZIONI_COLUMNS, build
from ingestion.transfer.load import LoadMismatch, ids_by_uid, load
from ingestion.transfer.parse import parse
from ingestion.transfer.rules import judge
from production.fields import Limits
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from tests.builders import make_cnc_record, make_master_data, make_raw_record

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("plant"),
]

NOW = datetime(2024, 12, 20, 13, 0)  # noqa: DTZ001 - plant time


def make_row(make=make_raw_record, **overrides):
    """A row as the corridor builds it; without a wrong value it has no anomaly."""
    master = make_master_data()
    raw = make(**({"uid": uuid.uuid4()} | overrides))
    verdict = judge(parse(raw), raw.ricevuto_il, master, Limits())
    return build(raw.uid, verdict, master)


def make_rows(count):
    return [make_row(codice_pezzo="PZC01", peso_effettivo=f"10.{n % 9}") for n in range(count)]


def make_refused(row):
    """The row with a piece that no table has: a foreign key refuses it."""
    return with_value(row, "codice_pezzo", "NESSUNO")


def with_value(row, column, value):
    """The row with another value in a column of ``operazioni``."""
    values = list(row.operazione)
    values[OPERAZIONI_COLUMNS.index(column)] = value
    return row._replace(operazione=tuple(values))


def uids(rows):
    return [row.uid for row in rows]


# --- What is written ------------------------------------------------------------------------


def test_a_forging():
    row = make_row(peso_effettivo="12.5")

    loaded = load([row], NOW)

    assert loaded == ([row.uid], [], [], 1)
    operazione = Operazione.objects.get(raw_uid=row.uid)
    assert (operazione.pezzo_id, operazione.ordine_id) == ("PZC01", 8)
    assert operazione.forgiatura.peso_effettivo == 12.5
    assert operazione.forgiatura.anomalia_id == 102
    assert not Cnc.objects.exists()
    anomalia = operazione.anomalie.get()
    assert (anomalia.anomalia_id, anomalia.campo, anomalia.valore_ricevuto) == (
        102,
        "peso_effettivo",
        "12.5",
    )


def test_a_machining():
    row = make_row(make_cnc_record)

    load([row], NOW)

    cnc = Cnc.objects.get(operazione__raw_uid=row.uid)
    assert (cnc.numero_pezzi_ora, cnc.tipo_fermo_id, cnc.pezzi_prodotti) == (3, "NESSUNO", 1)
    assert not Forgiatura.objects.exists()


def test_an_operation_of_no_type_has_no_detail():
    row = make_row(tipo_operazione="tornitura")

    load([row], NOW)

    assert Operazione.objects.get(raw_uid=row.uid).tipo_operazione is None
    assert not Forgiatura.objects.exists()
    assert not Cnc.objects.exists()


def test_date_times_are_plant_time_in_the_table():
    load([make_row(peso_effettivo="0", timestamp_inizio="2024-12-20T10:00:00.123456Z")], NOW)

    with connections["production"].cursor() as cursor:
        cursor.execute("SELECT timestamp_inizio, creata_il FROM operazioni, anomalia_operazione")
        (began, created) = cursor.fetchone()

    assert str(began) == "2024-12-20 11:00:00.123456"
    assert str(created).startswith("2024-12-20 13:00:00")


def test_text_of_any_script_survives():
    load([make_row(codice_operatore="Żółć 𝄞 \\ ' %s")], NOW)

    assert AnomaliaOperazione.objects.get().valore_ricevuto == "Żółć 𝄞 \\ ' %s"


def test_each_detail_belongs_to_its_own_operation():
    rows = [make_row(peso_effettivo=f"{n}.25") for n in range(1, 40)]
    load(rows, NOW)

    for n, row in enumerate(rows, start=1):
        forgiatura = Forgiatura.objects.get(operazione__raw_uid=row.uid)
        assert forgiatura.peso_effettivo == n + 0.25


def test_no_rows_are_no_work():
    assert load([], NOW) == ([], [], [], 0)


# --- Once -----------------------------------------------------------------------------------


def test_a_second_load_changes_nothing(table_contents):
    rows = [*make_rows(5), make_row(make_cnc_record, tipo_fermo="mistero")]
    load(rows, NOW)
    before = table_contents()

    again = load(rows, NOW)

    assert sorted(again.present) == sorted(uids(rows))
    assert (again.new, again.rejected, again.anomalies) == ([], [], 0)
    assert table_contents() == before


def test_what_is_there_is_passed_over_and_the_rest_is_loaded():
    rows = make_rows(6)
    load(rows[:2], NOW)

    loaded = load(rows, NOW)

    assert sorted(loaded.present) == sorted(uids(rows[:2]))
    assert loaded.new == uids(rows[2:])
    assert Operazione.objects.count() == Forgiatura.objects.count() == 6


def test_rows_written_by_other_programs_are_left_alone():
    Operazione.objects.create()

    load(make_rows(1), NOW)

    assert Operazione.objects.filter(raw_uid=None).count() == 1


def test_more_rows_than_one_lookup_takes():
    rows = make_rows(load_module.LOOKUP_CHUNK * 2 + 1)

    load(rows, NOW)

    assert set(ids_by_uid(uids(rows))) == set(uids(rows))
    assert len(load(rows, NOW).present) == len(rows)


def test_many_rows_take_few_statements(django_assert_max_num_queries):
    rows = make_rows(1000)

    with django_assert_max_num_queries(20, using="production"):
        load(rows, NOW)


# --- All of a batch or nothing --------------------------------------------------------------


@pytest.mark.parametrize("table", ["operazioni", "forgiatura", "cnc", "anomalia_operazione"])
@pytest.mark.parametrize(
    "error", [OperationalError(1213, "Deadlock"), OperationalError(1114, "full"), KeyError("x")]
)
def test_an_error_that_is_not_about_the_data_leaves_nothing(table, error):
    rows = [*make_rows(2), make_row(make_cnc_record, tipo_fermo="mistero")]

    def lose(proceed, sql, params, many, context):
        result = proceed(sql, params, many, context)
        if sql.startswith(f"INSERT INTO {table} "):
            raise error
        return result

    with connections["production"].execute_wrapper(lose), pytest.raises(type(error)):
        load(rows, NOW)

    assert not Operazione.objects.exists()
    assert len(load(rows, NOW).new) == 3


def test_rows_that_are_not_found_again_are_an_error(monkeypatch):
    monkeypatch.setattr(load_module, "ids_by_uid", lambda uids: {})

    with pytest.raises(LoadMismatch):
        load(make_rows(2), NOW)

    monkeypatch.undo()
    assert not Operazione.objects.exists()


# --- Bad rows among good ones ---------------------------------------------------------------


@pytest.mark.parametrize("bad", [{0}, {7}, {15}, {0, 15}, {3, 4, 5}, set(range(16))])
def test_a_refused_row_hurts_no_neighbour(bad):
    rows = [make_refused(row) if n in bad else row for n, row in enumerate(make_rows(16))]

    loaded = load(rows, NOW)

    assert [rejected.uid for rejected in loaded.rejected] == [rows[n].uid for n in sorted(bad)]
    assert all(isinstance(rejected.error, IntegrityError) for rejected in loaded.rejected)
    assert loaded.new == [row.uid for n, row in enumerate(rows) if n not in bad]
    assert set(Operazione.objects.values_list("raw_uid", flat=True)) == set(loaded.new)
    assert Forgiatura.objects.count() == len(loaded.new)


def test_a_refused_detail_takes_its_operation_with_it():
    good, bad = make_row(make_cnc_record), make_row(make_cnc_record)
    bad = bad._replace(cnc=(3, "MAI_VISTO", None))

    loaded = load([good, bad], NOW)

    assert loaded.new == [good.uid]
    assert not Operazione.objects.filter(raw_uid=bad.uid).exists()


def test_a_refused_anomaly_takes_its_operation_with_it():
    good, bad = make_rows(2)
    bad = bad._replace(anomalie=[(123456, "nota", None, None, "VALIDAZIONE")])

    assert load([bad, good], NOW).new == [good.uid]
    assert Operazione.objects.count() == 1


@pytest.mark.servers
@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("codice_pezzo", "X" * 51, 1406),
        ("durata", 10**12, 1264),
        ("timestamp_inizio", "2024-02-31 10:00:00", 1292),
        ("codice_pezzo", "NESSUNO", 1452),
    ],
)
def test_what_mysql_refuses_is_refused_and_never_clamped(column, value, code):
    good, bad = make_rows(2)

    loaded = load([good, with_value(bad, column, value)], NOW)

    assert loaded.new == [good.uid]
    (rejected,) = loaded.rejected
    assert rejected.error.args[0] == code


def test_a_row_that_a_rival_loaded_meanwhile_is_there_and_not_refused(monkeypatch):
    """The rival commits between our look and our insert: the unique key refuses ours."""
    rows = make_rows(3)
    load(rows[:1], NOW)
    honest, looks = load_module.ids_by_uid, itertools.count()
    # Blind before both inserts of the rival's row: with its neighbours, then alone.
    blind = lambda uids: {} if next(looks) < 2 else honest(uids)  # noqa: E731
    monkeypatch.setattr(load_module, "ids_by_uid", blind)

    loaded = load(rows, NOW)

    assert loaded == (uids(rows[1:]), [rows[0].uid], [], 0)
    assert Operazione.objects.count() == 3


def test_loading_uses_a_transaction_of_its_own():
    rows = make_rows(1)

    with transaction.atomic(using="default"):
        load(rows, NOW)
        assert not connections["production"].in_atomic_block
        transaction.set_rollback(True, using="default")

    assert Operazione.objects.count() == 1
