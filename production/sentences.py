"""What anomalies say: the one table of sentences, for the notes and for the pages.

Each is an Italian template, by which its translation is known too. A note is said in Italian when
the anomaly is raised; the page of the anomaly says the same sentence in its reader's language.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from production.reading import shorten
from production.timestamps import utc_to_plant
from production.vocabulary import gettext_noop as _

QUOTED_LENGTH = 120
MAX_DIGITS = 15  # beyond this a number is shown in powers of ten

# --- Times (1, 107, 108) ------------------------------------------------------------------

START_MISSING = _("%(label)s mancante: serve la data con l'ora.")
END_MISSING = _("%(label)s mancante: l'operazione risulta ancora aperta.")
MOMENT_UNREADABLE = _(
    "%(label)s %(value)s non valida: %(reason)s. "
    "Si scrive per esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00."
)
MOMENT_IN_THE_FUTURE = _(
    "%(label)s %(value)s non valida: il record è stato ricevuto prima, %(received)s, e sono "
    "ammessi al più %(minutes)s minuti di differenza."
)
# On pages, which do not know when the record was received.
MOMENT_TOO_LATE = _(
    "%(label)s %(value)s non valida: sono ammessi al più %(minutes)s minuti dopo la ricezione."
)
END_BEFORE_START = _("%(label)s %(value)s non valida: viene prima dell'ora di inizio %(start)s.")
LONG_DURATION = _("Durata di %(value)s ore anomala: ne sono previste al più %(high)s.")

# --- Measures (2, 3, 102, 103, 104) -------------------------------------------------------

MEASURE_MISSING = _("%(label)s mancante: deve essere un numero %(range)s.")
MEASURE_UNREADABLE = _("%(label)s %(value)s non leggibile: deve essere un numero %(range)s.")
MEASURE_IMPLAUSIBLE = _("%(label)s %(value)s non plausibile: deve essere %(range)s.")
OUT_OF_SPECIFICATION = _(
    "%(label)s %(value)s fuori specifica per il pezzo %(piece)s: deve essere %(range)s."
)
RATE_WRONG = _("%(label)s %(value)s non validi: deve essere un numero intero tra 0 e %(high)s.")
ABOVE_ZERO = _("maggiore di 0 e al più %(high)s %(unit)s")
BETWEEN = _("tra %(low)s e %(high)s %(unit)s")
AT_LEAST = _("almeno %(low)s %(unit)s")
AT_MOST = _("al più %(high)s %(unit)s")

# --- Words and codes (101, 105, 106, 999) -------------------------------------------------

OPERATION_TYPE_MISSING = _("%(label)s mancante: deve essere forgiatura o cnc.")
OPERATION_TYPE_UNKNOWN = _("%(label)s %(value)s sconosciuto: deve essere forgiatura o cnc.")
STOP_UNKNOWN = _("%(label)s %(value)s sconosciuto: registrato come ALTRO.")
REFERENCE_UNKNOWN = _("%(label)s %(value)s sconosciuto: non è tra i dati del portale.")
CODE_TOO_LONG = _("%(label)s %(value)s troppo lungo: il massimo è %(longest)s caratteri.")

# --- What came with the record (4, 999) ---------------------------------------------------

DECLARED = _("Anomalia %(kind)s dichiarata dalla macchina.")
DECLARED_UNKNOWN = _("La macchina ha dichiarato l'anomalia %(number)s, che non è nel catalogo.")
DECLARATION_MALFORMED = _(
    "Elenco delle anomalie illeggibile, in parte o del tutto: deve essere della forma %(form)s, "
    "con al più %(longest)s elementi."
)
FIELD_ALTERED = _("Il campo %(field)s è stato modificato alla ricezione: %(reason)s.")
RECORD_ALTERED = _("Il record è stato modificato alla ricezione: %(reason)s.")
REASONS_OF_RECEPTION = {
    "carattere_non_valido": _("un carattere che il database non accetta è diventato «�»"),
    "numero_non_rappresentabile": _("un numero troppo grande è stato conservato come testo"),
}
NOT_STORABLE = _("conteneva valori non memorizzabili")
HELD = _("conteneva %(value)s")

# --- What the orders raise (109, 110) -----------------------------------------------------

SURPLUS = _(
    "Pezzi in più: %(pieces)s. L'ordine %(order)s non ne chiedeva altri; sono andati al magazzino."
)
BLANKS_MISSING = _("Al magazzino mancavano grezzi per il pezzo %(piece)s: %(pieces)s.")

# --- What a page adds, from what is known today -------------------------------------------

MEASURE_RECORDED = _("Registrato: %(label)s %(value)s.")
NO_LIMITS_NOW = _("%(label)s %(value)s: il pezzo %(piece)s ora non ha limiti.")
LIMITS_CHANGED = _("I limiti del pezzo sono cambiati da allora: ora il valore rientra.")
STOP_HINT = _("Se è una parola nuova, aggiungila ai sinonimi di un tipo di fermo.")
NO_NOTE = _("nessuna nota.")


class Speech(NamedTuple):
    """A language to say them in: its translator, and its sign before decimals."""

    translate: Callable[[str], str]
    decimal_sign: str

    def say(self, template: str, **values: str | Decimal | int | datetime) -> str:
        """The sentence with these values: numbers and times as people write them."""
        for name, value in values.items():
            if not isinstance(value, str):  # most are texts, and a run says thousands
                values[name] = self.shown(value)
        return self.translate(template) % values

    def shown(self, value: str | Decimal | int | datetime, unit: str = "") -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, datetime):
            try:
                at, zone = utc_to_plant(value), ""
            except OverflowError:  # the last hours of the year 9999
                at, zone = value, " UTC"
            day = f"{at.day:02}/{at.month:02}/{at.year}"  # three times as fast as strftime
            return f"{day} {at.hour:02}:{at.minute:02}:{at.second:02}{zone}"
        text = _number(value).replace(".", self.decimal_sign)
        return f"{text} {unit}" if unit else text

    def between(self, low: Decimal | None, high: Decimal | None, unit: str) -> str:
        """What a limit that is None leaves out: "tra 10 e 12 kg", "almeno 10 kg"."""
        if low is not None and high is not None:
            return self.say(BETWEEN, low=low, high=high, unit=unit)
        if low is not None:
            return self.say(AT_LEAST, low=low, unit=unit)
        return "" if high is None else self.say(AT_MOST, high=high, unit=unit)

    def malformed(self, longest: int) -> str:
        form = '[{"id": 3}]'
        return self.say(DECLARATION_MALFORMED, form=form, longest=longest)

    def altered(self, field: str | None, reason: str) -> str:
        """What reception did to a field, or to the record: ``reason`` is translated already."""
        if field:
            return self.say(FIELD_ALTERED, field=quote(field), reason=reason)
        return self.say(RECORD_ALTERED, reason=reason)


ITALIAN = Speech(str, ",")  # of the notes


def quote(text: str) -> str:
    return f"«{shorten(text, QUOTED_LENGTH)}»"


def hours(duration: timedelta) -> Decimal:
    """To ten digits: that a duration is a microsecond too long is still seen."""
    return Decimal(f"{duration / timedelta(hours=1):.10g}")


@lru_cache(maxsize=1024)  # the same limits are said again and again
def _number(number: Decimal | int) -> str:
    """12.50 as "12.5"; of a number with very many digits, the first ones."""
    exact = Decimal(number)
    if len(exact.as_tuple().digits) > MAX_DIGITS or abs(exact.adjusted()) > MAX_DIGITS:
        return f"{float(exact):g}"
    return f"{exact.normalize():f}"
