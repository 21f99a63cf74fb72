"""``postgresql.log`` and ``mysql.log``: connections, slow and failing statements, loads.

Fed from Django's connections, by the vendor of each; SQLite, which is for trying out, feeds
neither. Statements are shown with placeholders, and never the driver's text: both could hold
values.
"""

import logging
import re
import time
from collections.abc import Callable, Sized
from functools import wraps
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

LOGGERS = {vendor: logging.getLogger(vendor) for vendor in ("postgresql", "mysql")}
SHOWN_CHARACTERS = 500

_LITERAL = re.compile(
    r"'(?:[^'\\]|\\.|'')*'?"  # an unclosed one hides the rest
    r"|\$(\w*)\$.*?\$\1\$"
    r"|(?<![\w.])[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b",
    re.DOTALL,
)
_MYSQL_LITERAL = re.compile(r'"(?:[^"\\]|\\.|"")*"?', re.DOTALL)  # elsewhere a quoted name
_MANY = re.compile(r"(%s)(?:\s*,\s*%s)+")
_MANY_ROWS = re.compile(r"(\([^()]*\))(?:\s*,\s*\1)+")
_INSERT = re.compile(r"\s*(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+[\"`]?(\w+)", re.IGNORECASE)


def watch(slow_ms: float, load_rows: int) -> None:
    """From now on, every connection of every thread writes its events.

    ``slow_ms``: a statement that takes longer is one; ``load_rows``: an insert of as many rows.
    """
    statements = StatementLog(slow_ms / 1000, load_rows)

    def connected(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        logger = LOGGERS.get(connection.vendor)
        if logger is None:
            return
        logger.info("connected: database=%s", connection.alias)
        if statements not in connection.execute_wrappers:
            connection.execute_wrappers.append(statements)

    connection_created.connect(connected, weak=False, dispatch_uid="logviewer")
    _watch_refusals()


def _watch_refusals() -> None:
    """No signal tells of a connection that was not made: the one method that makes them does.

    The alternative, an engine of our own for each server, would be three files for one line.
    """
    connect = BaseDatabaseWrapper.connect
    if hasattr(connect, "watched"):
        return

    @wraps(connect)
    def watched(self: BaseDatabaseWrapper) -> None:
        try:
            connect(self)
        except Exception as error:  # the driver's own class: Django gives it one of its own later
            if logger := LOGGERS.get(self.vendor):
                logger.error("connection failed: database=%s %s", self.alias, named(error))
            raise

    watched.watched = True  # type: ignore[attr-defined]
    BaseDatabaseWrapper.connect = watched  # type: ignore[method-assign]


class StatementLog:
    """An ``execute_wrapper``: times each statement, and writes of the few that matter."""

    def __init__(self, slow_seconds: float, load_rows: int) -> None:
        self.slow_seconds = slow_seconds
        self.load_rows = load_rows

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        start = time.perf_counter()
        try:
            result = execute(sql, params, many, context)
        except Error as error:
            self._failed(context, sql, error, time.perf_counter() - start)
            raise
        seconds = time.perf_counter() - start
        if seconds >= self.slow_seconds:
            vendor = context["connection"].vendor
            shown = placeholders_only(sql, vendor)
            LOGGERS[vendor].warning("slow statement: ms=%.0f %s", seconds * 1000, shown)
        if many or (isinstance(sql, str) and sql.startswith("INSERT")):
            self._loaded(context, sql, params, many, seconds)
        return result

    def _failed(self, context: dict[str, Any], sql: Any, error: Error, seconds: float) -> None:
        vendor = context["connection"].vendor
        LOGGERS[vendor].warning(
            "statement failed: %s ms=%.0f %s",
            named(error),
            seconds * 1000,
            placeholders_only(sql, vendor),
        )

    def _loaded(
        self, context: dict[str, Any], sql: Any, params: Any, many: bool, seconds: float
    ) -> None:
        rows = len(params) if many and isinstance(params, Sized) else context["cursor"].rowcount
        if rows is None or rows < self.load_rows:
            return
        if table := _INSERT.match(str(sql)):
            LOGGERS[context["connection"].vendor].info(
                "load: righe=%s tabella=%s ms=%.0f", rows, table[1], seconds * 1000
            )


def named(error: BaseException) -> str:
    """The class and, if there is one, the SQLSTATE or the server's number."""
    code = getattr(error.__cause__ or error, "pgcode", None)
    if code is None and error.args and isinstance(error.args[0], int):
        code = error.args[0]
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def placeholders_only(sql: Any, vendor: str) -> str:
    """The statement on one line, short, with ``?`` for each text and number written in it."""
    text = str(sql)[: SHOWN_CHARACTERS * 20]
    if vendor == "mysql":
        text = _MYSQL_LITERAL.sub("?", text)
    text = _LITERAL.sub("?", text)
    text = _MANY.sub(r"\1, …", " ".join(text.split()))
    text = _MANY_ROWS.sub(r"\1, …", text)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
