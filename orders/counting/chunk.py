"""One chunk of operations, counted in one MySQL transaction: on order lines, or into stock.

The transaction holds ledger, line, stock, anomalies and completion. Rows are locked in one order
(operations, orders, lines, stock; each by key), and figures change by difference in the database.
The ledger's key is the operation, so a chunk that is repeated after a crash finds what was done.
"""

import logging
from collections import defaultdict
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
from orders.models import (
    Magazzino,
    MovimentoMagazzino,
    MovimentoProduzione,
    Ordine,
    PezzoOrdine,
)
from orders.rules import Counted, Production
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione, Operazione, Pezzo
from production.vocabulary import OrigineAnomalia

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
Causa = MovimentoMagazzino.Causa


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


def set_aside_next(run: EsecuzioneEtl, error: Exception) -> CountingTally:
    """Writes the next operation off as not attributable, so that it is never scanned again.

    Raises ``error`` when there is none: it is not an operation that the database refused.
    """
    now = timezone.now()
    with transaction.atomic(using=ALIAS):
        rows = take(1)
        if not rows:
            raise error
        row = rows[0]
        set_aside = Counted(
            row.id_operazione, row.id_ordine, row.codice_pezzo, rules.Esito.NON_ATTRIBUIBILE
        )
        _write_ledger([set_aside], run.pk, now)
        Operazione.objects.filter(pk=row.id_operazione).update(da_contare=None)
    logger.error(
        "operation %s set aside: %s",
        row.id_operazione,
        type(error).__name__,
        extra=run.log_extra(),
    )
    return CountingTally(letti=1, in_errore=1)


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
    ids = [operation.id_operazione for operation in operations]
    present = set(MovimentoProduzione.objects.filter(pk__in=ids).values_list("pk", flat=True))
    new = [operation for operation in operations if operation.id_operazione not in present]
    book, scorte = _lock_book(new)
    counted = rules.count(new, book)
    _write_ledger(counted, run_id, now)
    lines_changed = _apply_to_lines(counted, book)
    missing = _move_stock(counted, scorte, run_id, grezzi, now)
    anomalies = _raise_anomalies(counted, missing, now)
    touched = {row.id_ordine for row in counted if row.dati and row.id_ordine is not None}
    completed = complete(Ordine.objects.waiting().filter(pk__in=touched), now)
    Operazione.objects.filter(pk__in=ids).update(da_contare=None)
    return CountingTally(
        letti=len(operations),
        caricati=len(new),
        gia_presenti=len(present),
        anomalie=anomalies,
        righe_aggiornate=lines_changed,
        pezzi_attribuiti=sum(row.dati for row in counted),
        sovrapproduzione=sum(row.eccedenza for row in counted if row.id_ordine is not None),
        ordini_completati=completed,
    )


def take(size: int) -> list[Production]:
    """The next uncounted operations, locked; those that a rival holds are passed over.

    Locked first and read after: in one statement, a CNC row that someone else holds would be
    passed over alone, and its operation counted without its pieces.
    """
    order = ("ordine_id", "pk")
    waiting = uncounted().order_by(*order).select_for_update(skip_locked=True)
    locked = list(waiting.values_list("pk", flat=True)[:size])
    rows = Operazione.objects.filter(pk__in=locked).order_by(*order)
    return [_trimmed(Production._make(row)) for row in rows.values_list(*PRODUCTION_COLUMNS)]


def _trimmed(operation: Production) -> Production:
    """With its piece as the catalogue spells it: to MySQL's foreign key "Z1 " is "Z1"."""
    return operation._replace(codice_pezzo=(operation.codice_pezzo or "").rstrip(" ") or None)


def _lock_book(operations: Iterable[Production]) -> tuple[rules.Book, dict[str, Magazzino]]:
    """Everything the operations refer to, locked: orders, then lines, then stock, by key.

    Of stock, only the pieces that are made: the others' rows are not touched, nor created.
    """
    order_ids = {op.id_ordine for op in operations if op.id_ordine is not None}
    pieces = {operation.codice_pezzo for operation in operations if operation.codice_pezzo}
    # The database compares the state, by the collation by which its constraint let it in.
    orders = {
        pk: (aperto, fittizio)
        for pk, aperto, fittizio in Ordine.objects.filter(pk__in=order_ids)
        .annotate(aperto=Q(stato=Ordine.Stato.IN_ATTESA))
        .order_by("pk")
        .select_for_update()
        .values_list("pk", "aperto", "fittizio")
    }
    lines = PezzoOrdine.objects.filter(ordine__in=order_ids, pezzo__in=pieces)
    locked_lines = list(lines.order_by("pk").select_for_update())
    fasi_finali = dict(Pezzo.objects.filter(pk__in=pieces).values_list("pk", "fase_finale"))
    fittizi = frozenset(pk for pk, (_, fittizio) in orders.items() if fittizio)
    scorte = stock.lock_stock(
        operation.codice_pezzo
        for operation in operations
        if operation.codice_pezzo and not rules.makes_nothing(operation, fasi_finali, fittizi)
    )
    book = rules.Book(
        linee={
            (line.ordine_id, line.pezzo_id): rules.Line(
                id=line.pk,
                rimanente=line.quantita_rimanente,
                somma=line.prodotti_us,
                aperta=orders[line.ordine_id][0],
            )
            for line in locked_lines
        },
        somme_magazzino={code: scorta.prodotti_us for code, scorta in scorte.items()},
        fasi_finali=fasi_finali,
        fittizi=fittizi,
    )
    return book, scorte


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


def _apply_to_lines(counted: Iterable[Counted], book: rules.Book) -> int:
    """Adds what was counted to each line, by difference; returns how many were given pieces."""
    made: dict[int, int] = defaultdict(int)
    given: dict[int, int] = defaultdict(int)
    for row in counted:
        line = book.linee.get((row.id_ordine or 0, row.codice_pezzo or ""))
        if line and row.pezzi_us:
            made[line.id] += row.pezzi_us
            given[line.id] += row.dati
    PezzoOrdine.objects.filter(pk__in=made).note_drawn()
    for pk in sorted(made):
        PezzoOrdine.objects.filter(pk=pk).update(
            quantita_rimanente=F("quantita_rimanente") - given[pk],
            prodotti_us=F("prodotti_us") + made[pk],
        )
    return sum(1 for pieces in given.values() if pieces)


def _move_stock(
    counted: Iterable[Counted],
    scorte: dict[str, Magazzino],
    run_id: int,
    grezzi: bool,
    now: datetime,
) -> dict[int, int]:
    """Books what was made, one movement per order, piece and cause.

    Returns the blanks that were missing, by operation (always none for a stock of finished pieces).
    """
    missing: dict[int, int] = {}
    sums: dict[tuple[int | None, str, str], int] = defaultdict(int)
    operations: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    loose: dict[str, int] = defaultdict(int)
    blanks = {code: scorta.quantita_disponibile for code, scorta in scorte.items()}
    for row in counted:
        if row.codice_pezzo is None or not row.pezzi_us:
            continue
        piece = row.codice_pezzo
        loose[piece] += row.pezzi_us if row.sciolta else 0
        if row.pezzi:
            operations[row.id_ordine, piece].append(row.id_operazione)
        if grezzi:
            drawn = min(row.pezzi, blanks[piece])
            blanks[piece] -= drawn
            sums[row.id_ordine, piece, Causa.PRELIEVO_GREZZI] -= drawn
            if drawn < row.pezzi:
                missing[row.id_operazione] = row.pezzi - drawn
        else:
            sums[row.id_ordine, piece, Causa.CARICO_PRODUZIONE] += row.pezzi
            sums[row.id_ordine, piece, Causa.PRELIEVO_ORDINE] -= row.dati
    for piece, made in sorted(loose.items()):
        if made:
            Magazzino.objects.filter(pk=scorte[piece].pk).update(
                prodotti_us=F("prodotti_us") + made
            )
    stock.book(
        (
            MovimentoMagazzino(
                magazzino=scorte[piece],
                quantita=quantity,
                causa=causa,
                ordine_id=order,
                operazione_id=_only(operations[order, piece]),
                esecuzione=run_id,
            )
            for (order, piece, causa), quantity in sums.items()
        ),
        now,
    )
    return missing


def _only(ids: list[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None


def _raise_anomalies(counted: Iterable[Counted], missing: dict[int, int], now: datetime) -> int:
    raised = [
        _anomaly(
            row,
            AnomaliaId.SOVRAPPRODUZIONE,
            str(row.eccedenza),
            f"{_pieces(row.eccedenza)} in più: l'ordine {row.id_ordine} non ne chiedeva altri; "
            "al magazzino.",
            now,
        )
        for row in counted
        if row.eccedenza and row.id_ordine is not None
    ]
    raised += [
        _anomaly(
            row,
            AnomaliaId.SCORTA_INSUFFICIENTE,
            str(missing[row.id_operazione]),
            f"Per il pezzo {row.codice_pezzo} in magazzino mancavano grezzi: "
            f"{missing[row.id_operazione]}.",
            now,
        )
        for row in counted
        if row.id_operazione in missing
    ]
    AnomaliaOperazione.objects.bulk_create(raised)
    return len(raised)


def _pieces(count: int) -> str:
    return "Un pezzo" if count == 1 else f"{count} pezzi"


def _anomaly(
    row: Counted, kind: AnomaliaId, value: str, note: str, now: datetime
) -> AnomaliaOperazione:
    return AnomaliaOperazione(
        anomalia_id=kind,
        operazione_id=row.id_operazione,
        valore_ricevuto=value,
        note=note,
        origine=OrigineAnomalia.ORDINI,
        creata_il=now,
    )
