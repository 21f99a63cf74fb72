"""The validation table (docs/regole.md, "Convalida"): one declaration a field of a record.

``Record`` says how each field is read, what is plausible, what the piece's specification allows,
and which anomaly is raised, with which sentence, where it is not so. The transfer walks the rows
(``ingestion.transfer.rules``); pages and charts of anomalies ask the same ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import CoreSchema, core_schema

from production import sentences
from production.catalogue import AnomaliaId
from production.reading import Unreadable, present, read_integer, read_number, read_word
from production.sentences import Speech, hours, quote
from production.timestamps import DoubleHour, read_timestamp
from production.vocabulary import ALTRO_FERMO, NESSUN_FERMO, TipoOperazione
from production.vocabulary import gettext_noop as _

CODE_LENGTH = 50  # of every code column

# --- What fields are judged by ------------------------------------------------------------


class Range(NamedTuple):
    """Limits, both included; None checks nothing."""

    low: Decimal | None = None
    high: Decimal | None = None

    def holds(self, value: Decimal) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None


class PieceLimits(NamedTuple):
    """Specification of a piece, inclusive, kg and °C; None checks nothing."""

    peso_min: Decimal | None = None
    peso_max: Decimal | None = None
    temperatura_min: Decimal | None = None
    temperatura_max: Decimal | None = None


NO_LIMITS = PieceLimits()


@dataclass(frozen=True, slots=True)
class Limits:
    """Plausibility limits (settings): what cannot be true, whatever the piece."""

    peso_max: Decimal = Decimal(1000)
    temperatura_min: Decimal = Decimal(700)
    temperatura_max: Decimal = Decimal(1200)
    pezzi_ora_max: int = 10_000
    durata_max: timedelta = timedelta(hours=24)
    tolleranza_futuro: timedelta = timedelta(minutes=60)

    @classmethod
    def of_settings(cls, values: Mapping[str, Any]) -> Self:
        """Of ``PLAUSIBILITY_LIMITS``, whose hours and minutes are numbers."""
        measured = ("peso_max", "temperatura_min", "temperatura_max", "pezzi_ora_max")
        return cls(
            **{name: values[name] for name in measured},
            durata_max=timedelta(hours=float(values["durata_max_ore"])),
            tolleranza_futuro=timedelta(minutes=values["tolleranza_futuro_minuti"]),
        )


@dataclass(frozen=True, slots=True)
class MasterData:
    """What the references of a record are checked against, loaded once per run.

    ``tipi_fermo`` maps every known word (code or synonym, trimmed and case folded) to its code.
    """

    pezzi: dict[str, PieceLimits] = field(default_factory=dict)
    macchinari: frozenset[str] = frozenset()
    operatori: frozenset[str] = frozenset()
    ordini: frozenset[int] = frozenset()
    tipi_fermo: dict[str, str] = field(default_factory=dict)
    anomalie: frozenset[int] = frozenset()


class Criteria(NamedTuple):
    """``received_at`` is None on a page, which does not know it; else aware."""

    received_at: datetime | None
    master: MasterData
    limits: Limits


# --- Kinds of row -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Field:
    """A row of the table. ``tipo``: the operations that have the field, None = all.

    ``specification``: names of the piece's limits, inclusive, which a value that is true may break.
    """

    label: str
    unit: str = ""
    read: Callable[[str | None], Any]
    tipo: TipoOperazione | None = None
    missing: AnomaliaId | None = None  # None: it may be missing
    wrong: AnomaliaId
    stored_if_wrong: str | None = None
    specification: tuple[str, str] | None = None
    out_of_specification: AnomaliaId | None = None

    def admit(self, value: Any, by: Criteria) -> Any:
        """What is stored for a value as read; None where it is missing or cannot be true."""
        raise NotImplementedError

    def anomaly(self, value: Any) -> AnomaliaId | None:
        """Of a value that is not admitted."""
        return self.missing if value is None else self.wrong

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        """Why a value is not admitted. ``received``: its text."""
        raise NotImplementedError

    def allowed(self, piece: Any) -> Range:
        """What the piece's specification allows. ``piece`` has the limits as attributes."""
        if piece is None or self.specification is None:
            return Range()
        low, high = self.specification
        return Range(getattr(piece, low), getattr(piece, high))

    def beyond(self, value: Decimal, pezzo: str, allowed: Range, speech: Speech) -> str:
        """The sentence on a value that is out of the piece's specification."""
        return speech.say(
            sentences.OUT_OF_SPECIFICATION,
            label=speech.translate(self.label),
            value=speech.shown(value, self.unit),
            piece=quote(pezzo),
            range=speech.between(*allowed, self.unit),
        )

    def say(self, speech: Speech, template: str, value: Any = None, **values: Any) -> str:
        """A sentence about the field; a text that was received is quoted."""
        if isinstance(value, Unreadable):
            value = quote(value.testo)
        elif isinstance(value, str):
            value = quote(value)
        values["label"] = speech.translate(self.label)
        values["value"] = "" if value is None else value
        return speech.say(template, **values)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)


@dataclass(frozen=True, kw_only=True)
class Moment(Field):
    read: Callable[[str | None], Any] = read_timestamp
    wrong: AnomaliaId = AnomaliaId.TIMESTAMP_NON_VALIDO
    if_missing: str = sentences.START_MISSING

    def admit(self, value: Any, by: Criteria) -> datetime | None:
        """A moment is not later than reception plus the tolerance; never compared with "now"."""
        if isinstance(value, datetime) and by.received_at is not None:
            return value if value - by.received_at <= by.limits.tolleranza_futuro else None
        return None

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        if value is None:
            return self.say(speech, self.if_missing)
        if isinstance(value, Unreadable):
            reason = speech.translate(value.motivo)
            return self.say(speech, sentences.MOMENT_UNREADABLE, value, reason=reason)
        minutes = Decimal(f"{by.limits.tolleranza_futuro / timedelta(minutes=1):.10g}")
        if by.received_at is None:
            return self.say(speech, sentences.MOMENT_TOO_LATE, value, minutes=minutes)
        template = sentences.MOMENT_IN_THE_FUTURE
        return self.say(speech, template, value, minutes=minutes, received=by.received_at)


@dataclass(frozen=True, kw_only=True)
class OperationType(Field):
    read: Callable[[str | None], Any] = read_word

    def admit(self, value: Any, by: Criteria) -> str | None:
        return value if value in OPERATION_TYPES else None

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        if value is None:
            return self.say(speech, sentences.OPERATION_TYPE_MISSING)
        return self.say(speech, sentences.OPERATION_TYPE_UNKNOWN, value)


OPERATION_TYPES = frozenset(tipo.value for tipo in TipoOperazione)


@dataclass(frozen=True, kw_only=True)
class Reference(Field):
    """``known``: the part of the master data in which it must be."""

    known: str
    read: Callable[[str | None], Any] = present
    wrong: AnomaliaId = AnomaliaId.RIFERIMENTO_SCONOSCIUTO

    def admit(self, value: Any, by: Criteria) -> Any:
        return value if value in getattr(by.master, self.known) else None

    def anomaly(self, value: Any) -> AnomaliaId | None:
        return AnomaliaId.ALTRO if self._is_too_long(value) else super().anomaly(value)

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        if self._is_too_long(value):
            return self.say(speech, sentences.CODE_TOO_LONG, value, longest=CODE_LENGTH)
        code = value if isinstance(value, Unreadable) else str(value)
        return self.say(speech, sentences.REFERENCE_UNKNOWN, code)

    def _is_too_long(self, value: Any) -> bool:
        return isinstance(value, str) and len(value) > CODE_LENGTH


@dataclass(frozen=True, kw_only=True)
class StopType(Field):
    """Stored by the code that the word means; a machine that sends none was not stopped."""

    read: Callable[[str | None], Any] = read_word
    stored_if_wrong: str | None = ALTRO_FERMO

    def admit(self, value: Any, by: Criteria) -> str | None:
        return NESSUN_FERMO if value is None else by.master.tipi_fermo.get(value)

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        return self.say(speech, sentences.STOP_UNKNOWN, (received or "").strip())


@dataclass(frozen=True, kw_only=True)
class Measure(Field):
    """A number between two plausibility limits, both included.

    ``low``, ``high``: names in ``Limits``; ``low`` None is 0, which ``above_zero`` leaves out.
    ``column``: where it is stored, from the operation; ``per_unit`` of it make one ``unit``.
    """

    low: str | None = None
    high: str
    above_zero: bool = False
    column: str
    per_unit: int = 1
    read: Callable[[str | None], Any] = read_number

    def admit(self, value: Any, by: Criteria) -> Any:
        if value is None or isinstance(value, Unreadable):
            return None
        low = 0 if self.low is None else getattr(by.limits, self.low)
        if value < low or (self.above_zero and not value):
            return None
        return value if value <= getattr(by.limits, self.high) else None

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        low, high = self.plausible(by.limits)
        if self.above_zero:
            told = speech.say(sentences.ABOVE_ZERO, high=high or 0, unit=self.unit)
        else:
            told = speech.between(low, high, self.unit)
        if value is None:
            return self.say(speech, sentences.MEASURE_MISSING, range=told)
        if isinstance(value, Unreadable):
            return self.say(speech, sentences.MEASURE_UNREADABLE, value, range=told)
        label, shown = speech.translate(self.label), speech.shown(value, self.unit)
        return speech.say(sentences.MEASURE_IMPLAUSIBLE, label=label, value=shown, range=told)

    def plausible(self, limits: Limits) -> Range:
        low = Decimal(0) if self.low is None else getattr(limits, self.low)
        return Range(low, Decimal(getattr(limits, self.high)))

    def stored(self, operazione: Any) -> Decimal | None:
        value = operazione
        for name in self.column.split("__"):
            value = getattr(value, name, None)
        return self.in_unit(value)

    def in_unit(self, value: Any) -> Decimal | None:
        """A value of the column in the measure's unit."""
        return None if value is None else Decimal(str(value)) / self.per_unit


@dataclass(frozen=True, kw_only=True)
class Rate(Measure):
    read: Callable[[str | None], Any] = read_integer

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        high = getattr(by.limits, self.high)
        return self.say(speech, sentences.RATE_WRONG, value, high=high)


@dataclass(frozen=True, kw_only=True)
class Duration(Measure):
    """Computed from start and end, so never received; one that is too long is kept."""

    def sentence(self, value: Any, received: str | None, by: Criteria, speech: Speech) -> str:
        high = hours(by.limits.durata_max)
        return speech.say(sentences.LONG_DURATION, value=Decimal(f"{value:.10g}"), high=high)

    def plausible(self, limits: Limits) -> Range:
        return Range(Decimal(0), hours(limits.durata_max))


# --- The table ----------------------------------------------------------------------------

FORGIATURA, CNC = TipoOperazione.FORGIATURA, TipoOperazione.CNC
Code = str | None


class Record(BaseModel):
    """A record with its fields read, each for itself; None = missing, nothing is judged yet."""

    model_config = ConfigDict(frozen=True)

    timestamp_inizio: Annotated[
        datetime | DoubleHour | Unreadable | None,
        Moment(label=_("Ora di inizio"), missing=AnomaliaId.TIMESTAMP_NON_VALIDO),
    ]
    timestamp_fine: Annotated[
        datetime | DoubleHour | Unreadable | None,
        Moment(
            label=_("Ora di fine"),
            missing=AnomaliaId.OPERAZIONE_APERTA,
            if_missing=sentences.END_MISSING,
        ),
    ]
    tipo_operazione: Annotated[
        str | None,
        OperationType(
            label=_("Tipo di operazione"),
            missing=AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO,
            wrong=AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO,
        ),
    ]
    id_ordine: Annotated[
        int | Unreadable | None,
        Reference(label=_("Numero d'ordine"), read=read_integer, known="ordini"),
    ]
    codice_pezzo: Annotated[Code, Reference(label=_("Codice pezzo"), known="pezzi")]
    codice_macchinario: Annotated[
        Code, Reference(label=_("Codice macchinario"), known="macchinari")
    ]
    codice_operatore: Annotated[Code, Reference(label=_("Codice operatore"), known="operatori")]
    peso_effettivo: Annotated[
        Decimal | Unreadable | None,
        Measure(
            label=_("Peso"),
            unit="kg",
            tipo=FORGIATURA,
            above_zero=True,
            high="peso_max",
            missing=AnomaliaId.PESO_NON_VALIDO,
            wrong=AnomaliaId.PESO_NON_VALIDO,
            specification=("peso_min", "peso_max"),
            out_of_specification=AnomaliaId.PESO_FUORI_SPECIFICA,
            column="forgiatura__peso_effettivo",
        ),
    ]
    temperatura_effettiva: Annotated[
        Decimal | Unreadable | None,
        Measure(
            label=_("Temperatura"),
            unit="°C",
            tipo=FORGIATURA,
            low="temperatura_min",
            high="temperatura_max",
            missing=AnomaliaId.TEMPERATURA_NON_VALIDA,
            wrong=AnomaliaId.TEMPERATURA_NON_VALIDA,
            specification=("temperatura_min", "temperatura_max"),
            out_of_specification=AnomaliaId.TEMPERATURA_FUORI_SPECIFICA,
            column="forgiatura__temperatura_effettiva",
        ),
    ]
    numero_pezzi_ora: Annotated[
        int | Unreadable | None,
        Rate(
            label=_("Pezzi all'ora"),
            tipo=CNC,
            high="pezzi_ora_max",
            wrong=AnomaliaId.PEZZI_ORA_NON_VALIDI,
            column="cnc__numero_pezzi_ora",
        ),
    ]
    tipo_fermo: Annotated[
        str | None,
        StopType(label=_("Tipo di fermo"), tipo=CNC, wrong=AnomaliaId.TIPO_FERMO_SCONOSCIUTO),
    ]


FIELDS: dict[str, Field] = {
    name: next(part for part in info.metadata if isinstance(part, Field))
    for name, info in Record.model_fields.items()
}
DURATA = Duration(
    label=_("Durata"),
    unit="h",
    high="durata_max",
    wrong=AnomaliaId.DURATA_ANOMALA,
    column="durata",
    per_unit=3600,
)
# The rows to judge an operation by, by its type as read; of another type, those of all.
ROWS_OF: dict[str | None, tuple[tuple[str, Field], ...]] = {
    tipo: tuple((name, row) for name, row in FIELDS.items() if row.tipo in (None, tipo))
    for tipo in (None, *TipoOperazione)
}
# The measure that each kind of anomaly is about.
MEASURES: dict[int, Measure] = {
    kind: row
    for row in (*FIELDS.values(), DURATA)
    if isinstance(row, Measure)
    for kind in (row.wrong, row.out_of_specification)
    if kind
}
# Those whose value could not be true, so that it is not stored: only its text is kept.
IMPLAUSIBLE = frozenset(row.wrong for row in FIELDS.values() if isinstance(row, Measure))
