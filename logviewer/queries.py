"""``postgresql.log`` and ``mysql.log``: connections, slow and failing statements, loads.

Fed by the connections that ``logviewer.backends`` makes; SQLite, which is for trying out, feeds
neither. Statements are shown with placeholders, and never the driver's text: both could hold
values.
"""

import logging
import re
import time
from collections.abc import Callable, Sized
from typing import Any

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

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


class LoggedConnection(BaseDatabaseWrapper):
    """Writes that it was made, or why it was not, and what ``StatementLog`` tells.

    Django has no signal for a connection that is refused; hence an engine of our own for each
    server (``logviewer.backends``), which is this and Django's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        log = StatementLog(settings.LOG_QUERY_LENTE_MS / 1000, settings.LOG_CARICO_RIGHE)
        self.execute_wrappers.append(log)

    def connect(self) -> None:
        logger = LOGGERS[self.vendor]
        try:
            super().connect()
        except Exception as error:  # the driver's own class: Django gives it one of its own later
            logger.error("connection failed: database=%s %s", self.alias, named(error))
            raise
        logger.info("connected: database=%s", self.alias)


class StatementLog:
    """An ``execute_wrapper``: times each statement, and writes of the few that matter.

    ``slow_seconds``: what takes as long is slow; ``load_rows``: an insert of so many is a load.
    """

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
            self._tell(context, sql, f"statement failed: {named(error)}", start)
            raise
        seconds = time.perf_counter() - start
        if seconds >= self.slow_seconds:
            self._tell(context, sql, "slow statement:", start)
        if many or (isinstance(sql, str) and sql.startswith("INSERT")):
            rows = len(params) if many and isinstance(params, Sized) else context["cursor"].rowcount
            if rows and rows >= self.load_rows and (table := _INSERT.match(str(sql))):
                LOGGERS[context["connection"].vendor].info(
                    "load: righe=%s tabella=%s ms=%.0f", rows, table[1], seconds * 1000
                )
        return result

    def _tell(self, context: dict[str, Any], sql: Any, what: str, start: float) -> None:
        vendor = context["connection"].vendor
        taken = (time.perf_counter() - start) * 1000
        LOGGERS[vendor].warning("%s ms=%.0f %s", what, taken, placeholders_only(sql, vendor))


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
