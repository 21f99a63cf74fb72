"""Counting production, without a database: what operations give to orders, and what stock books.

Source: docs/regole.md, "Ordini" and "Magazzino". Pieces are summed exactly, as piece-microseconds:
a machine at r pieces/hour that ran for d microseconds made r × d of them, a forging is one whole
piece. Whole pieces are the floor of the sum; the fraction stays in the sum and is carried.
(Summing ``cnc.pezzi_prodotti`` instead would lose pieces: at 2/h a ten-minute cycle is stored as
0.3333, and three of them are 0.9999.)
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from production.vocabulary import CausaMovimento, EsitoConteggio, TipoOperazione

PIECE = 3_600 * 1_000_000  # piece-microseconds in one piece
MAX_SUM = 2**63 - 1  # a BIGINT column


class Production(NamedTuple):
    """A loaded operation as counting sees it; ``durata`` in seconds, None where unknown."""

    id_operazione: int
    id_ordine: int | None
    codice_pezzo: str | None
    tipo_operazione: str | None
    numero_pezzi_ora: int | None
    pezzi_prodotti: Decimal | None
    durata: Decimal | None


class Counted(NamedTuple):
    """One row of ``movimento_produzione``. ``pezzi`` whole pieces = ``dati`` + ``eccedenza``.

    ``sciolta``: made for no order line, so summed with the stock of the piece. ``mancanti``: blanks
    that the stock did not have, of the ``pezzi`` that were to be drawn.
    """

    id_operazione: int
    id_ordine: int | None
    codice_pezzo: str | None
    esito: EsitoConteggio
    pezzi_us: int = 0
    pezzi: int = 0
    dati: int = 0
    eccedenza: int = 0
    sciolta: bool = False
    mancanti: int = 0


@dataclass
class Line:
    """An order line while a chunk is counted.

    ``somma``: piece-microseconds counted so far. ``aperta``: its order still takes pieces.
    """

    rimanente: int
    somma: int
    aperta: bool


@dataclass
class Book:
    """What a chunk's operations refer to, locked: read before, brought forward by ``count``.

    ``linee`` by (order, piece); ``somme_magazzino`` piece-microseconds of each piece that was
    made for no order line; ``fasi_finali`` last working step of each piece; ``grezzi`` blanks in
    stock of each piece, None where the stock holds finished pieces.
    """

    linee: dict[tuple[int, str], Line]
    somme_magazzino: dict[str, int]
    fasi_finali: dict[str, str]
    fittizi: frozenset[int] = frozenset()
    grezzi: dict[str, int] | None = None


class Booking(NamedTuple):
    """A movement of stock: pieces in (+) or out (−). The operation, only if it was a single one."""

    codice_pezzo: str
    causa: CausaMovimento
    quantita: int
    id_ordine: int | None
    id_operazione: int | None = None


def piece_microseconds(operation: Production) -> int:
    """What the operation made: one piece for a forging, rate × duration for CNC, else 0.

    Never less: a negative figure of another program must not take pieces back.
    """
    if operation.tipo_operazione == TipoOperazione.FORGIATURA:
        return PIECE
    if operation.pezzi_prodotti is None:
        return 0
    if operation.numero_pezzi_ora is None or operation.durata is None:
        return max(0, int(operation.pezzi_prodotti * PIECE))
    return max(0, int(operation.numero_pezzi_ora * operation.durata.scaleb(6)))


def makes_nothing(
    operation: Production, fasi_finali: Mapping[str, str], fittizi: Container[int | None]
) -> EsitoConteggio | None:
    """The outcome of an operation that makes no piece; None for one that makes some."""
    fase_finale = fasi_finali.get(operation.codice_pezzo or "")
    if fase_finale is None or operation.tipo_operazione is None:
        return EsitoConteggio.NON_ATTRIBUIBILE
    if operation.id_ordine in fittizi:
        return EsitoConteggio.FITTIZIO
    if operation.tipo_operazione != fase_finale:
        return EsitoConteggio.FASE_INTERMEDIA
    return None


def count(operations: Iterable[Production], book: Book) -> list[Counted]:
    """What each operation gives, in the order given; ``book`` is brought forward."""
    return [_count_one(operation, book) for operation in operations]


def _count_one(operation: Production, book: Book) -> Counted:
    order, piece = operation.id_ordine, operation.codice_pezzo
    row = Counted(operation.id_operazione, order, piece, EsitoConteggio.NON_ATTRIBUIBILE)
    esito = makes_nothing(operation, book.fasi_finali, book.fittizi)
    if esito or piece is None:
        return row._replace(esito=esito or row.esito)
    made = piece_microseconds(operation)
    line = book.linee.get((order, piece)) if order is not None else None
    before = line.somma if line else book.somme_magazzino.get(piece, 0)
    if before + made > MAX_SUM:
        return row
    pieces = (before + made) // PIECE - before // PIECE
    given = missing = 0
    if line is None:
        book.somme_magazzino[piece] = before + made
    else:
        given = min(pieces, line.rimanente) if line.aperta else 0
        line.somma += made
        line.rimanente -= given
    if book.grezzi is not None:
        missing = max(0, pieces - book.grezzi[piece])
        book.grezzi[piece] -= pieces - missing
    return row._replace(
        esito=EsitoConteggio.ORDINE if line and line.aperta else EsitoConteggio.MAGAZZINO,
        pezzi_us=made,
        pezzi=pieces,
        dati=given,
        eccedenza=pieces - given,
        sciolta=line is None,
        mancanti=missing,
    )


def bookings(counted: Iterable[Counted], *, grezzi: bool) -> list[Booking]:
    """The movements of what was counted: one for each order, piece and cause; none of 0 pieces.

    Finished pieces come in, and what the order was given goes out again; a stock of blanks gives
    one for each piece made, as far as it has them.
    """
    made: dict[tuple[int | None, str], list[Counted]] = defaultdict(list)
    for row in counted:
        if row.codice_pezzo is not None and row.pezzi:
            made[row.id_ordine, row.codice_pezzo].append(row)
    booked = []
    for (order, piece), rows in made.items():
        pieces = sum(row.pezzi for row in rows)
        if grezzi:
            drawn = pieces - sum(row.mancanti for row in rows)
            moved = {CausaMovimento.PRELIEVO_GREZZI: -drawn}
        else:
            given = sum(row.dati for row in rows)
            moved = {
                CausaMovimento.CARICO_PRODUZIONE: pieces,
                CausaMovimento.PRELIEVO_ORDINE: -given,
            }
        operation = rows[0].id_operazione if len(rows) == 1 else None
        booked += [
            Booking(piece, cause, quantity, order, operation)
            for cause, quantity in moved.items()
            if quantity
        ]
    return booked
