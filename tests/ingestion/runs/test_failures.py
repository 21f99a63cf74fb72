"""docs/affidabilita.md, "Guasti": what an error is, by its code and not by its class."""

import errno

import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.db.utils import DatabaseError

from ingestion.runs.failures import Failure, classify, mysql_code, reason

PASSING = (1213, 1205, 1040, 1053, 2002, 2003, 2006, 2013, 1927)
DATA = (1264, 1265, 1292, 1366, 1406, 1048, 1062, 1452, 3819, 4025)
RESOURCE = (1114, 1021)


class DriverError(Exception):
    """What psycopg2 raises under Django's exception."""

    def __init__(self, pgcode):
        super().__init__("server text")
        self.pgcode = pgcode


class SqliteError(Exception):
    """What sqlite3 raises under Django's exception."""

    def __init__(self, name):
        super().__init__("database text")
        self.sqlite_errorname = name


def postgresql(pgcode, wrapper=OperationalError):
    error = wrapper("server text")
    error.__cause__ = DriverError(pgcode)
    return error


# mysqlclient reports some bad data as OperationalError, and some lost connections as others.
CLASSES = (OperationalError, DataError, IntegrityError, InterfaceError, DatabaseError)


@pytest.mark.parametrize("wrapper", CLASSES)
@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *((code, Failure.PASSING) for code in PASSING),
        *((code, Failure.DATA) for code in DATA),
        *((code, Failure.RESOURCE) for code in RESOURCE),
    ],
)
def test_mysql_codes(code, failure, wrapper):
    assert classify(wrapper(code, "server text")) is failure


@pytest.mark.parametrize("wrapper", [OperationalError, DatabaseError])
@pytest.mark.parametrize(
    ("pgcode", "failure"),
    [
        ("40001", Failure.PASSING),
        ("40P01", Failure.PASSING),
        ("55P03", Failure.PASSING),
        ("57P01", Failure.PASSING),
        ("57P03", Failure.PASSING),
        ("08000", Failure.PASSING),
        ("08006", Failure.PASSING),
        ("53100", Failure.RESOURCE),
        ("53200", Failure.RESOURCE),
    ],
)
def test_postgresql_codes(pgcode, failure, wrapper):
    assert classify(postgresql(pgcode, wrapper)) is failure


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("SQLITE_BUSY", Failure.PASSING),
        ("SQLITE_BUSY_SNAPSHOT", Failure.PASSING),
        ("SQLITE_LOCKED", Failure.PASSING),
        ("SQLITE_FULL", Failure.RESOURCE),
        ("SQLITE_CANTOPEN", Failure.PASSING),  # as a server that is away
        ("SQLITE_ERROR", Failure.UNKNOWN),
    ],
)
def test_sqlite_names_its_errors(name, failure):
    error = OperationalError("database text")
    error.__cause__ = SqliteError(name)

    assert classify(error) is failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OperationalError("server closed the connection unexpectedly"), Failure.PASSING),
        (OperationalError("database is locked"), Failure.PASSING),
        (InterfaceError("connection already closed"), Failure.PASSING),
        (DataError("x"), Failure.DATA),
        (IntegrityError("FOREIGN KEY constraint failed"), Failure.DATA),
        (ValueError("x"), Failure.DATA),
        (OSError(errno.ENOSPC, "x"), Failure.RESOURCE),
        (OSError(errno.EACCES, "x"), Failure.UNKNOWN),
        (ProgrammingError(1146, "no such table"), Failure.UNKNOWN),
        (KeyError("x"), Failure.UNKNOWN),
        (RuntimeError(1213), Failure.UNKNOWN),
    ],
)
def test_errors_without_a_known_code(error, failure):
    assert classify(error) is failure


def test_only_a_database_error_has_a_code():
    assert mysql_code(OperationalError(1213, "Deadlock")) == 1213
    assert mysql_code(OperationalError("Deadlock")) is None
    assert mysql_code(OperationalError()) is None
    assert mysql_code(RuntimeError(1213)) is None


@pytest.mark.parametrize("code", DATA)
def test_every_kind_of_bad_data_has_a_reason_in_words(code):
    short, sentence = reason(DataError(code, "Data too long for column 'segreta' at row 1"))

    assert short == f"MYSQL_{code}"
    assert sentence.endswith(".")
    assert str(code) not in sentence
    assert "segreta" not in sentence


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (IntegrityError("segreta"), "DATO_RIFIUTATO"),
        (DataError("segreta"), "DATO_RIFIUTATO"),
        (DataError(9999, "segreta"), "MYSQL_9999"),
        (ValueError("segreta"), "ERRORE_INTERNO"),
        (ZeroDivisionError("segreta"), "ERRORE_INTERNO"),
    ],
)
def test_a_reason_never_quotes_the_exception(error, short):
    code, sentence = reason(error)

    assert code == short
    assert len(code) <= 50
    assert sentence.endswith(".")
    assert "segreta" not in sentence
