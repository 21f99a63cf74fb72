"""What each operation gives to its order and to stock: tables straight from docs/regole.md,
"Ordini".
"""

from decimal import Decimal

import pytest

from orders.rules import MAX_SUM, PIECE, Book, Line, Production, count, piece_microseconds
from production.vocabulary import EsitoConteggio
from tests.orders.builders import pezzi_prodotti

TEN_MINUTES = Decimal(600)


def forged(n=1, **overrides):
    fields = {
        "id_operazione": n,
        "id_ordine": 8,
        "codice_pezzo": "F",
        "tipo_operazione": "forgiatura",
        "numero_pezzi_ora": None,
        "pezzi_prodotti": None,
        "durata": None,
    }
    return Production(**(fields | overrides))


def machined(n=1, pezzi_ora=3, minuti=10, **overrides):
    fields = {
        "codice_pezzo": "C",
        "tipo_operazione": "cnc",
        "numero_pezzi_ora": pezzi_ora,
        "pezzi_prodotti": pezzi_prodotti(pezzi_ora, minuti),
        "durata": Decimal(60 * minuti),
    }
    return forged(n, **(fields | overrides))


def book(*lines, fittizi=(), stock=None):
    """Pieces F (forged) and C (machined); ``lines`` as (order, piece, remaining[, open])."""
    return Book(
        linee={
            (order, piece): Line(rimanente=remaining, somma=0, aperta=not closed or closed[0])
            for order, piece, remaining, *closed in lines
        },
        somme_magazzino=dict(stock or {}),
        fasi_finali={"F": "forgiatura", "C": "cnc"},
        fittizi=frozenset(fittizi),
    )


def given(counted):
    return sum(row.dati for row in counted)


def surplus(counted):
    return sum(row.eccedenza for row in counted)


# --- Pieces of one operation ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "pieces"),
    [
        (forged(), Decimal(1)),
        (forged(numero_pezzi_ora=9, pezzi_prodotti=Decimal(9), durata=TEN_MINUTES), Decimal(1)),
        (machined(pezzi_ora=30, minuti=30), Decimal(15)),
        (machined(pezzi_ora=3, minuti=10), Decimal("0.5")),
        (machined(pezzi_ora=0, minuti=10), Decimal(0)),
        (machined(pezzi_prodotti=None), Decimal(0)),
        (machined(pezzi_prodotti=None, numero_pezzi_ora=None), Decimal(0)),
        (machined(pezzi_prodotti=Decimal("2.5"), numero_pezzi_ora=None), Decimal("2.5")),
        (machined(pezzi_prodotti=Decimal("2.5"), durata=None), Decimal("2.5")),
        (machined(numero_pezzi_ora=-3), Decimal(0)),
        (machined(numero_pezzi_ora=None, pezzi_prodotti=Decimal("-0.5")), Decimal(0)),
        (machined(durata=Decimal("0.000001")), Decimal(3) / PIECE),
    ],
)
def test_pieces_of_an_operation(operation, pieces):
    assert piece_microseconds(operation) == pieces * PIECE


def test_the_stored_rounding_is_not_summed():
    """0.3333 three times would be 0.9999."""
    third = machined(pezzi_ora=2)
    assert third.pezzi_prodotti == Decimal("0.3333")
    assert 3 * piece_microseconds(third) == PIECE


# --- Where the pieces go --------------------------------------------------------------------

LINES = ((8, "F", 10), (8, "C", 10), (9, "F", 10, False))


@pytest.mark.parametrize(
    ("operation", "esito", "pieces", "given_to_line", "surplus_to_stock"),
    [
        (forged(), EsitoConteggio.ORDINE, 1, 1, 0),
        (machined(pezzi_ora=30, minuti=30), EsitoConteggio.ORDINE, 15, 10, 5),
        (machined(pezzi_ora=20, minuti=30), EsitoConteggio.ORDINE, 10, 10, 0),
        (machined(), EsitoConteggio.ORDINE, 0, 0, 0),
        (machined(pezzi_prodotti=None), EsitoConteggio.ORDINE, 0, 0, 0),
        # closed or cancelled, no order, an order without that line, an unknown order: stock, whole
        (forged(id_ordine=9), EsitoConteggio.MAGAZZINO, 1, 0, 1),
        (forged(id_ordine=None), EsitoConteggio.MAGAZZINO, 1, 0, 1),
        (machined(id_ordine=9, pezzi_ora=6), EsitoConteggio.MAGAZZINO, 1, 0, 1),
        (forged(id_ordine=99), EsitoConteggio.MAGAZZINO, 1, 0, 1),
        # not the last working step of the piece
        (machined(codice_pezzo="F"), EsitoConteggio.FASE_INTERMEDIA, 0, 0, 0),
        (forged(codice_pezzo="C"), EsitoConteggio.FASE_INTERMEDIA, 0, 0, 0),
        (forged(codice_pezzo="C", id_ordine=None), EsitoConteggio.FASE_INTERMEDIA, 0, 0, 0),
        # nothing to attribute it to
        (forged(codice_pezzo=None), EsitoConteggio.NON_ATTRIBUIBILE, 0, 0, 0),
        (forged(tipo_operazione=None), EsitoConteggio.NON_ATTRIBUIBILE, 0, 0, 0),
        (forged(codice_pezzo="?"), EsitoConteggio.NON_ATTRIBUIBILE, 0, 0, 0),
        # the order nobody placed
        (forged(id_ordine=7), EsitoConteggio.FITTIZIO, 0, 0, 0),
        (machined(id_ordine=7, codice_pezzo="F"), EsitoConteggio.FITTIZIO, 0, 0, 0),
    ],
)
def test_where_the_pieces_of_an_operation_go(
    operation, esito, pieces, given_to_line, surplus_to_stock
):
    (row,) = count([operation], book(*LINES, fittizi={7}))

    assert (row.esito, row.pezzi, row.dati, row.eccedenza) == (
        esito,
        pieces,
        given_to_line,
        surplus_to_stock,
    )
    assert (row.id_operazione, row.id_ordine, row.codice_pezzo) == (
        1,
        operation.id_ordine,
        operation.codice_pezzo,
    )


@pytest.mark.parametrize(
    ("remaining", "made", "given_to_line"),
    [(10, 9, 9), (10, 10, 10), (10, 11, 10), (1, 3, 1), (0, 3, 0)],
)
def test_a_line_is_given_no_more_than_remains(remaining, made, given_to_line):
    open_book = book((8, "F", remaining))

    counted = count([forged(n) for n in range(made)], open_book)

    assert given(counted) == given_to_line
    assert surplus(counted) == made - given_to_line
    assert open_book.linee[8, "F"].rimanente == remaining - given_to_line


def test_the_last_working_step_alone_makes_the_piece():
    """Three forgings and three machinings of one machined piece: three pieces, not six."""
    steps = [forged(n, codice_pezzo="C") for n in range(3)]
    steps += [machined(n, pezzi_ora=6) for n in range(3, 6)]

    assert given(count(steps, book((8, "C", 10)))) == 3


# --- Fractions ------------------------------------------------------------------------------


def test_a_fraction_is_carried():
    counted = count([machined(n) for n in range(45)], book((8, "C", 100)))

    assert given(counted) == 22
    assert [row.pezzi for row in counted[:4]] == [0, 1, 0, 1]
    assert sum(row.pezzi_us for row in counted) == 22.5 * PIECE


def test_three_ten_minute_cycles_at_two_an_hour_make_one_piece():
    counted = count([machined(n, pezzi_ora=2) for n in range(3)], book((8, "C", 100)))

    assert [row.pezzi for row in counted] == [0, 0, 1]


def test_a_fraction_of_an_earlier_chunk_is_carried():
    later = book((8, "C", 100))
    later.linee[8, "C"].somma = PIECE // 2

    assert given(count([machined()], later)) == 1


def test_fractions_of_two_lines_are_not_mixed():
    counted = count(
        [machined(1, id_ordine=8), machined(2, id_ordine=9), machined(3, codice_pezzo="F")],
        book((8, "C", 5), (9, "C", 5)),
    )

    assert given(counted) == 0


def test_production_for_no_line_is_summed_with_the_stock_of_its_piece():
    counted = count(
        [machined(1, id_ordine=None), machined(2, id_ordine=99)], book(stock={"C": 2 * PIECE})
    )

    assert surplus(counted) == 1
    assert all(row.sciolta for row in counted)


def test_the_fraction_of_a_closed_line_stays_its_own():
    closed = book((8, "C", 5, False))
    closed.linee[8, "C"].somma = PIECE // 2

    (row,) = count([machined()], closed)

    assert (row.eccedenza, row.sciolta, closed.somme_magazzino) == (1, False, {})
    assert closed.linee[8, "C"].somma == PIECE


def test_a_sum_that_no_column_holds_is_not_attributed():
    full = book((8, "C", 5))
    full.linee[8, "C"].somma = MAX_SUM - 1

    (row,) = count([machined()], full)

    assert (row.esito, row.pezzi_us) == (EsitoConteggio.NON_ATTRIBUIBILE, 0)
    assert full.linee[8, "C"].somma == MAX_SUM - 1


def test_nothing_but_the_line_and_the_stock_named_is_brought_forward():
    before, after = book(*LINES, fittizi={7}), book(*LINES, fittizi={7})

    count([forged(id_ordine=7), forged(codice_pezzo=None), machined(codice_pezzo="F")], after)

    assert after == before
