"""Counting on the database: what an update changes, once, and what it says of it."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, OperationalError, connections
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.queue import close_dead
from orders.counting.run import CountingOptions, preview
from orders.models import Magazzino, MovimentoMagazzino, MovimentoProduzione, Ordine, PezzoOrdine
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione, Operazione, Pezzo
from production.timestamps import utc_to_plant
from tests.builders import make_ordine
from tests.orders.builders import (
    make_forgiature,
    make_lavorazioni,
    make_operazione,
    make_ordine_con,
    make_riga,
    make_scorta,
    make_update,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"]),
    pytest.mark.usefixtures("workshop"),
]

# A run that is stopped leaves the connection it had: no transaction of the test's own holds then.
committed = pytest.mark.django_db(databases=["default", "production"], transaction=True)

Stato = EsecuzioneEtl.Stato
COUNTERS = ("letti", "caricati", "gia_presenti", "in_errore", "rimanenti")


def remaining(id_ordine=8, codice_pezzo="PZC01"):
    return PezzoOrdine.objects.get(ordine=id_ordine, pezzo=codice_pezzo).quantita_rimanente


def in_stock(codice_pezzo="PZC01"):
    return Magazzino.objects.get(pezzo=codice_pezzo).quantita_disponibile


def order(id_ordine=8):
    found = Ordine.objects.get(pk=id_ordine)
    return found.stato, found.data_fine


def movements(codice_pezzo="PZC01"):
    rows = MovimentoMagazzino.objects.filter(magazzino__pezzo=codice_pezzo).order_by("pk")
    return list(rows.values_list("causa", "quantita", "ordine"))


def outcomes():
    return Counter(MovimentoProduzione.objects.values_list("esito", flat=True))


def anomalies():
    return Counter(AnomaliaOperazione.objects.values_list("anomalia", flat=True))


def counters(run):
    assert run.letti == run.caricati + run.gia_presenti + run.in_errore + run.rimanenti
    return tuple(getattr(run, name) for name in COUNTERS)


# --- An order, stock, and their ledgers -----------------------------------------------------


def test_production_for_an_order_leaves_stock_as_it_was(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    make_forgiature(10)

    run = update()

    assert (run.stato, counters(run)) == (Stato.OK, (10, 10, 0, 0, 0))
    assert remaining() == 0
    assert order() == ("COMPLETATO", date(2024, 12, 20))
    assert in_stock() == 50
    assert movements() == [("CARICO_PRODUZIONE", 10, 8), ("PRELIEVO_ORDINE", -10, 8)]
    assert outcomes() == {"ORDINE": 10}
    assert anomalies() == {}
    assert run.dettagli == {
        "righe_aggiornate": 1,
        "pezzi_attribuiti": 10,
        "sovrapproduzione": 0,
        "ordini_completati": [8],
    }
    assert_well()


def test_the_surplus_goes_to_stock_with_an_anomaly_each(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    operations = make_forgiature(13)

    run = update()

    assert (remaining(), in_stock()) == (0, 53)
    assert movements() == [("CARICO_PRODUZIONE", 13, 8), ("PRELIEVO_ORDINE", -10, 8)]
    assert (run.dettagli["sovrapproduzione"], run.anomalie) == (3, 3)
    raised = AnomaliaOperazione.objects.order_by("operazione")
    assert [row.operazione for row in raised] == operations[10:]
    for row in raised:
        assert (row.anomalia_id, row.origine) == (AnomaliaId.SOVRAPPRODUZIONE, "ORDINI")
        assert row.valore_ricevuto == "1"
        assert "ordine 8" in row.note
        assert row.note.endswith(".")
        assert abs(timezone.now() - row.creata_il).total_seconds() < 60
    assert_well()


def test_more_forgings_for_a_completed_order_go_to_stock(update, assert_well):
    make_riga(8, "PZC01", 1)
    make_forgiature(1)
    update()
    completed = order()
    make_forgiature(3, timestamp_fine=datetime(2024, 12, 25, 9, tzinfo=UTC))

    run = update()

    assert (in_stock(), remaining(), order()) == (3, 0, completed)
    assert outcomes() == {"ORDINE": 1, "MAGAZZINO": 3}
    assert anomalies() == {AnomaliaId.SOVRAPPRODUZIONE: 3}
    assert run.dettagli["ordini_completati"] == []
    assert_well()


@pytest.mark.parametrize("stato", ["COMPLETATO", "ANNULLATO"])
def test_a_closed_order_is_not_touched(update, stato):
    closed = make_ordine_con({"PZC01": 10}, stato=stato, data_fine=date(2020, 1, 1))
    make_forgiature(2, ordine_id=closed.pk)

    run = update()

    assert remaining(closed.pk) == 10
    assert order(closed.pk) == (stato, date(2020, 1, 1))
    assert in_stock() == 2
    assert movements() == [("CARICO_PRODUZIONE", 2, closed.pk)]
    assert (run.dettagli["righe_aggiornate"], run.dettagli["pezzi_attribuiti"]) == (0, 0)


def test_production_without_order_goes_to_stock(update, assert_well):
    make_forgiature(4, ordine_id=None)

    run = update()

    assert in_stock() == 4
    assert movements() == [("CARICO_PRODUZIONE", 4, None)]
    assert anomalies() == {}
    assert run.dettagli["sovrapproduzione"] == 0
    assert_well()


def test_production_of_a_piece_that_the_order_does_not_ask_for_goes_to_stock(update, assert_well):
    make_riga(8, "PZC09", 5)
    make_forgiature(2)

    update()

    assert (in_stock(), remaining(8, "PZC09")) == (2, 5)
    assert anomalies() == {AnomaliaId.SOVRAPPRODUZIONE: 2}
    assert_well()


def test_what_was_made_before_the_order_had_the_line_stays_in_stock(update, assert_well):
    make_lavorazioni(3)
    update()
    make_riga(8, "PZC20", 5)
    assert_well()
    make_lavorazioni(3)

    update()

    assert (remaining(8, "PZC20"), in_stock("PZC20")) == (4, 1)
    assert_well()


@pytest.mark.parametrize(
    ("overrides", "esito"),
    [
        ({"pezzo_id": None}, "NON_ATTRIBUIBILE"),
        ({"tipo_operazione": None}, "NON_ATTRIBUIBILE"),
        ({"tipo_operazione": "cnc"}, "FASE_INTERMEDIA"),
    ],
)
def test_what_makes_no_piece_is_written_down_and_never_scanned_again(update, overrides, esito):
    make_riga()
    make_operazione(**overrides)

    run, again = update(), update()

    assert (counters(run), counters(again)) == ((1, 1, 0, 0, 0), (0, 0, 0, 0, 0))
    assert outcomes() == {esito: 1}
    assert remaining() == 10
    assert not Magazzino.objects.exists()
    assert not AnomaliaOperazione.objects.exists()


def test_the_fictitious_order_touches_nothing(update, order_tables):
    made_up = make_ordine_con({"PZC01": 10, "PZC20": 10}, fittizio=True)
    make_forgiature(3, ordine_id=made_up.pk)
    make_lavorazioni(9, ordine_id=made_up.pk)
    tables = ("ordine", "pezzi_ordine", "magazzino", "movimento_magazzino", "anomalia_operazione")
    before = order_tables()

    run = update()

    after = order_tables()
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    assert outcomes() == {"FITTIZIO": 12}
    assert run.dettagli["pezzi_attribuiti"] == run.dettagli["sovrapproduzione"] == 0


def test_a_line_finished_by_machining_carries_the_fraction(update, assert_well):
    make_riga(8, "PZC20", 40)
    make_lavorazioni(45)
    make_forgiature(5, pezzo_id="PZC20")

    run = update(chunk_size=7)

    assert remaining(8, "PZC20") == 40 - 22
    assert run.dettagli["pezzi_attribuiti"] == 22
    assert outcomes() == {"ORDINE": 45, "FASE_INTERMEDIA": 5}
    make_lavorazioni(1)
    update()
    assert remaining(8, "PZC20") == 40 - 23
    assert_well()


def test_three_cycles_at_two_an_hour_make_exactly_one_piece(update):
    make_riga(8, "PZC20", 10)
    for left in (10, 10, 9):
        make_lavorazioni(1, pezzi_ora=2)
        update()
        assert remaining(8, "PZC20") == left


def test_an_order_that_the_web_shop_served_from_stock_in_part(update, assert_well):
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    make_scorta("PZC01", 2)
    make_forgiature(5)

    update()

    line = PezzoOrdine.objects.get()
    assert (line.quantita_rimanente, line.prelevati, line.resi) == (0, 6, 0)
    assert in_stock() == 3
    assert_well()


def test_two_orders_of_one_piece_are_counted_each_for_itself(update, assert_well):
    make_riga(8, "PZC01", 2)
    make_riga(9, "PZC01", 2)
    make_forgiature(1, ordine_id=9)
    make_forgiature(3, ordine_id=8)

    run = update()

    assert (remaining(8), remaining(9), in_stock()) == (0, 1, 1)
    assert order(9)[0] == "IN ATTESA"
    assert run.dettagli["ordini_completati"] == [8]
    assert_well()


def test_rows_of_other_programs_are_counted_too(update):
    make_riga()
    insert = "INSERT INTO operazioni (id_ordine, codice_pezzo, tipo_operazione) VALUES (%s, %s, %s)"
    with connections["production"].cursor() as cursor:
        cursor.execute(insert, [8, "PZC01", "forgiatura"])

    update()

    assert remaining() == 9


def test_each_row_tells_its_run(update):
    update()  # so that the run's number is not that of every other first row
    make_riga()
    make_forgiature(2)

    run = update()

    for row in (*MovimentoProduzione.objects.all(), *MovimentoMagazzino.objects.all()):
        assert row.esecuzione == run.pk
        assert run.iniziata_il <= row.creato_il <= run.finita_il


def test_a_movement_names_its_operation_when_it_is_one(update):
    make_riga()
    (operation,) = make_forgiature(1)
    update()
    make_forgiature(2)
    update()

    named = MovimentoMagazzino.objects.order_by("pk").values_list("operazione", flat=True)
    assert list(named) == [operation.pk, operation.pk, None, None]


def test_stock_says_when_it_changed(update):
    make_scorta("PZC01", 50)
    make_forgiature(1, ordine_id=None)

    update()

    changed = Magazzino.objects.get().data_ultimo_aggiornamento
    assert abs(timezone.now() - changed).total_seconds() < 60
    with connections["production"].cursor() as cursor:  # as the plant's other programs see it
        cursor.execute("SELECT data_ultimo_aggiornamento FROM magazzino")
        stored = cursor.fetchone()[0]
    stored = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    assert abs((utc_to_plant(changed) - stored.replace(tzinfo=None)).total_seconds()) < 1


# --- Completion -----------------------------------------------------------------------------


def test_an_order_is_completed_only_when_every_line_is(update, assert_well):
    make_riga(8, "PZC01", 1)
    make_riga(8, "PZC20", 1)
    make_forgiature(1)

    assert update().dettagli["ordini_completati"] == []
    assert order() == ("IN ATTESA", None)

    make_lavorazioni(2, timestamp_fine=datetime(2024, 12, 27, 10, tzinfo=UTC))
    assert update().dettagli["ordini_completati"] == [8]
    assert order() == ("COMPLETATO", date(2024, 12, 27))
    assert_well()


def test_the_end_is_the_plant_day_of_the_last_production_given(update):
    """23:30 UTC is the next day at the plant; surplus and fractions do not count."""
    make_riga(8, "PZC01", 2)
    make_riga(8, "PZC20", 1)
    make_lavorazioni(2, timestamp_fine=datetime(2024, 12, 1, 9, tzinfo=UTC))
    make_lavorazioni(1, timestamp_fine=datetime(2025, 2, 1, 9, tzinfo=UTC))
    make_forgiature(1, timestamp_fine=datetime(2025, 1, 3, 23, 30, tzinfo=UTC))
    make_forgiature(1, timestamp_fine=datetime(2025, 1, 2, 12, tzinfo=UTC))
    make_forgiature(1, timestamp_fine=datetime(2025, 3, 1, 9, tzinfo=UTC))

    update()

    assert order() == ("COMPLETATO", date(2025, 1, 4))


def test_the_end_is_never_rewritten(update):
    make_riga(8, "PZC01", 1)
    Ordine.objects.filter(pk=8).update(data_fine=date(2020, 5, 5))
    make_forgiature(1)

    update()

    assert order() == ("COMPLETATO", date(2020, 5, 5))


def test_without_a_known_end_the_day_is_today(update):
    make_riga(8, "PZC01", 1)
    make_forgiature(1, timestamp_fine=None)

    update()

    assert order() == ("COMPLETATO", utc_to_plant(timezone.now()).date())


def test_an_order_served_whole_from_stock_is_completed_too(update, assert_well):
    make_riga(8, "PZC01", 3, quantita_rimanente=0)

    assert update().dettagli["ordini_completati"] == [8]
    assert order() == ("COMPLETATO", utc_to_plant(timezone.now()).date())
    assert_well()


def test_a_line_that_the_web_shop_adds_just_then_keeps_the_order_open(update, assert_well):
    make_riga(8, "PZC01", 3, quantita_rimanente=0)
    added = []

    def add(proceed, sql, params, many, context):
        if "EXISTS" in sql and not added:
            found = proceed(sql, params, many, context)
            added.append(8)
            make_riga(8, "PZC20", 2)
            return found
        return proceed(sql, params, many, context)

    with connections["production"].execute_wrapper(add):
        update()

    assert (added, order()) == ([8], ("IN ATTESA", None))
    assert_well()


@pytest.mark.parametrize("produced", [0, 2])
def test_an_order_without_lines_stays_waiting(update, produced):
    make_forgiature(produced)

    update()

    assert order() == ("IN ATTESA", None)


def test_a_cancelled_order_is_never_completed(update):
    cancelled = make_ordine_con({}, stato="ANNULLATO")
    make_riga(cancelled.pk, "PZC01", 3, quantita_rimanente=0)

    update()

    assert order(cancelled.pk) == ("ANNULLATO", None)


@pytest.mark.servers
def test_a_state_in_another_case_is_what_the_database_says(update):
    """To MySQL's collation 'in attesa' is IN ATTESA, in the constraint as in every query."""
    make_riga(8, "PZC01", 2)
    Ordine.objects.filter(pk=8).update(stato="in attesa")
    make_forgiature(2)

    update()

    assert (remaining(), order()[0]) == (0, "COMPLETATO")


# --- A stock of blanks ----------------------------------------------------------------------


def test_with_blanks_in_stock_each_piece_made_draws_one(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    make_forgiature(10)
    make_forgiature(2, ordine_id=None)

    update(grezzi=True)

    assert (remaining(), in_stock()) == (0, 38)
    assert sorted(movements(), key=str) == [
        ("PRELIEVO_GREZZI", -10, 8),
        ("PRELIEVO_GREZZI", -2, None),
    ]
    assert_well()


def test_blanks_that_are_missing_limit_the_draw_and_are_told(update, assert_well):
    make_riga(8, "PZC20", 10)
    make_scorta("PZC20", 3)
    operations = make_lavorazioni(2, pezzi_ora=12)

    run = update(grezzi=True)

    assert (remaining(8, "PZC20"), in_stock("PZC20")) == (6, 0)
    (told,) = AnomaliaOperazione.objects.all()
    assert told.anomalia_id == AnomaliaId.SCORTA_INSUFFICIENTE
    assert (told.operazione, told.valore_ricevuto) == (operations[1], "1")
    assert (run.anomalie, run.stato) == (1, Stato.OK)
    assert_well()


def test_without_any_blank_nothing_is_booked(update, assert_well):
    make_riga(8, "PZC01", 1)
    make_forgiature(1)

    update(grezzi=True)

    assert (remaining(), in_stock(), movements()) == (0, 0, [])
    assert anomalies() == {AnomaliaId.SCORTA_INSUFFICIENTE: 1}
    assert_well()


# --- The same again -------------------------------------------------------------------------


def make_everything():
    """Every outcome, both steps, a surplus, a fraction, a loose piece."""
    make_riga(8, "PZC01", 3)
    make_riga(8, "PZC20", 5)
    make_riga(9, "PZC01", 1)
    make_scorta("PZC01", 50)
    made_up = make_ordine_con({"PZC01": 10}, fittizio=True)
    cancelled = make_ordine_con({"PZC01": 10}, stato="ANNULLATO")
    make_forgiature(4)
    make_lavorazioni(5)
    make_forgiature(2, ordine_id=None)
    make_forgiature(1, ordine_id=made_up.pk)
    make_forgiature(1, ordine_id=cancelled.pk)
    make_forgiature(1, ordine_id=9)
    make_operazione(pezzo_id=None)
    make_operazione(tipo_operazione="cnc")


@pytest.mark.parametrize("grezzi", [False, True])
def test_a_second_update_changes_nothing(update, order_tables, assert_well, grezzi):
    make_everything()
    update(grezzi=grezzi)
    before = order_tables()

    again = update(grezzi=grezzi)

    assert order_tables() == before
    assert counters(again) == (0, 0, 0, 0, 0)
    assert again.dettagli == {
        "righe_aggiornate": 0,
        "pezzi_attribuiti": 0,
        "sovrapproduzione": 0,
        "ordini_completati": [],
    }
    assert_well()


def figures():
    ledger = MovimentoProduzione.objects.order_by("pk").values_list("pk", "esito", "dati", "pezzi")
    return (
        list(PezzoOrdine.objects.order_by("pk").values_list("pk", "quantita_rimanente")),
        list(Magazzino.objects.order_by("pezzo").values_list("pezzo", "quantita_disponibile")),
        [row[1:] for row in ledger],
        order(8),
        order(9),
    )


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 16, 1000])
def test_chunks_of_any_size_give_the_same_figures(update, assert_well, chunk_size):
    make_everything()

    update(chunk_size=chunk_size)

    lines, stock, ledger, first, second = figures()
    assert [left for _, left in lines] == [0, 3, 0, 10, 10]
    assert stock == [("PZC01", 50 + 1 + 2 + 1), ("PZC20", 0)]
    assert Counter(esito for esito, _, _ in ledger) == {
        "ORDINE": 10,
        "MAGAZZINO": 3,
        "FITTIZIO": 1,
        "NON_ATTRIBUIBILE": 1,
        "FASE_INTERMEDIA": 1,
    }
    assert (first, second) == (("IN ATTESA", None), ("COMPLETATO", date(2024, 12, 20)))
    assert_well()


def test_an_operation_that_is_in_the_ledger_is_not_counted_again(update):
    """Whatever its flag says: the ledger's key is what counts."""
    make_riga()
    make_forgiature(3)
    update()
    Operazione.objects.update(da_contare=True)

    run = update()

    assert counters(run) == (3, 0, 3, 0, 0)
    assert remaining() == 7
    assert not Operazione.objects.filter(da_contare=True).exists()


def test_progress_is_told_and_kept_on_the_run(update):
    make_riga()
    make_forgiature(5)
    seen = []

    update(chunk_size=2, on_progress=lambda tally: seen.append(tally.letti))

    assert seen[:3] == [2, 4, 5]


def test_a_run_that_was_taken_for_dead_stops(update, assert_well):
    make_riga()
    make_forgiature(4)

    def take_over(tally):
        close_dead(EsecuzioneEtl.objects.get(stato=Stato.IN_CORSO), timezone.now())

    run = update(chunk_size=2, on_progress=take_over)

    assert run.stato == Stato.INTERROTTA
    assert remaining() == 8
    assert_well()
    assert counters(update()) == (2, 2, 0, 0, 0)


# --- Bad data -------------------------------------------------------------------------------


class Refusing:
    """The database refuses some operations, as a constraint or a trigger of it would."""

    def __init__(self, refused, error=None):
        self.refused = {operation.pk for operation in refused}
        self.error = error or IntegrityError(4025, "CONSTRAINT `x` failed for `etl`.`x`")

    def __enter__(self):
        self.wrapper = connections["production"].execute_wrapper(self)
        self.wrapper.__enter__()

    def __exit__(self, *failure):
        self.wrapper.__exit__(*failure)

    def __call__(self, proceed, sql, params, many, context):
        if "INSERT INTO" in sql and "movimento_produzione" in sql:
            keys = params[:: len(MovimentoProduzione._meta.concrete_fields)]
            if "NON_ATTRIBUIBILE" not in params and self.refused & set(keys):
                raise self.error
        return proceed(sql, params, many, context)


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 1000])
@pytest.mark.parametrize("positions", [[0], [19], [3, 4], [0, 7, 13, 19], list(range(20))])
def test_an_operation_that_is_refused_is_set_aside_alone(
    update, assert_well, caplog, chunk_size, positions
):
    make_riga(8, "PZC01", 100)
    operations = make_forgiature(20)
    refused = [operations[position] for position in positions]

    with Refusing(refused):
        run = update(chunk_size=chunk_size)

    good = 20 - len(refused)
    assert counters(run) == (20, good, 0, len(refused), 0)
    assert run.stato == Stato.PARZIALE
    assert f"{len(refused)} messe da parte" in run.messaggio
    assert remaining() == 100 - good
    aside = MovimentoProduzione.objects.filter(esito="NON_ATTRIBUIBILE")
    assert [row.operazione for row in aside.order_by("pk")] == refused
    assert counters(update()) == (0, 0, 0, 0, 0)
    assert_well()
    for operation in refused:
        assert f"operation {operation.pk} set aside" in caplog.text


@committed
def test_what_is_refused_though_no_operation_waits_ends_the_run(update):
    """A completion that the database refuses: nothing is left to halve or to set aside."""
    make_riga(8, "PZC01", 1, quantita_rimanente=0)

    def refuse(proceed, sql, params, many, context):
        if sql.startswith("UPDATE") and "COMPLETATO" in params:
            raise IntegrityError(4025, "CONSTRAINT `x` failed for `etl`.`ordine`")
        return proceed(sql, params, many, context)

    with connections["production"].execute_wrapper(refuse):
        run = update()

    assert run.stato == Stato.PARZIALE
    assert counters(run) == (0, 0, 0, 0, 0)
    assert order() == ("IN ATTESA", None)


@pytest.mark.servers
def test_a_code_with_a_trailing_space_is_the_piece_that_mysql_takes_it_for(update, assert_well):
    make_riga(8, "PZC01", 3)
    make_forgiature(1, pezzo_id="PZC01 ")
    make_forgiature(1)

    run = update()

    assert (run.stato, remaining()) == (Stato.OK, 1)
    assert Magazzino.objects.count() == 1
    assert_well()


def test_a_negative_rate_of_another_program_takes_nothing_back(update, assert_well):
    make_riga(8, "PZC20", 10)
    make_lavorazioni(2)
    make_lavorazioni(1, pezzi_ora=-6)

    update()

    assert (remaining(8, "PZC20"), in_stock("PZC20")) == (9, 0)
    assert_well()


def test_a_rate_that_no_column_can_sum_is_written_off(update, assert_well):
    make_riga(8, "PZC20", 10)
    make_lavorazioni(1, pezzi_ora=200_000_000, durata=Decimal(8_640_000))

    assert update().stato == Stato.OK
    assert outcomes() == {"NON_ATTRIBUIBILE": 1}
    assert_well()


# --- Stopped runs ---------------------------------------------------------------------------


def failing(error, times, kind="INSERT INTO"):
    left = times

    def execute(proceed, sql, params, many, context):
        nonlocal left
        if left and sql.startswith(kind) and "movimento_produzione" in sql:
            left -= 1
            raise error
        return proceed(sql, params, many, context)

    return connections["production"].execute_wrapper(execute)


@committed
@pytest.mark.parametrize("code", [1213, 1205, 2006, 2013])
def test_a_passing_failure_repeats_the_chunk(update, no_pauses, assert_well, code):
    make_everything()

    with failing(OperationalError(code, "passing"), times=4):
        run = update()

    assert (run.stato, len(no_pauses)) == (Stato.OK, 4)
    assert run.caricati == 16
    assert_well()


@committed
def test_a_failure_that_does_not_pass_ends_the_run_and_operations_wait(
    update, no_pauses, order_tables
):
    make_everything()
    before = order_tables()

    with failing(OperationalError(2013, "Lost connection"), times=99):
        run = update()

    assert run.stato == Stato.PARZIALE
    assert "MySQL" in run.messaggio
    assert run.messaggio.endswith("Le operazioni non contate restano in attesa.")
    assert order_tables() == before
    assert update().caricati == 16


@committed
def test_a_full_disk_stops_the_run_at_once(update, no_pauses):
    make_everything()

    with failing(OperationalError(1114, "The table is full"), times=1):
        run = update()

    assert (run.stato, no_pauses) == (Stato.PARZIALE, [])
    assert "pieno" in run.messaggio
    assert not MovimentoProduzione.objects.exists()


@committed
def test_what_nobody_foresaw_is_an_error_of_the_run(update, caplog):
    make_everything()

    with failing(ZeroDivisionError("password=segreta"), times=1):
        run = update()

    assert run.stato == Stato.ERRORE
    assert "segreta" not in run.messaggio
    assert "ZeroDivisionError" in caplog.text
    assert not MovimentoProduzione.objects.exists()


# --- What a dry run would do ----------------------------------------------------------------


def test_a_preview_tells_what_an_update_would_do_and_changes_nothing(update, order_tables):
    make_everything()
    before = order_tables()

    tally = preview(CountingOptions(chunk_size=3))

    assert order_tables() == before
    assert tally.ordini_completati == [9]
    run = update()
    for name in ("letti", "caricati", "anomalie"):
        assert getattr(tally, name) == getattr(run, name)
    assert tally.pezzi_attribuiti == run.dettagli["pezzi_attribuiti"] == 6
    assert tally.ordini_completati == run.dettagli["ordini_completati"]


# --- The last step of a piece ---------------------------------------------------------------


def test_the_last_step_is_the_one_at_the_time_of_counting(update):
    make_riga(8, "PZC01", 10)
    make_forgiature(2)
    update()
    Pezzo.objects.filter(pk="PZC01").update(fase_finale="cnc")
    make_forgiature(2)
    make_lavorazioni(2, pezzo_id="PZC01")

    update()

    assert remaining() == 10 - 2 - 1


def test_an_order_of_a_piece_without_stock_row_gets_one(update):
    make_ordine(77)
    make_forgiature(1, ordine_id=77)

    update()

    row = Magazzino.objects.get()
    assert (row.pezzo_id, row.quantita_disponibile, row.quantita_iniziale) == ("PZC01", 1, 0)


def test_a_queued_update_is_of_its_kind():
    assert make_update().tipo == "ordini"
