"""Why an anomaly is one, in the reader's language, by the limits of today.

The sentence is that of the note (``production.sentences``), of the value that was received, with
what has changed since. The note, of the moment at which it was written, is shown beside it.
"""

from datetime import datetime
from decimal import Decimal

from django.utils.formats import get_format
from django.utils.translation import gettext

from production import sentences
from production.catalogue import AnomaliaId
from production.fields import DURATA, FIELDS, MEASURES, Criteria, Limits, MasterData, StopType
from production.models import AnomaliaOperazione
from production.reading import MAX_ELEMENTS
from production.sentences import Speech, quote
from production.timestamps import DoubleHour
from production.vocabulary import OrigineAnomalia


def reader() -> Speech:
    """The language of whoever reads the page."""
    return Speech(gettext, get_format("DECIMAL_SEPARATOR"))


def shown(value: Decimal, unit: str = "") -> str:
    """12.50 as "12,5 kg" or "12.5 kg", as the language of the page has it."""
    return reader().shown(value, unit)


def reason(row: AnomaliaOperazione, limits: Limits) -> str:
    """``limits``: of plausibility. Reads the row's operation and piece.

    Of a kind that the plant added, or that another program raised, it is what was written.
    """
    speech = reader()
    if row.origine == OrigineAnomalia.MACCHINA:
        return _declared(row, speech)
    noted = f"{row.anomalia.tipo_anomalia}: {row.note or speech.translate(sentences.NO_NOTE)}"
    return _of_kind(row, limits, speech) or _of_field(row, limits, speech) or noted


def _declared(row: AnomaliaOperazione, speech: Speech) -> str:
    """The machine's word, and the measure that it is about, if that was stored."""
    if row.anomalia_id in (AnomaliaId.ALTRO, AnomaliaId.ANOMALIA_STRUTTURA):
        return speech.say(sentences.DECLARED_UNKNOWN, number=row.valore_ricevuto or "?")
    told = speech.say(sentences.DECLARED, kind=str(row.anomalia))
    measure = MEASURES.get(row.anomalia_id)
    if measure is None or (value := measure.stored(row.operazione)) is None:
        return told
    label, shown = speech.translate(measure.label).lower(), speech.shown(value, measure.unit)
    return f"{told} {speech.say(sentences.MEASURE_RECORDED, label=label, value=shown)}"


def _of_kind(row: AnomaliaOperazione, limits: Limits, speech: Speech) -> str | None:
    """Of the kinds that are about more than the value of one field."""
    operazione, value = row.operazione, row.valore_ricevuto or "?"
    match row.anomalia_id:
        case AnomaliaId.SOVRAPPRODUZIONE:
            order = str(operazione.ordine_id or "?")
            return speech.say(sentences.SURPLUS, pieces=value, order=order)
        case AnomaliaId.SCORTA_INSUFFICIENTE:
            piece = operazione.pezzo_id or "?"
            return speech.say(sentences.BLANKS_MISSING, pieces=value, piece=piece)
        case AnomaliaId.ANOMALIA_STRUTTURA:
            return speech.malformed(MAX_ELEMENTS)
        case AnomaliaId.DURATA_ANOMALA:
            lasted = DURATA.stored(operazione)
            by = Criteria(None, MasterData(), limits)
            return None if lasted is None else DURATA.sentence(lasted, None, by, speech)
        case AnomaliaId.PESO_FUORI_SPECIFICA | AnomaliaId.TEMPERATURA_FUORI_SPECIFICA:
            return _out_of_specification(row, speech)
    return None


def _out_of_specification(row: AnomaliaOperazione, speech: Speech) -> str | None:
    measure, pezzo = MEASURES[row.anomalia_id], row.operazione.pezzo
    value = measure.stored(row.operazione)
    if value is None or pezzo is None:
        return None
    allowed = measure.allowed(pezzo)
    if not allowed:
        label, shown = speech.translate(measure.label), speech.shown(value, measure.unit)
        return speech.say(sentences.NO_LIMITS_NOW, label=label, value=shown, piece=pezzo.pk)
    told = measure.beyond(value, pezzo.pk, allowed, speech)
    if allowed.holds(value):
        return f"{told} {speech.translate(sentences.LIMITS_CHANGED)}"
    return told


def _of_field(row: AnomaliaOperazione, limits: Limits, speech: Speech) -> str | None:
    """What the field's row of the validation table says of the value that was received."""
    field = FIELDS.get(row.campo or "")
    value = field.read(row.valore_ricevuto) if field else None
    if field is None or field.anomaly(value) != row.anomalia_id:
        if row.anomalia_id != AnomaliaId.ALTRO or not row.campo:
            return None
        held = speech.say(sentences.HELD, value=quote(row.valore_ricevuto or ""))
        return speech.altered(row.campo, held)
    inizio = row.operazione.timestamp_inizio
    if isinstance(value, DoubleHour):
        value = value.not_before(inizio)
    if row.campo == "timestamp_fine" and isinstance(value, datetime) and inizio and value < inizio:
        return field.say(speech, sentences.END_BEFORE_START, value, start=inizio)
    told = field.sentence(value, row.valore_ricevuto, Criteria(None, MasterData(), limits), speech)
    if isinstance(field, StopType):
        return f"{told} {speech.translate(sentences.STOP_HINT)}"
    return told
