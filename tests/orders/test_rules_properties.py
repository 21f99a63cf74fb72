"""What holds for every sequence of operations on every book of orders (hypothesis)."""

import copy
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.rules import Book, Line, Production, bookings, count
from production.vocabulary import CausaMovimento

unhurried = settings(deadline=None)  # a busy machine is no failure
ORDERS = (1, 2, 3)
PIECES = ("F", "G", "C")
FINAL_STEP = {"F": "forgiatura", "G": "forgiatura", "C": "cnc"}
FICTITIOUS = 3

lines = st.builds(
    Line,
    rimanente=st.integers(0, 20),
    somma=st.integers(0, 10**10),
    aperta=st.booleans(),
)
books = st.builds(
    Book,
    linee=st.dictionaries(st.tuples(st.sampled_from(ORDERS), st.sampled_from(PIECES)), lines),
    somme_magazzino=st.dictionaries(st.sampled_from(PIECES), st.integers(0, 10**10)),
    fasi_finali=st.just(FINAL_STEP),
    fittizi=st.just(frozenset({FICTITIOUS})),
)
blanks = st.fixed_dictionaries({piece: st.integers(0, 3) for piece in PIECES})


@st.composite
def productions(draw):
    rate = draw(st.none() | st.integers(0, 200))
    seconds = draw(st.none() | st.decimals(0, 86_400, places=6))
    made = None
    if rate is not None and seconds is not None:
        made = (rate * seconds / 3600).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return Production(
        0,
        draw(st.none() | st.sampled_from((*ORDERS, 99))),
        draw(st.none() | st.sampled_from((*PIECES, "?"))),
        draw(st.none() | st.sampled_from(("forgiatura", "cnc"))),
        rate,
        made,
        seconds,
    )


def made_exactly(operation):
    """Pieces, as docs/regole.md, "Ordini" defines them; independent of how the code sums them."""
    if operation.codice_pezzo not in FINAL_STEP or operation.id_ordine == FICTITIOUS:
        return Fraction(0)
    if operation.tipo_operazione != FINAL_STEP[operation.codice_pezzo]:
        return Fraction(0)
    if operation.tipo_operazione == "forgiatura":
        return Fraction(1)
    if operation.pezzi_prodotti is None:
        return Fraction(0)
    return operation.numero_pezzi_ora * Fraction(operation.durata) / 3600


sequences = st.lists(productions(), max_size=40)


@unhurried
@given(sequences, books)
def test_each_operation_gets_one_row_that_balances(operations, book):
    counted = count(operations, book)

    assert len(counted) == len(operations)
    for operation, row in zip(operations, counted, strict=True):
        assert row.pezzi == row.dati + row.eccedenza
        assert min(row.pezzi_us, row.pezzi, row.dati, row.eccedenza) >= 0
        assert row.pezzi_us == made_exactly(operation) * 3_600_000_000


@unhurried
@given(sequences, books)
def test_whole_pieces_are_the_floor_of_the_exact_sum(operations, book):
    before = copy.deepcopy(book)
    sums = defaultdict(Fraction)
    for operation in operations:
        key = (operation.id_ordine, operation.codice_pezzo)
        sums[key if key in book.linee else (None, operation.codice_pezzo)] += made_exactly(
            operation
        )

    counted = count(operations, book)

    pieces = defaultdict(int)
    for row in counted:
        pieces[(None if row.sciolta else row.id_ordine), row.codice_pezzo] += row.pezzi
    for (order, piece), made in sums.items():
        line = before.linee.get((order, piece))
        carried = line.somma if line else before.somme_magazzino.get(piece, 0)
        earlier = Fraction(carried, 3_600_000_000)
        assert pieces[order, piece] == floor(earlier + made) - floor(earlier)


@unhurried
@given(sequences, books)
def test_a_line_gets_what_was_made_up_to_what_remains(operations, book):
    before = copy.deepcopy(book)

    counted = count(operations, book)

    for key, line in book.linee.items():
        rows = [row for row in counted if (row.id_ordine, row.codice_pezzo) == key]
        made, got = sum(row.pezzi for row in rows), sum(row.dati for row in rows)
        assert got == (min(made, before.linee[key].rimanente) if line.aperta else 0)
        assert line.rimanente == before.linee[key].rimanente - got >= 0


@unhurried
@given(sequences, books, st.integers(1, 7))
def test_chunks_count_what_one_go_counts(operations, book, size):
    in_chunks = copy.deepcopy(book)

    counted = count(operations, book)
    pieces = [
        row
        for start in range(0, len(operations), size)
        for row in count(operations[start : start + size], in_chunks)
    ]

    assert pieces == counted
    assert in_chunks == book


# --- What stock books -----------------------------------------------------------------------


def booked(movements, key):
    sums = defaultdict(int)
    for movement in movements:
        sums[key(movement)] += movement.quantita
    return sums


@unhurried
@given(sequences, books)
def test_finished_pieces_come_in_and_go_out_to_their_order(operations, book):
    counted = count(operations, book)

    movements = bookings(counted, grezzi=False)

    keys = [(movement.id_ordine, movement.codice_pezzo, movement.causa) for movement in movements]
    assert len(set(keys)) == len(keys)
    assert all(movement.quantita for movement in movements)
    figures = booked(movements, lambda row: (row.id_ordine, row.codice_pezzo))
    causes = booked(movements, lambda row: row.causa)
    for row in counted:
        figures[row.id_ordine, row.codice_pezzo] -= row.eccedenza
        assert row.mancanti == 0
    assert not any(figures.values())
    assert causes[CausaMovimento.CARICO_PRODUZIONE] == sum(row.pezzi for row in counted)
    assert causes[CausaMovimento.PRELIEVO_ORDINE] == -sum(row.dati for row in counted)
    assert causes[CausaMovimento.PRELIEVO_GREZZI] == 0


@unhurried
@given(sequences, books, blanks)
def test_each_piece_made_draws_a_blank_while_there_is_one(operations, book, there):
    book.grezzi = dict(there)

    counted = count(operations, book)

    movements = bookings(counted, grezzi=True)
    drawn = booked(movements, lambda row: row.codice_pezzo)
    for piece, blanks_before in there.items():
        rows = [row for row in counted if row.codice_pezzo == piece]
        made, missing = sum(row.pezzi for row in rows), sum(row.mancanti for row in rows)
        assert missing == max(0, made - blanks_before)
        assert drawn[piece] == missing - made
        assert book.grezzi[piece] == blanks_before + drawn[piece]
    assert {movement.causa for movement in movements} <= {CausaMovimento.PRELIEVO_GREZZI}


@unhurried
@given(sequences, books, blanks)
def test_what_a_stock_holds_does_not_change_what_orders_get(operations, book, there):
    of_blanks = copy.deepcopy(book)
    of_blanks.grezzi = there

    counted = count(operations, book)

    assert [row._replace(mancanti=0) for row in count(operations, of_blanks)] == counted


@unhurried
@given(st.lists(productions().map(lambda one: one._replace(tipo_operazione="forgiatura"))), books)
def test_a_movement_names_its_operation_if_it_is_one(operations, book):
    numbered = [operation._replace(id_operazione=n) for n, operation in enumerate(operations)]
    counted = count(numbered, book)

    for movement in bookings(counted, grezzi=False):
        key = movement.id_ordine, movement.codice_pezzo
        of_it = [
            row.id_operazione
            for row in counted
            if (row.id_ordine, row.codice_pezzo) == key and row.pezzi
        ]
        assert movement.id_operazione == (of_it[0] if len(of_it) == 1 else None)
