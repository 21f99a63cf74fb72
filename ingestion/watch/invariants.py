"""What must always hold (reliability.md, "Invariants"); ``manage.py verifica`` runs all of it.

Each invariant is a function that yields a ``Problem`` for each thing wrong and changes nothing.
An app adds its own with ``@invariant``. All read in chunks: memory stays bounded.
"""

from collections import Counter, defaultdict
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
from production.vocabulary import EsitoForgiatura, OrigineAnomalia, TipoOperazione

CHUNK = 2000
Stato = RawOperazione.Stato

# An anomaly of one of these kinds says why its field is NULL.
NULLING = (
    AnomaliaId.TIMESTAMP_NON_VALIDO,
    AnomaliaId.PESO_NON_VALIDO,
    AnomaliaId.TEMPERATURA_NON_VALIDA,
    AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO,
    AnomaliaId.PEZZI_ORA_NON_VALIDI,
    AnomaliaId.RIFERIMENTO_SCONOSCIUTO,
    AnomaliaId.OPERAZIONE_APERTA,
    AnomaliaId.ALTRO,
)
# Fields whose absence is an anomaly too (domain.md).
REQUIRED = {
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "peso_effettivo",
    "temperatura_effettiva",
}


class Problem(NamedTuple):
    """One thing wrong: the invariant's name, the row it concerns, an Italian sentence."""

    invariante: str
    soggetto: str
    messaggio: str


Invariant = Callable[[], Iterator[Problem]]
Kinds = Counter[tuple[str | None, int]]
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
    while True:
        by_day, by_batch = _purged_by_day(), _purged_by_batch()
        if by_day == _purged_by_day():  # no purge wrote to both between the two readings
            break
    if by_day != by_batch:
        yield Problem(
            "eliminati_tornano",
            "eliminazione",
            f"Eliminati {by_day} record con lotto, ma i lotti ne contano {by_batch}.",
        )


def _purged_by_day() -> int:
    with_batch = F("record") - F("senza_lotto") - F("dei_lotti")
    return Eliminazione.objects.aggregate(all=Sum(with_batch))["all"] or 0


def _purged_by_batch() -> int:
    return LottoRicevuto.objects.aggregate(all=Sum("eliminati"))["all"] or 0


@invariant
def trasferiti_caricati() -> Iterator[Problem]:
    """PROCESSED ⇔ loaded."""
    for stato, must_be_loaded in ((Stato.PROCESSED, True), (Stato.ERROR, False)):
        for raws in _raw_chunks(stato):
            loaded = set(
                Operazione.objects.filter(raw_uid__in=[raw.uid for raw in raws]).values_list(
                    "raw_uid", flat=True
                )
            )
            for raw in raws:
                if (raw.uid in loaded) is not must_be_loaded:
                    told = "manca in" if must_be_loaded else "c'è già in"
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
        | Q(tipo_operazione=None, forgiatura__isnull=False)
        | Q(tipo_operazione=None, cnc__isnull=False)
    )
    for pk, kind in wrong.values_list("pk", "tipo_operazione").iterator():
        yield Problem(
            "un_dettaglio_ciascuna",
            f"operazione {pk}",
            f"Il dettaglio non corrisponde alla lavorazione «{kind or 'nessuna'}».",
        )


@invariant
def record_caricati() -> Iterator[Problem]:
    """Two invariants in one reading of what was loaded.

    ``valori_uguali``: values equal the parsed record, field by field; one anomaly per nulled field.
    ``derivati_coerenti``: what was computed follows from what is stored beside it, and each anomaly
    is there once. Only what cannot drift: limits, synonyms and catalogue may have changed since.
    """
    words = {word: stop.codice for stop in TipoFermo.objects.all() for word in stop.words()}
    for raws in _raw_chunks(Stato.PROCESSED):
        stored_rows = _stored(raws)
        ids = [row["id_operazione"] for row in stored_rows.values()]
        anomalies, declared = _anomalies_of(ids), _declared_kinds(ids)
        for raw in raws:
            if stored := stored_rows.get(raw.uid):
                pk, parsed = stored["id_operazione"], parse(raw)
                yield from _compare(parsed, stored, anomalies[pk])
                for told in _incoherent(parsed, stored, anomalies[pk], declared.get(pk, []), words):
                    yield Problem("derivati_coerenti", f"operazione {pk}", told)


def _incoherent(
    parsed: ParsedRecord,
    stored: dict[str, Any],
    anomalies: Kinds,
    declared: list[int],
    words: dict[str, str],
) -> Iterator[str]:
    kinds = {kind for (_, kind), count in anomalies.items() if count}
    if any(count > 1 and kind != AnomaliaId.ALTRO for (_, kind), count in anomalies.items()):
        yield "La stessa anomalia è presente più volte."
    if len(declared) != len(parsed.anomalia.ids):
        yield "Le anomalie dichiarate dalla macchina non sono quelle ricevute."
    if parsed.anomalia.malformed is not (AnomaliaId.ANOMALIA_STRUTTURA in kinds):
        yield "L'anomalia di struttura non corrisponde all'elenco ricevuto."
    if not _duration_fits(stored):
        yield "La durata non è fine meno inizio."
    # A missing detail is the affair of another invariant.
    if stored["forgiatura__esito"] is not None:
        yield from _incoherent_forging(stored, kinds, declared)
    if stored["cnc__tipo_fermo_id"] is not None:
        yield from _incoherent_machining(parsed, stored, kinds, words)


def _duration_fits(stored: dict[str, Any]) -> bool:
    """In the autumn hour that the clock shows twice, what is stored may be an hour off."""
    inizio, fine, durata = (
        stored[name] for name in ("timestamp_inizio", "timestamp_fine", "durata")
    )
    if inizio is None or fine is None:
        return durata is None
    if durata is None:
        return False
    seconds = Decimal((fine - inizio) // timedelta(microseconds=1)).scaleb(-6)
    return abs(seconds - durata) in (0, 3600)


def _incoherent_forging(
    stored: dict[str, Any], kinds: set[int], declared: list[int]
) -> Iterator[str]:
    out = bool(kinds & {AnomaliaId.PESO_FUORI_SPECIFICA, AnomaliaId.TEMPERATURA_FUORI_SPECIFICA})
    if (stored["forgiatura__esito"] == EsitoForgiatura.FUORI_SPECIFICA) is not out:
        yield "L'esito non corrisponde alle anomalie 102 e 103."
    first = next((kind for kind in REPEATED_ON_FORGIATURA if kind in kinds | {*declared}), None)
    if stored["forgiatura__anomalia_id"] != first:
        yield "id_anomalia non è la prima di 2, 3, 102, 103."


def _incoherent_machining(
    parsed: ParsedRecord, stored: dict[str, Any], kinds: set[int], words: dict[str, str]
) -> Iterator[str]:
    record = CleanRecord(durata=stored["durata"], numero_pezzi_ora=stored["cnc__numero_pezzi_ora"])
    if stored["cnc__pezzi_prodotti"] != pezzi_prodotti(record):
        yield "I pezzi prodotti non sono pezzi/ora per durata."
    word, stop = parsed.tipo_fermo, stored["cnc__tipo_fermo_id"]
    unknown = stop == "ALTRO" and AnomaliaId.TIPO_FERMO_SCONOSCIUTO in kinds
    expected = "NESSUNO" if word is None else words.get(word, stop)
    if not unknown and (stop != expected or (stop == "ALTRO" and word not in words)):
        yield "Il tipo di fermo non è quello ricevuto."


def _raw_chunks(stato: str) -> Iterator[list[RawRecord]]:
    after = 0
    while True:
        rows = (
            RawOperazione.objects.filter(stato=stato, id_operazione__gt=after)
            .order_by("id_operazione")
            .values_list(*RawRecord._fields)[:CHUNK]
        )
        raws = [RawRecord._make(row) for row in rows]
        if not raws:
            return
        yield raws
        after = raws[-1].id_operazione


COMMON_FIELDS = {
    "id_ordine": "ordine_id",
    "codice_pezzo": "pezzo_id",
    "codice_macchinario": "macchinario_id",
    "codice_operatore": "operatore_id",
    "timestamp_inizio": "timestamp_inizio",
    "timestamp_fine": "timestamp_fine",
    "tipo_operazione": "tipo_operazione",
}
DETAIL_FIELDS = {
    TipoOperazione.FORGIATURA: {
        "peso_effettivo": "forgiatura__peso_effettivo",
        "temperatura_effettiva": "forgiatura__temperatura_effettiva",
    },
    TipoOperazione.CNC: {"numero_pezzi_ora": "cnc__numero_pezzi_ora"},
}


DERIVED_COLUMNS = (
    "durata",
    "forgiatura__esito",
    "forgiatura__anomalia_id",
    "cnc__tipo_fermo_id",
    "cnc__pezzi_prodotti",
)


def _stored(raws: list[RawRecord]) -> dict[UUID, dict[str, Any]]:
    details = [column for columns in DETAIL_FIELDS.values() for column in columns.values()]
    rows = Operazione.objects.filter(raw_uid__in=[raw.uid for raw in raws]).values(
        "id_operazione", "raw_uid", *COMMON_FIELDS.values(), *details, *DERIVED_COLUMNS
    )
    return {row["raw_uid"]: row for row in rows}


def _anomalies_of(ids: list[int]) -> defaultdict[int, Kinds]:
    """Our own anomalies of each operation, counted by field and kind."""
    found: defaultdict[int, Kinds] = defaultdict(Counter)
    rows = AnomaliaOperazione.objects.filter(
        operazione__in=ids, origine=OrigineAnomalia.VALIDAZIONE
    )
    for operation, field, kind in rows.values_list("operazione_id", "campo", "anomalia_id"):
        found[operation][field, kind] += 1
    return found


def _declared_kinds(ids: list[int]) -> defaultdict[int, list[int]]:
    """The anomalies of each operation that its machine declared."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    rows = AnomaliaOperazione.objects.filter(operazione__in=ids, origine=OrigineAnomalia.MACCHINA)
    for operation, kind in rows.values_list("operazione_id", "anomalia_id"):
        found[operation].append(kind)
    return found


def _compare(parsed: ParsedRecord, stored: dict[str, Any], anomalies: Kinds) -> Iterator[Problem]:
    columns = COMMON_FIELDS | DETAIL_FIELDS.get(stored["tipo_operazione"], {})
    for field, column in columns.items():
        told = _difference(field, getattr(parsed, field), stored[column], anomalies)
        if told:
            subject = f"operazione {stored['id_operazione']}"
            yield Problem("valori_uguali", subject, f"{field}: {told}")


def _difference(field: str, received: Any, value: Any, anomalies: Kinds) -> str:
    """What is wrong with one field, in Italian; "" if nothing is."""
    if value is None and (received is not None or field in REQUIRED):
        reasons = sum(anomalies[field, kind] for kind in NULLING)
        if reasons != 1:
            return f"Il campo è NULL con {reasons} anomalie invece di una."
    if value is not None and _comparable(received) != _comparable(value):
        return "Il valore caricato è diverso da quello ricevuto."
    return ""


def _comparable(value: Any) -> Any:
    """Times as plant wall time to the microsecond, measures as doubles: as MySQL keeps them."""
    if isinstance(value, DoubleHour):
        value = value.first
    if isinstance(value, datetime):
        return utc_to_plant(value)
    if isinstance(value, Decimal):
        return float(value)
    return value
