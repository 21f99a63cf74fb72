"""Rows for SQL from a verdict, with the values that docs/regole.md has computed ("Valori
calcolati").

Detail and anomaly rows begin, in their tables, with ``id_operazione``: MySQL gives that number
at loading, so ``load`` puts it in front of these tuples and of these column lists.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple
from uuid import UUID

from ingestion.transfer.records import CleanRecord, Finding, Verdict
from production.catalogue import AnomaliaId
from production.fields import NO_LIMITS, MasterData, PieceLimits, Range
from production.timestamps import utc_to_plant
from production.vocabulary import EsitoForgiatura, TipoOperazione

OPERAZIONI_COLUMNS = (
    "raw_uid",
    "id_ordine",
    "codice_pezzo",
    "codice_macchinario",
    "codice_operatore",
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "durata",
)
FORGIATURA_COLUMNS = (
    "peso_effettivo",
    "temperatura_effettiva",
    "id_anomalia",
    "peso_nominale",
    "scarto_peso",
    "scarto_peso_pct",
    "temperatura_nominale",
    "scarto_temperatura",
    "scarto_temperatura_pct",
    "esito",
)
CNC_COLUMNS = ("numero_pezzi_ora", "tipo_fermo", "pezzi_prodotti")
ANOMALIE_COLUMNS = ("id_anomalia", "note", "campo", "valore_ricevuto", "origine")

# Far more digits than any measure has. Cutting what lies beyond them keeps a later rounding
# half up right; rounding twice would not.
EXACT = Context(prec=50, rounding=ROUND_DOWN)
SECONDS_PER_HOUR = Decimal(3600)
# What ``forgiatura.id_anomalia`` shows: the first of these that the record has.
REPEATED_ON_FORGIATURA = (
    AnomaliaId.PESO_NON_VALIDO.value,
    AnomaliaId.TEMPERATURA_NON_VALIDA.value,
    AnomaliaId.PESO_FUORI_SPECIFICA.value,
    AnomaliaId.TEMPERATURA_FUORI_SPECIFICA.value,
)


class DecimalColumn(NamedTuple):
    """A DECIMAL column: its last decimal, and the first number that it cannot hold."""

    step: Decimal
    bound: Decimal


def decimal_column(digits: int, decimals: int) -> DecimalColumn:
    return DecimalColumn(Decimal(1).scaleb(-decimals), Decimal(1).scaleb(digits - decimals))


DURATA = decimal_column(16, 6)
KG = decimal_column(12, 3)
CELSIUS = decimal_column(9, 1)
PERCENT = decimal_column(14, 2)
PEZZI_PRODOTTI = decimal_column(12, 4)


class LoadRow(NamedTuple):
    """One record, ready to insert: each tuple in the order of its ``…_COLUMNS``.

    ``forgiatura`` or ``cnc`` is set according to the operation's type, neither without one.
    """

    uid: UUID
    operazione: tuple[Any, ...]
    forgiatura: tuple[Any, ...] | None
    cnc: tuple[Any, ...] | None
    anomalie: list[Finding]


def build(uid: UUID, verdict: Verdict, master: MasterData) -> LoadRow:
    """Date-times become naive plant time, as MySQL stores them; measures become floats."""
    record, findings = verdict
    inizio, fine = record.timestamp_inizio, record.timestamp_fine
    operazione = (
        uid,
        record.id_ordine,
        record.codice_pezzo,
        record.codice_macchinario,
        record.codice_operatore,
        None if inizio is None else utc_to_plant(inizio),
        None if fine is None else utc_to_plant(fine),
        record.tipo_operazione,
        None if record.durata is None else rounded(record.durata, DURATA),
    )
    forgiatura: tuple[Any, ...] | None = None
    cnc: tuple[Any, ...] | None = None
    if record.tipo_operazione == TipoOperazione.FORGIATURA:
        spec = master.pezzi.get(record.codice_pezzo or "", NO_LIMITS)
        peso, temperatura = record.peso_effettivo, record.temperatura_effettiva
        kinds = [finding.id_anomalia for finding in findings]
        forgiatura = (
            None if peso is None else float(peso),
            None if temperatura is None else float(temperatura),
            next((kind for kind in REPEATED_ON_FORGIATURA if kind in kinds), None),
            *deviation(peso, spec.peso_min, spec.peso_max, KG),
            *deviation(temperatura, spec.temperatura_min, spec.temperatura_max, CELSIUS),
            esito(peso, temperatura, spec),
        )
    elif record.tipo_operazione == TipoOperazione.CNC:
        cnc = (record.numero_pezzi_ora, record.tipo_fermo, pezzi_prodotti(record))
    return LoadRow(uid, operazione, forgiatura, cnc, findings)


def deviation(
    value: Decimal | None, low: Decimal | None, high: Decimal | None, column: DecimalColumn
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Nominal, deviation, and deviation in % of the nominal, each rounded from exact values.

    All None without measure or limits; % None for a nominal of 0.
    """
    if value is None or low is None or high is None:
        return None, None, None
    nominal = EXACT.divide(EXACT.add(low, high), 2)
    scarto = EXACT.subtract(value, nominal)
    pct = None
    if nominal:
        pct = rounded(EXACT.divide(EXACT.multiply(scarto, 100), nominal), PERCENT)
    return rounded(nominal, column), rounded(scarto, column), pct


def esito(peso: Decimal | None, temperatura: Decimal | None, spec: PieceLimits) -> EsitoForgiatura:
    """FUORI_SPECIFICA if a measure breaks any limit; CONFORME only if nothing is missing."""
    if peso is not None and not Range(spec.peso_min, spec.peso_max).holds(peso):
        return EsitoForgiatura.FUORI_SPECIFICA
    allowed = Range(spec.temperatura_min, spec.temperatura_max)
    if temperatura is not None and not allowed.holds(temperatura):
        return EsitoForgiatura.FUORI_SPECIFICA
    if peso is None or temperatura is None or None in spec:
        return EsitoForgiatura.NON_VALUTABILE
    return EsitoForgiatura.CONFORME


def pezzi_prodotti(record: CleanRecord) -> Decimal | None:
    """Rate × hours, not rounded to whole pieces; None without rate, start or end."""
    if record.numero_pezzi_ora is None or record.durata is None:
        return None
    pezzi = EXACT.multiply(record.durata, record.numero_pezzi_ora)
    return rounded(EXACT.divide(pezzi, SECONDS_PER_HOUR), PEZZI_PRODOTTI)


def rounded(value: Decimal, column: DecimalColumn) -> Decimal | None:
    """Half up (away from zero) to the column's decimals; None if the column cannot hold it."""
    if not -column.bound < value < column.bound:
        return None
    result = value.quantize(column.step, ROUND_HALF_UP, EXACT)
    if not -column.bound < result < column.bound:
        return None
    return result or result.copy_abs()  # never "-0.000"
