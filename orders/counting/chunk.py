"""One chunk of operations, counted in one MySQL transaction: on order lines, or into stock.

The transaction holds ledger, line, stock, anomalies and completion. Rows are locked in one order
(operations, orders, lines, stock; each by key), and figures change by difference in the database.
The ledger's key is the operation, so a chunk that is repeated after a crash finds what was done.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.lease import RowTally
from orders import rules, stock
from orders.counting.completion import complete
from orders.models import Magazzino, MovimentoProduzione, Ordine, PezzoOrdine
from orders.rules import Counted, Production
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione, Operazione, Pezzo
from production.sentences import BLANKS_MISSING, ITALIAN, SURPLUS
from production.vocabulary import EsitoConteggio, OrigineAnomalia, StatoOrdine

logger = logging.getLogger("etl")

ALIAS = "production"
PRODUCTION_COLUMNS = (
    "pk",
    "ordine_id",
    "pezzo_id",
    "tipo_operazione",
    "cnc__numero_pezzi_ora",
    "cnc__pezzi_prodotti",
    "durata",
)


@dataclass
class CountingTally(RowTally):
    """Counters of an orders run, with those that only it has."""

    righe_aggiornate: int = 0
    pezzi_attribuiti: int = 0
    sovrapproduzione: int = 0
    ordini_completati: list[int] = field(default_factory=list)

    def columns(self) -> dict[str, Any]:
        """As columns of the run: the counters of every kind of run, and ours in ``dettagli``."""
        own = ("righe_aggiornate", "pezzi_attribuiti", "sovrapproduzione", "ordini_completati")
        values = asdict(self)
        return values | {"dettagli": {name: values.pop(name) for name in own}}


def uncounted() -> QuerySet[Operazione]:
    return Operazione.objects.filter(da_contare=True)


def as_productions(rows: QuerySet[Operazione]) -> list[Production]:
    """With the piece as the catalogue spells it: to MySQL's foreign key "Z1 " is "Z1"."""
    return [
        operation._replace(codice_pezzo=(operation.codice_pezzo or "").rstrip(" ") or None)
        for operation in map(Production._make, rows.values_list(*PRODUCTION_COLUMNS))
    ]


def count_next(run: EsecuzioneEtl, grezzi: bool, size: int) -> CountingTally:
    """One chunk, or, when none is left, the orders that need no more production."""
    now = timezone.now()
    with transaction.atomic(using=ALIAS):
        operations = take(size)
        if not operations:
            return CountingTally(ordini_completati=complete(Ordine.objects.waiting(), now))
        return count_chunk(operations, run.pk, grezzi, now)


def count_chunk(
    operations: list[Production], run_id: int, grezzi: bool, now: datetime
) -> CountingTally:
    """Counts operations that ``take`` locked, all in the caller's transaction.

    What an earlier try wrote in the ledger is left as it is.
    """
    ids = [operation.id_operazione for operation in operations]
    present = set(MovimentoProduzione.objects.filter(pk__in=ids).values_list("pk", flat=True))
    new = [operation for operation in operations if operation.id_operazione not in present]
    book, lines, scorte = _lock(new, grezzi)

    counted = rules.count(new, book)
    bookings = rules.bookings(counted, grezzi=grezzi)

    _write_ledger(counted, run_id, now)
    _write_sums(lines, scorte, book)
    stock.book(bookings, scorte, now, esecuzione=run_id)
    anomalies = _raise_anomalies(counted, now)
    given = {row.id_ordine for row in counted if row.dati and row.id_ordine is not None}
    completed = complete(Ordine.objects.waiting().filter(pk__in=given), now)
    Operazione.objects.filter(pk__in=ids).update(da_contare=None)
    return CountingTally(
        letti=len(operations),
        caricati=len(new),
        gia_presenti=len(present),
        anomalie=anomalies,
        righe_aggiornate=len({(row.id_ordine, row.codice_pezzo) for row in counted if row.dati}),
        pezzi_attribuiti=sum(row.dati for row in counted),
        sovrapproduzione=sum(row.eccedenza for row in counted if row.id_ordine is not None),
        ordini_completati=completed,
    )


def set_aside_next(run: EsecuzioneEtl, error: Exception) -> CountingTally:
    """Writes the next operation off as not attributable, so that it is never scanned again.

    Raises ``error`` when there is none: it is not an operation that the database refused.
    """
    with transaction.atomic(using=ALIAS):
        operations = take(1)
        if not operations:
            raise error
        pk, order, piece, *_ = operations[0]
        set_aside = Counted(pk, order, piece, EsitoConteggio.NON_ATTRIBUIBILE)
        _write_ledger([set_aside], run.pk, timezone.now())
        Operazione.objects.filter(pk=pk).update(da_contare=None)
    why = type(error).__name__
    logger.error("operation %s set aside: %s", pk, why, extra=run.log_extra())
    return CountingTally(letti=1, in_errore=1)


# --- Take and lock ------------------------------------------------------------------------


def take(size: int) -> list[Production]:
    """The next uncounted operations, locked; those that a rival holds are passed over.

    Locked first and read after: in one statement, a CNC row that someone else holds would be
    passed over alone, and its operation counted without its pieces.
    """
    order = ("ordine_id", "pk")
    waiting = uncounted().order_by(*order).select_for_update(skip_locked=True)
    locked = list(waiting.values_list("pk", flat=True)[:size])
    return as_productions(Operazione.objects.filter(pk__in=locked).order_by(*order))


def _lock(
    operations: list[Production], grezzi: bool
) -> tuple[rules.Book, list[PezzoOrdine], dict[str, Magazzino]]:
    """Everything the operations refer to, locked: orders, then lines, then stock, by key.

    Of stock, only the pieces that are made: the others' rows are not touched, nor created.
    """
    order_ids = {op.id_ordine for op in operations if op.id_ordine is not None}
    pieces = {operation.codice_pezzo for operation in operations if operation.codice_pezzo}
    # The database compares the state, by the collation by which its constraint let it in.
    orders = Ordine.objects.filter(pk__in=order_ids).annotate(aperto=Q(stato=StatoOrdine.IN_ATTESA))
    locked = list(orders.order_by("pk").select_for_update().values_list("pk", "aperto", "fittizio"))
    aperti = {pk for pk, aperto, _ in locked if aperto}
    fittizi = frozenset(pk for pk, _, fittizio in locked if fittizio)
    asked = PezzoOrdine.objects.filter(ordine__in=order_ids, pezzo__in=pieces)
    lines = list(asked.order_by("pk").select_for_update())
    fasi_finali = dict(Pezzo.objects.filter(pk__in=pieces).values_list("pk", "fase_finale"))
    scorte = stock.lock_stock(
        operation.codice_pezzo
        for operation in operations
        if operation.codice_pezzo and not rules.makes_nothing(operation, fasi_finali, fittizi)
    )
    blanks = {piece: scorta.quantita_disponibile for piece, scorta in scorte.items()}
    book = rules.Book(
        linee={
            (line.ordine_id, line.pezzo_id): rules.Line(
                line.quantita_rimanente,
                line.prodotti_us,
                aperta=line.ordine_id in aperti,
            )
            for line in lines
        },
        somme_magazzino={piece: scorta.prodotti_us for piece, scorta in scorte.items()},
        fasi_finali=fasi_finali,
        fittizi=fittizi,
        grezzi=blanks if grezzi else None,
    )
    return book, lines, scorte


# --- Write --------------------------------------------------------------------------------


def _write_ledger(counted: Iterable[Counted], run_id: int, now: datetime) -> None:
    MovimentoProduzione.objects.bulk_create(
        MovimentoProduzione(
            operazione_id=row.id_operazione,
            ordine_id=row.id_ordine,
            pezzo_id=row.codice_pezzo,
            esito=row.esito,
            pezzi_us=row.pezzi_us,
            pezzi=row.pezzi,
            dati=row.dati,
            eccedenza=row.eccedenza,
            esecuzione=run_id,
            creato_il=now,
        )
        for row in counted
    )


def _write_sums(lines: list[PezzoOrdine], scorte: dict[str, Magazzino], book: rules.Book) -> None:
    """Changes each line, and the production of each stock row, by how far the book went from it."""
    after = {line.pk: book.linee[line.ordine_id, line.pezzo_id] for line in lines}
    changed = [line for line in lines if after[line.pk].somma != line.prodotti_us]
    PezzoOrdine.objects.filter(pk__in=[line.pk for line in changed]).note_drawn()
    for line in changed:
        given = line.quantita_rimanente - after[line.pk].rimanente
        made = after[line.pk].somma - line.prodotti_us
        PezzoOrdine.objects.filter(pk=line.pk).update(
            quantita_rimanente=F("quantita_rimanente") - given,
            prodotti_us=F("prodotti_us") + made,
        )
    for piece, scorta in sorted(scorte.items()):
        if made := book.somme_magazzino[piece] - scorta.prodotti_us:
            Magazzino.objects.filter(pk=scorta.pk).update(prodotti_us=F("prodotti_us") + made)


def _raise_anomalies(counted: Iterable[Counted], now: datetime) -> int:
    raised = []
    for row in counted:
        told = {}
        if row.eccedenza and row.id_ordine is not None:
            note = ITALIAN.say(SURPLUS, pieces=row.eccedenza, order=row.id_ordine)
            told[AnomaliaId.SOVRAPPRODUZIONE] = row.eccedenza, note
        if row.mancanti:
            note = ITALIAN.say(BLANKS_MISSING, piece=row.codice_pezzo or "", pieces=row.mancanti)
            told[AnomaliaId.SCORTA_INSUFFICIENTE] = row.mancanti, note
        raised += [
            AnomaliaOperazione(
                anomalia_id=kind,
                operazione_id=row.id_operazione,
                valore_ricevuto=str(value),
                note=note,
                origine=OrigineAnomalia.ORDINI,
                creata_il=now,
            )
            for kind, (value, note) in told.items()
        ]
    AnomaliaOperazione.objects.bulk_create(raised)
    return len(raised)
