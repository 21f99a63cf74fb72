"""Confirming, cancelling and reopening orders, and correcting stock: each with its movements."""

from datetime import UTC, date, datetime

import pytest
from django.db import DataError, IntegrityError, connections, transaction

from orders import services
from orders.models import Magazzino, MovimentoMagazzino, Ordine, PezzoOrdine
from production.models import Operazione
from tests.orders.builders import (
    make_forgiature,
    make_lavorazioni,
    make_ordine_con,
    make_riga,
    make_scorta,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"]),
    pytest.mark.usefixtures("workshop"),
]

NOW = datetime(2025, 1, 7, 8, 30, tzinfo=UTC)


def confirm(ordine=8, draws_stock=True):
    services.confirm_order(ordine, user="anna", now=NOW, draws_stock=draws_stock)


def cancel(ordine=8, reason="cliente fallito", returns_stock=True):
    services.cancel_order(ordine, reason=reason, user="anna", now=NOW, returns_stock=returns_stock)


def reopen(ordine=8, reason="cliente risorto"):
    services.reopen_order(ordine, reason=reason, user="anna", now=NOW)


def correct(scorta, counted, reason="inventario"):
    return services.correct_stock(scorta.pk, counted=counted, reason=reason, user="anna", now=NOW)


def line(codice_pezzo="PZC01", ordine=8):
    found = PezzoOrdine.objects.get(ordine=ordine, pezzo=codice_pezzo)
    return found.quantita_totale, found.quantita_rimanente, found.prelevati, found.resi


def state(ordine=8):
    return Ordine.objects.get(pk=ordine).stato


def in_stock(codice_pezzo="PZC01"):
    return Magazzino.objects.get(pezzo=codice_pezzo).quantita_disponibile


def movements():
    rows = MovimentoMagazzino.objects.order_by("pk")
    return list(rows.values_list("magazzino__pezzo", "causa", "quantita", "ordine"))


# --- Confirming -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "remaining", "left"), [(50, 0, 40), (10, 0, 0), (4, 6, 0), (0, 10, 0)]
)
def test_a_confirmed_order_takes_what_stock_has(available, remaining, left, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", available)

    confirm()

    drawn = 10 - remaining
    assert line() == (10, remaining, drawn, 0)
    assert in_stock() == left
    assert movements() == ([("PZC01", "PRELIEVO_ORDINE", -drawn, 8)] if drawn else [])
    order = Ordine.objects.get(pk=8)
    assert (order.confermato_il, order.totale_pezzi, order.stato) == (NOW, 10, "IN ATTESA")
    assert_well()


def test_each_line_takes_its_own_piece(assert_well):
    make_riga(8, "PZC01", 10)
    make_riga(8, "PZC20", 3)
    make_scorta("PZC20", 2)

    confirm()

    assert (line("PZC01")[1], line("PZC20")[1]) == (10, 1)
    assert (in_stock("PZC01"), in_stock("PZC20")) == (0, 0)
    assert Ordine.objects.get(pk=8).totale_pezzi == 13
    assert_well()


def test_the_movement_says_who_and_when():
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 4)

    confirm()

    moved = MovimentoMagazzino.objects.get()
    assert (moved.utente, moved.creato_il, moved.esecuzione) == ("anna", NOW, None)
    assert Magazzino.objects.get().data_ultimo_aggiornamento == NOW


def test_a_stock_of_blanks_gives_no_finished_piece(assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)

    confirm(draws_stock=False)

    assert (line(), in_stock(), movements()) == ((10, 10, 0, 0), 50, [])
    assert_well()


def test_an_order_is_confirmed_once():
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 4)
    confirm()

    with pytest.raises(services.RefusedAct, match="già confermato"):
        confirm()

    assert line() == (10, 6, 4, 0)
    assert len(movements()) == 1


@pytest.mark.parametrize("stato", ["COMPLETATO", "ANNULLATO"])
def test_a_closed_order_is_not_confirmed(stato, assert_well):
    closed = make_ordine_con({}, stato=stato, data_fine=date(2024, 1, 1)).pk
    make_riga(closed, "PZC01", 10, quantita_rimanente=0, prelevati=10)
    make_scorta("PZC01", 50)

    with pytest.raises(services.RefusedAct, match="in attesa"):
        confirm(closed)

    assert (line(ordine=closed), in_stock()) == ((10, 0, 10, 0), 50)
    assert_well()


def test_the_fictitious_order_is_not_confirmed():
    made_up = make_ordine_con({"PZC01": 10}, fittizio=True).pk
    make_scorta("PZC01", 50)

    with pytest.raises(services.RefusedAct):
        confirm(made_up)

    assert in_stock() == 50


def test_what_was_produced_before_the_confirmation_stays_given(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 4)
    make_forgiature(3)
    update()

    confirm()

    assert line() == (10, 3, 4, 0)
    assert_well()


def test_what_another_program_drew_before_stays_drawn(update, assert_well):
    make_riga(8, "PZC01", 10, quantita_rimanente=6)
    make_scorta("PZC01", 2)
    make_forgiature(1)
    update()

    confirm()

    assert line() == (10, 3, 6, 0)
    assert_well()


def test_an_order_that_stock_serves_whole_is_completed_by_the_next_update(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    confirm()

    assert update().dettagli["ordini_completati"] == [8]
    assert_well()


# --- Cancelling and reopening ---------------------------------------------------------------


def test_cancelling_returns_what_was_drawn_and_given(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 4)
    confirm()
    make_forgiature(3)
    update()

    cancel()

    assert state() == "ANNULLATO"
    assert line() == (10, 10, 4, 7)
    assert in_stock() == 7
    assert movements()[-1] == ("PZC01", "RESO_ORDINE", 7, 8)
    returned = MovimentoMagazzino.objects.order_by("pk").last()
    assert (returned.utente, returned.motivo, returned.creato_il) == (
        "anna",
        "cliente fallito",
        NOW,
    )
    assert_well()


def test_cancelling_an_untouched_order_books_nothing(assert_well):
    make_riga(8, "PZC01", 10)

    cancel()

    assert (state(), line(), movements()) == ("ANNULLATO", (10, 10, 0, 0), [])
    assert_well()


def test_cancelling_an_order_of_the_web_shop_returns_what_it_drew(assert_well):
    make_riga(8, "PZC01", 10, quantita_rimanente=4)

    cancel()

    assert (line(), in_stock()) == ((10, 10, 6, 6), 6)
    assert_well()


def test_a_stock_of_blanks_takes_no_piece_back(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    make_forgiature(3)
    update(grezzi=True)

    cancel(returns_stock=False)

    assert (state(), line(), in_stock()) == ("ANNULLATO", (10, 7, 0, 0), 47)
    assert_well()


def test_production_for_a_cancelled_order_goes_to_stock(update, assert_well):
    make_riga(8, "PZC20", 10)
    make_lavorazioni(3)
    update()
    cancel()
    make_lavorazioni(1)

    update()

    assert (line("PZC20"), in_stock("PZC20")) == ((10, 10, 0, 1), 2)
    assert state() == "ANNULLATO"
    assert_well()


@pytest.mark.parametrize("stato", ["COMPLETATO", "ANNULLATO"])
def test_only_a_waiting_order_is_cancelled(stato, order_tables):
    closed = make_ordine_con({"PZC01": 5}, stato=stato).pk
    before = order_tables()

    with pytest.raises(services.RefusedAct, match="in attesa"):
        cancel(closed)

    assert order_tables() == before


def test_the_fictitious_order_is_not_cancelled():
    with pytest.raises(services.RefusedAct):
        cancel(make_ordine_con({"PZC01": 5}, fittizio=True).pk)


def test_cancelling_twice_returns_once():
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    cancel()

    with pytest.raises(services.RefusedAct):
        cancel()

    assert in_stock() == 6


def test_reopening_takes_back_what_was_returned(update, assert_well):
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 4)
    confirm()
    make_forgiature(3)
    update()
    cancel()

    reopen()

    assert (state(), line(), in_stock()) == ("IN ATTESA", (10, 3, 4, 0), 0)
    moved = MovimentoMagazzino.objects.order_by("pk").last()
    assert (moved.quantita, moved.causa, moved.motivo) == (
        -7,
        "PRELIEVO_ORDINE",
        "cliente risorto",
    )
    assert_well()


def test_reopening_takes_back_only_what_is_still_there(update, assert_well):
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    cancel()
    correct(Magazzino.objects.get(), 2)

    reopen()

    assert (line(), in_stock()) == ((10, 8, 6, 4), 0)
    make_forgiature(9)
    update()
    assert (state(), line(), in_stock()) == ("COMPLETATO", (10, 0, 6, 4), 1)
    assert_well()


def test_reopening_takes_back_no_more_than_the_line_needs(update, assert_well):
    """What an earlier reopening did not find in stock is still noted as returned."""
    make_riga(8, "PZC01", 10, quantita_rimanente=5)
    make_riga(8, "PZC20", 3)
    cancel()
    correct(Magazzino.objects.get(pezzo="PZC01"), 0)
    reopen()
    make_forgiature(10)
    update()
    cancel()
    correct(Magazzino.objects.get(pezzo="PZC01"), 50)

    reopen()

    assert (state(), line(), in_stock()) == ("IN ATTESA", (10, 0, 5, 5), 40)
    assert_well()


def test_a_correction_explains_what_another_program_changed_alone(update, assert_well):
    scorta = make_scorta("PZC01", 50)
    correct(scorta, 40)
    Magazzino.objects.filter(pk=scorta.pk).update(quantita_disponibile=35)

    correct(scorta, 36)

    moved = MovimentoMagazzino.objects.order_by("pk").values_list("quantita", flat=True)
    assert ([*moved], in_stock()) == ([-10, -5, 1], 36)
    assert_well()


def test_what_could_not_be_taken_back_stays_returned_through_a_second_cancellation(assert_well):
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    cancel()
    correct(Magazzino.objects.get(), 2)
    reopen()

    cancel()

    assert (line(), in_stock()) == ((10, 10, 6, 6), 2)
    assert_well()


def test_a_reopened_order_goes_on_where_it_was(update, assert_well):
    """Its carried half piece included."""
    make_riga(8, "PZC20", 2)
    make_lavorazioni(1)
    update()
    cancel()
    reopen()
    make_lavorazioni(3)

    assert update().dettagli["ordini_completati"] == [8]
    assert (state(), line("PZC20")) == ("COMPLETATO", (2, 0, 0, 0))
    assert_well()


@pytest.mark.parametrize("stato", ["COMPLETATO", "IN ATTESA"])
def test_only_a_cancelled_order_is_reopened(stato, order_tables):
    other = make_ordine_con({"PZC01": 5}, stato=stato).pk
    before = order_tables()

    with pytest.raises(services.RefusedAct, match="annullato"):
        reopen(other)

    assert order_tables() == before


@pytest.mark.parametrize("act", [confirm, cancel, reopen])
def test_an_order_that_does_not_exist(act):
    with pytest.raises(Ordine.DoesNotExist):
        act(4711)


# --- Correcting stock -----------------------------------------------------------------------


@pytest.mark.parametrize(("counted", "difference"), [(53, 3), (47, -3), (0, -50)])
def test_a_correction_is_a_movement_with_its_reason(counted, difference, assert_well):
    scorta = make_scorta("PZC01", 50)

    assert correct(scorta, counted) == difference

    assert in_stock() == counted
    moved = MovimentoMagazzino.objects.get()
    assert (moved.causa, moved.quantita) == ("RETTIFICA", difference)
    assert (moved.utente, moved.motivo, moved.creato_il) == ("anna", "inventario", NOW)
    assert_well()


def test_a_correction_that_changes_nothing_books_nothing(assert_well):
    assert correct(make_scorta("PZC01", 50), 50) == 0

    assert movements() == []
    assert_well()


@pytest.mark.parametrize(("counted", "reason"), [(-1, "inventario"), (60, ""), (60, "  ")])
def test_a_correction_needs_a_count_and_a_reason(counted, reason):
    scorta = make_scorta("PZC01", 50)

    with pytest.raises(services.RefusedAct):
        correct(scorta, counted, reason)

    assert (in_stock(), movements()) == (50, [])


def test_the_database_itself_refuses_a_stock_below_zero():
    scorta = make_scorta("PZC01", 5)

    with pytest.raises(IntegrityError), transaction.atomic(using="production"):
        Magazzino.objects.filter(pk=scorta.pk).update(quantita_disponibile=-1)


@pytest.mark.parametrize("remaining", [-1, 11])
def test_the_database_itself_refuses_a_remaining_out_of_bounds(remaining):
    row = make_riga(8, "PZC01", 10)
    # Below zero it is MySQL's unsigned column that refuses, before the constraint.
    with (
        pytest.raises((IntegrityError, DataError)),
        transaction.atomic(using="production"),
    ):
        PezzoOrdine.objects.filter(pk=row.pk).update(quantita_rimanente=remaining)


def test_the_database_itself_refuses_a_second_line_and_an_unknown_state():
    make_riga(8, "PZC01", 10)

    with pytest.raises(IntegrityError), transaction.atomic(using="production"):
        make_riga(8, "PZC01", 3)
    with pytest.raises(IntegrityError), transaction.atomic(using="production"):
        Ordine.objects.filter(pk=8).update(stato="FORSE")


# --- All or nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("act", [confirm, cancel])
@pytest.mark.parametrize("table", ["pezzi_ordine", "magazzino", "movimento_magazzino", "ordine"])
def test_an_act_that_fails_changes_nothing(act, table, order_tables):
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    make_scorta("PZC01", 50)
    before = order_tables()

    quoted = connections["production"].ops.quote_name(table)

    def fail(proceed, sql, params, many, context):
        if sql.startswith((f"INSERT INTO {quoted} ", f"UPDATE {quoted} ")):
            raise ZeroDivisionError
        return proceed(sql, params, many, context)

    with connections["production"].execute_wrapper(fail), pytest.raises(ZeroDivisionError):
        act()

    assert order_tables() == before


def test_production_is_untouched_by_the_acts_of_staff():
    make_riga(8, "PZC01", 10)
    make_forgiature(2)

    cancel()
    reopen()

    assert Operazione.objects.filter(da_contare=True).count() == 2
