"""What must always hold (docs/affidabilita.md, "Invarianti"); ``manage.py verifica`` runs all of
it.

Each invariant is a function that yields a ``Problem`` for each thing wrong and changes nothing.
An app adds its own with ``@invariant``. All read in chunks: memory stays bounded.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from ingestion.models import Eliminazione, LottoRicevuto, RawOperazione
from ingestion.transfer.build import REPEATED_ON_FORGIATURA, pezzi_prodotti
from ingestion.transfer.parse import ParsedRecord, parse
from ingestion.transfer.records import CleanRecord, RawRecord
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione, Operazione, TipoFermo
from production.timestamps import DoubleHour, utc_to_plant
from production.vocabulary import (
    ALTRO_FERMO,
    NESSUN_FERMO,
    EsitoForgiatura,
    OrigineAnomalia,
    TipoOperazione,
)

CHUNK = 2000
Stato = RawOperazione.Stato

# An anomaly of one of these kinds says why its field is NULL.
NULLING = (
    *(AnomaliaId.TIMESTAMP_NON_VALIDO, AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO),
    *(AnomaliaId.PESO_NON_VALIDO, AnomaliaId.TEMPERATURA_NON_VALIDA),
    *(AnomaliaId.PEZZI_ORA_NON_VALIDI, AnomaliaId.RIFERIMENTO_SCONOSCIUTO),
    *(AnomaliaId.OPERAZIONE_APERTA, AnomaliaId.ALTRO),
)
# Fields whose absence is an anomaly too (docs/regole.md, "Convalida").
REQUIRED = {
    *("timestamp_inizio", "timestamp_fine", "tipo_operazione"),
    *("peso_effettivo", "temperatura_effettiva"),
}


class Problem(NamedTuple):
    """One thing wrong: the invariant's name, the row it concerns, an Italian sentence."""

    invariante: str
    soggetto: str
    messaggio: str


Invariant = Callable[[], Iterator[Problem]]
INVARIANTS: dict[str, Invariant] = {}


def invariant(check: Invariant) -> Invariant:
    """Adds a check to those that ``verifica`` runs."""
    INVARIANTS[check.__name__] = check
    return check


@invariant
def lotti_completi() -> Iterator[Problem]:
    """accepted = PENDING + PROCESSED + ERROR + purged, per batch."""
    batches = (
        LottoRicevuto.objects.annotate(presenti=Count("rawoperazione"))
        .exclude(record=F("presenti") + F("eliminati"))
        .values_list("uuid", "record", "presenti", "eliminati")
    )
    for uuid, accepted, present, purged in batches.iterator():
        yield Problem(
            "lotti_completi",
            f"lotto {uuid}",
            f"Accettati {accepted} record: presenti {present}, eliminati {purged}.",
        )


@invariant
def eliminati_tornano() -> Iterator[Problem]:
    """The purged of every day = those of the batches + those that came without one."""
    with_batch = Sum(F("record") - F("senza_lotto") - F("dei_lotti"))
    while True:
        by_day = Eliminazione.objects.aggregate(all=with_batch)["all"] or 0
        by_batch = LottoRicevuto.objects.aggregate(all=Sum("eliminati"))["all"] or 0
        again = Eliminazione.objects.aggregate(all=with_batch)["all"] or 0
        if by_day == again:  # no purge wrote to both between the two readings
            break
    if by_day != by_batch:
        yield Problem(
            "eliminati_tornano",
            "eliminazione",
            f"Eliminati {by_day} record con lotto, ma i lotti ne contano {by_batch}.",
        )


@invariant
def trasferiti_caricati() -> Iterator[Problem]:
    """PROCESSED ⇔ loaded."""
    for stato, must_be_loaded, told in (
        (Stato.PROCESSED, True, "manca in"),
        (Stato.ERROR, False, "c'è già in"),
    ):
        for raws in _raw_chunks(stato):
            operations = Operazione.objects.filter(raw_uid__in=[raw.uid for raw in raws])
            loaded = set(operations.values_list("raw_uid", flat=True))
            for raw in raws:
                if (raw.uid in loaded) is not must_be_loaded:
                    yield Problem(
                        "trasferiti_caricati",
                        f"record {raw.id_operazione}",
                        f"Il record è {stato} ma {told} operazioni.",
                    )


@invariant
def un_dettaglio_ciascuna() -> Iterator[Problem]:
    """Each typed operation has exactly one detail row, of its type; an untyped one has none."""
    ours = Operazione.objects.filter(raw_uid__isnull=False)
    wrong = ours.filter(
        Q(tipo_operazione=TipoOperazione.FORGIATURA, forgiatura=None)
        | Q(tipo_operazione=TipoOperazione.CNC, cnc=None)
        | Q(~Q(tipo_operazione=TipoOperazione.FORGIATURA), forgiatura__isnull=False)
        | Q(~Q(tipo_operazione=TipoOperazione.CNC), cnc__isnull=False)
    )
    for pk, kind in wrong.values_list("pk", "tipo_operazione").iterator():
        yield Problem(
            "un_dettaglio_ciascuna",
            f"operazione {pk}",
            f"Il dettaglio non corrisponde alla lavorazione «{kind or 'nessuna'}».",
        )


# --- Record by record -----------------------------------------------------------------------

COMMON_COLUMNS = {
    "id_ordine": "ordine_id",
    "codice_pezzo": "pezzo_id",
    "codice_macchinario": "macchinario_id",
    "codice_operatore": "operatore_id",
    "timestamp_inizio": "timestamp_inizio",
    "timestamp_fine": "timestamp_fine",
    "tipo_operazione": "tipo_operazione",
}
DETAIL_COLUMNS = {
    TipoOperazione.FORGIATURA: {
        "peso_effettivo": "forgiatura__peso_effettivo",
        "temperatura_effettiva": "forgiatura__temperatura_effettiva",
    },
    TipoOperazione.CNC: {"numero_pezzi_ora": "cnc__numero_pezzi_ora"},
}
OTHER_COLUMNS = (
    *("id_operazione", "raw_uid", "durata", "forgiatura__esito", "forgiatura__anomalia_id"),
    *("cnc__tipo_fermo_id", "cnc__pezzi_prodotti"),
)


class StoredOperation(NamedTuple):
    """An operation as it is stored, by column; its anomalies.

    ``found``: ours, counted by field and kind; ``declared``: the kinds that its machine told.
    """

    stored: dict[str, Any]
    found: Counter[tuple[str | None, int]]
    declared: list[int]

    @property
    def kinds(self) -> set[int]:
        return {kind for _field, kind in self.found}


@invariant
def record_caricati() -> Iterator[Problem]:
    """Two invariants in one reading of what was loaded.

    ``valori_uguali``: values equal the parsed record, field by field; one anomaly per nulled field.
    ``derivati_coerenti``: what was computed follows from what is stored beside it, and each anomaly
    is there once. Only what cannot drift: limits, synonyms and catalogue may have changed since.
    """
    words = {word: stop.codice for stop in TipoFermo.objects.all() for word in stop.words()}
    for raws in _raw_chunks(Stato.PROCESSED):
        loaded = _loaded(raws)
        for raw in raws:
            if row := loaded.get(raw.uid):
                parsed, subject = parse(raw), f"operazione {row.stored['id_operazione']}"
                for told in _altered(parsed, row):
                    yield Problem("valori_uguali", subject, told)
                for told in _incoherent(parsed, row, words):
                    yield Problem("derivati_coerenti", subject, told)


def _raw_chunks(stato: str) -> Iterator[list[RawRecord]]:
    after = 0
    of_state = RawOperazione.objects.filter(stato=stato).order_by("id_operazione")
    rows = of_state.values_list(*RawRecord._fields)
    while raws := [RawRecord._make(r) for r in rows.filter(id_operazione__gt=after)[:CHUNK]]:
        yield raws
        after = raws[-1].id_operazione


def _loaded(raws: list[RawRecord]) -> dict[UUID, StoredOperation]:
    details = [column for columns in DETAIL_COLUMNS.values() for column in columns.values()]
    columns = (*OTHER_COLUMNS, *COMMON_COLUMNS.values(), *details)
    operations = Operazione.objects.filter(raw_uid__in=[raw.uid for raw in raws])
    rows = {
        row["id_operazione"]: StoredOperation(row, Counter(), [])
        for row in operations.values(*columns)
    }
    anomalies = AnomaliaOperazione.objects.filter(operazione__in=[*rows])
    columns = ("operazione_id", "origine", "campo", "anomalia_id")
    for operation, origin, field, kind in anomalies.values_list(*columns):
        if origin == OrigineAnomalia.VALIDAZIONE:
            rows[operation].found[field, kind] += 1
        elif origin == OrigineAnomalia.MACCHINA:
            rows[operation].declared.append(kind)
    return {row.stored["raw_uid"]: row for row in rows.values()}


def _altered(parsed: ParsedRecord, row: StoredOperation) -> Iterator[str]:
    stored = row.stored
    columns = COMMON_COLUMNS | DETAIL_COLUMNS.get(stored["tipo_operazione"], {})
    for field, column in columns.items():
        received, value = getattr(parsed, field), stored[column]
        if value is None and (received is not None or field in REQUIRED):
            reasons = sum(row.found[field, kind] for kind in NULLING)
            if reasons != 1:
                yield f"{field}: Il campo è NULL con {reasons} anomalie invece di una."
        elif value is not None and _comparable(received) != _comparable(value):
            yield f"{field}: Il valore caricato è diverso da quello ricevuto."


def _comparable(value: Any) -> Any:
    """Times as plant wall time to the microsecond, measures as doubles: as MySQL keeps them."""
    if isinstance(value, DoubleHour):
        value = value.first
    if isinstance(value, datetime):
        return utc_to_plant(value)
    return float(value) if isinstance(value, Decimal) else value


def _incoherent(parsed: ParsedRecord, row: StoredOperation, words: dict[str, str]) -> Iterator[str]:
    if any(count > 1 and kind != AnomaliaId.ALTRO for (_, kind), count in row.found.items()):
        yield "La stessa anomalia è presente più volte."
    if len(row.declared) != len(parsed.anomalia.ids):
        yield "Le anomalie dichiarate dalla macchina non sono quelle ricevute."
    if parsed.anomalia.malformed is not (AnomaliaId.ANOMALIA_STRUTTURA in row.kinds):
        yield "L'anomalia di struttura non corrisponde all'elenco ricevuto."
    stored = row.stored
    inizio, fine, durata = (
        stored[name] for name in ("timestamp_inizio", "timestamp_fine", "durata")
    )
    lasted = None
    if inizio is not None and fine is not None:
        lasted = Decimal((fine - inizio) // timedelta(microseconds=1)).scaleb(-6)
    # In the autumn hour that the clock shows twice, what is stored may be an hour off.
    both = lasted is not None and durata is not None
    if durata != lasted and not (both and abs(lasted - durata) == 3600):
        yield "La durata non è fine meno inizio."
    # A missing detail is the affair of another invariant.
    if stored["forgiatura__esito"] is not None:
        outside = {AnomaliaId.PESO_FUORI_SPECIFICA, AnomaliaId.TEMPERATURA_FUORI_SPECIFICA}
        is_outside = stored["forgiatura__esito"] == EsitoForgiatura.FUORI_SPECIFICA
        if is_outside is not bool(row.kinds & outside):
            yield "L'esito non corrisponde alle anomalie 102 e 103."
        all_kinds = row.kinds.union(row.declared)
        first = next((kind for kind in REPEATED_ON_FORGIATURA if kind in all_kinds), None)
        if stored["forgiatura__anomalia_id"] != first:
            yield "id_anomalia non è la prima di 2, 3, 102, 103."
    if stored["cnc__tipo_fermo_id"] is not None:
        yield from _incoherent_machining(parsed, row, words)


def _incoherent_machining(
    parsed: ParsedRecord, row: StoredOperation, words: dict[str, str]
) -> Iterator[str]:
    stored = row.stored
    record = CleanRecord(durata=stored["durata"], numero_pezzi_ora=stored["cnc__numero_pezzi_ora"])
    if stored["cnc__pezzi_prodotti"] != pezzi_prodotti(record):
        yield "I pezzi prodotti non sono pezzi/ora per durata."
    word, stop = parsed.tipo_fermo, stored["cnc__tipo_fermo_id"]
    unknown = stop == ALTRO_FERMO and AnomaliaId.TIPO_FERMO_SCONOSCIUTO in row.kinds
    expected = NESSUN_FERMO if word is None else words.get(word, stop)
    if not unknown and (stop != expected or (stop == ALTRO_FERMO and word not in words)):
        yield "Il tipo di fermo non è quello ricevuto."
