"""What is wrong, in one sentence for the plant: the value and its limit, in the reader's language.

From what the anomaly's row, its operation and the limits say now. The note of the row is the
Italian sentence of the moment at which it was raised; it is shown beside this one.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from etlportal.lists.columns import plant_time
from production.anomalies.measures import (
    DURATA,
    MEASURES,
    PESO,
    TEMPERATURA,
    Measure,
    is_missing,
    number_in,
    range_in_words,
    readable,
)
from production.catalogue import AnomaliaId
from production.models import AnomaliaOperazione, CodiceField
from production.vocabulary import OrigineAnomalia

QUOTED_LENGTH = 120
FIELDS = {
    "timestamp_inizio": gettext_lazy("Ora di inizio"),
    "timestamp_fine": gettext_lazy("Ora di fine"),
    "id_ordine": gettext_lazy("Numero d'ordine"),
    "codice_pezzo": gettext_lazy("Codice pezzo"),
    "codice_macchinario": gettext_lazy("Codice macchinario"),
    "codice_operatore": gettext_lazy("Codice operatore"),
}
CODES = ("codice_pezzo", "codice_macchinario", "codice_operatore")

Limits = Mapping[str, Any]
Sentence = Callable[[AnomaliaOperazione, Limits], str]


def sentence(row: AnomaliaOperazione, limits: Limits) -> str:
    """``limits``: the plausibility limits of the settings. Reads the row's operation and piece."""
    if row.origine == OrigineAnomalia.MACCHINA:
        return _declared(row)
    write = SENTENCES.get(row.anomalia_id, _as_noted)
    return write(row, limits)


def _quoted(text: str | None) -> str:
    return f"«{Truncator(text or '').chars(QUOTED_LENGTH)}»"


def _field(row: AnomaliaOperazione) -> str:
    return str(FIELDS.get(row.campo or "", row.campo or ""))


def _as_noted(row: AnomaliaOperazione, limits: Limits) -> str:
    """Of a kind that the plant added, or that another program raised: what was written."""
    told = row.note or _("nessuna nota.")
    return f"{row.anomalia.tipo_anomalia}: {told}"


def _declared(row: AnomaliaOperazione) -> str:
    """The machine's word, and the measure that it is about, if that was stored."""
    if row.anomalia_id in (AnomaliaId.ALTRO, AnomaliaId.ANOMALIA_STRUTTURA):
        text = _("La macchina ha dichiarato l'anomalia %(number)s, che non è nel catalogo.")
        return text % {"number": row.valore_ricevuto or "?"}
    text = _("La macchina ha dichiarato l'anomalia %(kind)s.") % {"kind": row.anomalia}
    measure = MEASURES.get(row.anomalia_id)
    if measure is None or (value := measure.stored(row.operazione)) is None:
        return text
    told = _("Registrato: %(label)s %(value)s.")
    return f"{text} {told % {'label': str(measure.label).lower(), 'value': measure.shown(value)}}"


# --- Measures -----------------------------------------------------------------------------


def _implausible(row: AnomaliaOperazione, limits: Limits) -> str:
    measure = MEASURES[row.anomalia_id]
    expected = _expected(measure, limits)
    if is_missing(row.valore_ricevuto):
        text = _("%(label)s mancante: deve essere un numero %(range)s.")
        return text % {"label": measure.label, "range": expected}
    value = number_in(row.valore_ricevuto)
    if value is None:
        text = _("%(label)s %(value)s non leggibile: deve essere un numero %(range)s.")
        return text % {
            "label": measure.label,
            "value": _quoted(row.valore_ricevuto),
            "range": expected,
        }
    text = _("%(label)s %(value)s non plausibile: deve essere %(range)s.")
    return text % {"label": measure.label, "value": measure.shown(value), "range": expected}


def _expected(measure: Measure, limits: Limits) -> str:
    """A weight of 0 is none; all other limits are included."""
    words = range_in_words(measure.plausible_range(limits), measure.unit).strip()
    if measure is PESO:
        highest = readable(measure.plausible_range(limits).high or Decimal(0))
        return _("maggiore di 0 e al più %(high)s kg") % {"high": highest}
    return words


def _out_of_specification(row: AnomaliaOperazione, limits: Limits) -> str:
    measure = MEASURES[row.anomalia_id]
    value = measure.stored(row.operazione)
    value = number_in(row.valore_ricevuto) if value is None else value
    pezzo = row.operazione.pezzo
    if value is None or pezzo is None:
        return _as_noted(row, limits)
    allowed = measure.piece_range(pezzo)
    values = {"value": measure.shown(value), "piece": pezzo.pk}
    if not allowed:
        values["label"] = str(measure.label)
        return _("%(label)s %(value)s: il pezzo %(piece)s ora non ha limiti.") % values
    values["range"] = range_in_words(allowed, measure.unit)
    told = _OUT_OF_SPECIFICATION[measure] % values
    if not allowed.holds(value):
        return told
    changed = _("I limiti del pezzo sono cambiati da allora: ora il valore rientra.")
    return f"{told} {changed}"


_OUT_OF_SPECIFICATION = {
    PESO: gettext_lazy("Peso %(value)s: il pezzo %(piece)s deve pesare %(range)s."),
    TEMPERATURA: gettext_lazy("Temperatura %(value)s: il pezzo %(piece)s si forgia %(range)s."),
}


def _wrong_rate(row: AnomaliaOperazione, limits: Limits) -> str:
    value = number_in(row.valore_ricevuto)
    text = _("Pezzi all'ora %(value)s: deve essere un numero intero tra 0 e %(high)s.")
    return text % {
        "value": _quoted(row.valore_ricevuto) if value is None else readable(value),
        "high": readable(Decimal(limits["pezzi_ora_max"])),
    }


def _long_duration(row: AnomaliaOperazione, limits: Limits) -> str:
    value = DURATA.stored(row.operazione)
    if value is None:
        return _as_noted(row, limits)
    text = _("Durata di %(value)s ore: una lavorazione ne dura al più %(high)s.")
    return text % {
        "value": readable(round(value, 2)),
        "high": readable(Decimal(limits["durata_max_ore"])),
    }


# --- Times --------------------------------------------------------------------------------


def _wrong_moment(row: AnomaliaOperazione, limits: Limits) -> str:
    field = _field(row) or _("Orario")
    if is_missing(row.valore_ricevuto):
        return _("%(field)s mancante: serve la data con l'ora.") % {"field": field}
    text = _(
        "%(field)s %(value)s non valida: serve una data con l'ora, dal 2000 in poi e al più "
        "%(minutes)s minuti dopo la ricezione."
    ) % {
        "field": field,
        "value": _quoted(row.valore_ricevuto),
        "minutes": limits["tolleranza_futuro_minuti"],
    }
    inizio = row.operazione.timestamp_inizio
    if row.campo != "timestamp_fine" or inizio is None:
        return text
    not_before = _("Non può venire prima dell'inizio, %(start)s.")
    return f"{text} {not_before % {'start': plant_time(inizio)}}"


def _still_open(row: AnomaliaOperazione, limits: Limits) -> str:
    inizio = row.operazione.timestamp_inizio
    if inizio is None:
        return _("Ora di fine mancante: l'operazione risulta ancora aperta.")
    text = _("Ora di fine mancante: l'operazione iniziata il %(start)s risulta ancora aperta.")
    return text % {"start": plant_time(inizio)}


# --- Words and references -----------------------------------------------------------------


def _wrong_operation_type(row: AnomaliaOperazione, limits: Limits) -> str:
    if is_missing(row.valore_ricevuto):
        return _("Tipo di operazione mancante: deve essere forgiatura o cnc.")
    text = _("Tipo di operazione %(value)s sconosciuto: deve essere forgiatura o cnc.")
    return text % {"value": _quoted(row.valore_ricevuto)}


def _unknown_stop(row: AnomaliaOperazione, limits: Limits) -> str:
    text = _(
        "Tipo di fermo %(value)s sconosciuto: registrato come ALTRO. Se è una parola nuova, "
        "aggiungila ai sinonimi di un tipo di fermo."
    )
    return text % {"value": _quoted((row.valore_ricevuto or "").strip())}


def _unknown_reference(row: AnomaliaOperazione, limits: Limits) -> str:
    text = _(
        "%(field)s %(value)s sconosciuto: non è tra i dati del portale, e l'operazione ne "
        "resta senza."
    )
    return text % {"field": _field(row), "value": _quoted((row.valore_ricevuto or "").strip())}


def _malformed_declaration(row: AnomaliaOperazione, limits: Limits) -> str:
    text = _(
        "Elenco delle anomalie illeggibile: deve essere della forma %(form)s, è arrivato %(value)s."
    )
    return text % {"form": '[{"id": 3}]', "value": _quoted(row.valore_ricevuto)}


def _other(row: AnomaliaOperazione, limits: Limits) -> str:
    value = row.valore_ricevuto or ""
    longest = CodiceField().max_length or 0
    if row.campo in CODES and len(value) > longest:
        text = _("%(field)s %(value)s troppo lungo: il massimo è %(longest)s caratteri.")
        return text % {"field": _field(row), "value": _quoted(value), "longest": longest}
    if row.campo:
        text = _("Il campo «%(field)s» è stato modificato alla ricezione: conteneva %(value)s.")
        return text % {"field": row.campo, "value": _quoted(value)}
    return _as_noted(row, limits)


# --- What the orders raise ----------------------------------------------------------------


def _too_many(row: AnomaliaOperazione, limits: Limits) -> str:
    text = _(
        "Pezzi in più: %(pieces)s. L'ordine %(order)s non ne chiedeva altri; sono andati al "
        "magazzino."
    )
    return text % {"pieces": row.valore_ricevuto or "?", "order": row.operazione.ordine_id or "?"}


def _too_little_stock(row: AnomaliaOperazione, limits: Limits) -> str:
    text = _("Al magazzino mancavano grezzi per il pezzo %(piece)s: %(pieces)s.")
    return text % {"pieces": row.valore_ricevuto or "?", "piece": row.operazione.pezzo_id or "?"}


SENTENCES: dict[int, Sentence] = {
    AnomaliaId.TIMESTAMP_NON_VALIDO: _wrong_moment,
    AnomaliaId.PESO_NON_VALIDO: _implausible,
    AnomaliaId.TEMPERATURA_NON_VALIDA: _implausible,
    AnomaliaId.ANOMALIA_STRUTTURA: _malformed_declaration,
    AnomaliaId.TIPO_OPERAZIONE_NON_VALIDO: _wrong_operation_type,
    AnomaliaId.PESO_FUORI_SPECIFICA: _out_of_specification,
    AnomaliaId.TEMPERATURA_FUORI_SPECIFICA: _out_of_specification,
    AnomaliaId.PEZZI_ORA_NON_VALIDI: _wrong_rate,
    AnomaliaId.TIPO_FERMO_SCONOSCIUTO: _unknown_stop,
    AnomaliaId.RIFERIMENTO_SCONOSCIUTO: _unknown_reference,
    AnomaliaId.DURATA_ANOMALA: _long_duration,
    AnomaliaId.OPERAZIONE_APERTA: _still_open,
    AnomaliaId.SOVRAPPRODUZIONE: _too_many,
    AnomaliaId.SCORTA_INSUFFICIENTE: _too_little_stock,
    AnomaliaId.ALTRO: _other,
}
