"""The sentences of anomaly rows, in Italian for the people of the plant.

Each says what was received and what was expected; ``note`` columns get at most 500 characters.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from ingestion.transfer.records import Unreadable
from ingestion.transfer.text import shorten
from ingestion.transfer.timestamps import utc_to_plant

QUOTED_LENGTH = 120
REASONS_OF_RECEPTION = {
    "carattere_non_valido": "un carattere che il database non accetta è diventato «�»",
    "numero_non_rappresentabile": "un numero troppo grande è stato conservato come testo",
}
MAX_DIGITS = 15  # beyond this a number is shown in powers of ten


def quote(text: str) -> str:
    return f"«{shorten(text, QUOTED_LENGTH)}»"


def italian(number: Decimal | int) -> str:
    """12.50 as "12,5"; of a number with very many digits, the first ones."""
    exact = Decimal(number)
    if len(exact.as_tuple().digits) > MAX_DIGITS or abs(exact.adjusted()) > MAX_DIGITS:
        return f"{float(exact):g}".replace(".", ",")
    return f"{exact.normalize():f}".replace(".", ",")


def between(low: Decimal | None, high: Decimal | None, unit: str) -> str:
    """What a limit that is None leaves out: "tra 10 e 12 kg", "almeno 10 kg", "al più 12 kg"."""
    if low is not None and high is not None:
        return f"tra {italian(low)} e {italian(high)} {unit}"
    if low is not None:
        return f"almeno {italian(low)} {unit}"
    return f"al più {italian(high or 0)} {unit}"


def implausible_measure(
    name: str, unit: str, value: Decimal | Unreadable | None, expected: str
) -> str:
    if value is None:
        return f"{name} mancante: deve essere un numero {expected}."
    if isinstance(value, Unreadable):
        return f"{name} {quote(value.testo)} non leggibile: deve essere un numero {expected}."
    return f"{name} {italian(value)} {unit} non plausibile: deve essere {expected}."


def out_of_specification(name: str, unit: str, value: Decimal, pezzo: str, expected: str) -> str:
    return (
        f"{name} {italian(value)} {unit} fuori specifica per il pezzo {quote(pezzo)}: "
        f"deve essere {expected}."
    )


def wrong_rate(value: int | Unreadable, highest: int) -> str:
    received = quote(value.testo) if isinstance(value, Unreadable) else italian(value)
    return f"Pezzi all'ora {received} non validi: deve essere un numero intero tra 0 e {highest}."


def unknown_stop_type(word: str) -> str:
    return f"Tipo di fermo {quote(word)} sconosciuto: registrato come ALTRO."


def wrong_operation_type(word: str | None) -> str:
    if word is None:
        return "Tipo di operazione mancante: deve essere forgiatura o cnc."
    return f"Tipo di operazione {quote(word)} sconosciuto: deve essere forgiatura o cnc."


def unknown_reference(name: str, code: str) -> str:
    return f"{name} {quote(code)} sconosciuto: non è tra i dati del portale."


def too_long(name: str, code: str, longest: int) -> str:
    return f"{name} {quote(code)} troppo lungo: {len(code)} caratteri, il massimo è {longest}."


def missing_start() -> str:
    return "Ora di inizio mancante: serve la data con l'ora."


def missing_end() -> str:
    return "Ora di fine mancante: l'operazione risulta ancora aperta."


def unreadable_moment(name: str, moment: Unreadable) -> str:
    return (
        f"{name} {quote(moment.testo)} non valida: {moment.motivo}. "
        "Si scrive per esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00."
    )


def future_moment(name: str, moment: datetime, received_at: datetime, tolerance: timedelta) -> str:
    return (
        f"{name} {_moment(moment)} non valida: il record è stato ricevuto prima, "
        f"{_moment(received_at)}, e sono ammessi al più "
        f"{_amount(tolerance, timedelta(minutes=1))} minuti di differenza."
    )


def end_before_start(inizio: datetime, fine: datetime) -> str:
    return (
        f"Ora di fine {_moment(fine)} non valida: viene prima dell'ora di inizio {_moment(inizio)}."
    )


def long_duration(duration: timedelta, longest: timedelta) -> str:
    hour = timedelta(hours=1)
    return (
        f"Durata di {_amount(duration, hour)} ore anomala: "
        f"ne sono previste al più {_amount(longest, hour)}."
    )


def declared(number: int) -> str:
    return f"Anomalia {number} dichiarata dalla macchina."


def declared_unknown(number: int) -> str:
    return f"La macchina ha dichiarato l'anomalia {number}, che non è nel catalogo."


def malformed_declaration(longest: int) -> str:
    return (
        "Elenco delle anomalie illeggibile, in parte o del tutto: deve essere della forma "
        f'[{{"id": 3}}], con al più {longest} elementi.'
    )


def altered_at_reception(campo: str | None, motivo: str | None) -> str:
    where = f"Il campo {quote(campo)}" if campo else "Il record"
    why = REASONS_OF_RECEPTION.get(motivo or "", motivo or "conteneva valori non memorizzabili")
    return f"{where} è stato modificato alla ricezione: {why}."


def _moment(moment: datetime) -> str:
    try:
        return f"{utc_to_plant(moment):%d/%m/%Y %H:%M:%S}"
    except OverflowError:  # the last hours of the year 9999
        return f"{moment:%d/%m/%Y %H:%M:%S} UTC"


def _amount(duration: timedelta, unit: timedelta) -> str:
    return f"{duration / unit:.10g}".replace(".", ",")
