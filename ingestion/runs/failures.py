"""What kind of failure an exception is, by its code (docs/affidabilita.md, "Guasti").

The exception's class does not tell: mysqlclient reports some bad data as OperationalError.
"""

import errno
from enum import Enum

from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.utils import Error as DatabaseErrorBase

from ingestion.models import EsecuzioneEtl

MYSQL_PASSING = {1213, 1205, 1040, 1053, 2002, 2003, 2006, 2013, 1927}
MYSQL_DATA = {1264, 1265, 1292, 1366, 1406, 1048, 1062, 1452, 3819, 4025}
MYSQL_RESOURCE = {1114, 1021}
POSTGRESQL_PASSING = ("40001", "40P01", "55P03", "57P0", "08")
POSTGRESQL_RESOURCE = ("53",)
SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")


class Failure(Enum):
    PASSING = "passing"  # the same again later may well succeed
    DATA = "data"  # this row will never load as it is
    RESOURCE = "resource"  # a disk or a table is full: stop and say so
    UNKNOWN = "unknown"


def classify(error: BaseException) -> Failure:
    code = mysql_code(error)
    state = getattr(error.__cause__, "pgcode", None) or ""
    if code in MYSQL_PASSING or state.startswith(POSTGRESQL_PASSING):
        return Failure.PASSING
    if code in MYSQL_DATA:
        return Failure.DATA
    if (
        code in MYSQL_RESOURCE
        or state.startswith(POSTGRESQL_RESOURCE)
        or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
    ):
        return Failure.RESOURCE
    if isinstance(error, (DataError, IntegrityError, ValueError)):
        return Failure.DATA
    if isinstance(error, (InterfaceError, OperationalError)) and code is None:
        return _classify_uncoded(error)
    return Failure.UNKNOWN


def _classify_uncoded(error: BaseException) -> Failure:
    """SQLite names its errors; from PostgreSQL, no code at all means no connection."""
    name = getattr(error.__cause__, "sqlite_errorname", None)
    if name is None or name.startswith(SQLITE_PASSING):
        return Failure.PASSING
    return Failure.RESOURCE if name == "SQLITE_FULL" else Failure.UNKNOWN


def mysql_code(error: BaseException) -> int | None:
    """The server's or client's error number; None for another database's errors."""
    if isinstance(error, DatabaseErrorBase) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None


STOPPED_BECAUSE = {
    Failure.PASSING: "Il database di produzione (MySQL) non risponde.",
    Failure.DATA: "Il database ha rifiutato i dati.",
    Failure.RESOURCE: "Il disco o una tabella del database è pieno.",
    Failure.UNKNOWN: "Errore interno: vedere etl.log.",
}


def stopped_because(error: Exception) -> tuple[str, str]:
    """How a run that could not go on ends: (state, Italian sentence).

    Only what nobody foresaw is an ERRORE: the rest will pass, and the rows wait.
    """
    failure = classify(error)
    told = STOPPED_BECAUSE[failure]
    if failure is Failure.PASSING and mysql_code(error) is None:
        told = "Un database ha smesso di rispondere."  # PostgreSQL's errors have no such number
    unknown = failure is Failure.UNKNOWN
    return (EsecuzioneEtl.Stato.ERRORE if unknown else EsecuzioneEtl.Stato.PARZIALE), told


# What a rejected row says to the people who have to mend it.
REASONS = {
    1264: "Un numero è fuori dall'intervallo della colonna.",
    1265: "Un valore non entra intero nella colonna.",
    1292: "Una data o un numero non è scritto in modo valido.",
    1366: "Un testo contiene caratteri che la colonna non accetta.",
    1406: "Un testo è più lungo della colonna.",
    1048: "Manca un valore obbligatorio.",
    1062: "Un'operazione uguale è già presente.",
    1452: "Un codice non esiste più nelle anagrafiche: rimettere in coda il record.",
    3819: "Un valore non rispetta un vincolo della tabella.",
    4025: "Un valore non rispetta un vincolo della tabella.",
}


def reason(error: BaseException) -> tuple[str, str]:
    """(code, Italian sentence) for a row that cannot be loaded; never the exception's own text."""
    code = mysql_code(error)
    if code is not None:
        return f"MYSQL_{code}", REASONS.get(code, f"Il database ha rifiutato il record ({code}).")
    if isinstance(error, (IntegrityError, DataError)):
        return "DATO_RIFIUTATO", "Il database ha rifiutato il record."
    return "ERRORE_INTERNO", "Il record non è stato elaborato per un errore del programma."
