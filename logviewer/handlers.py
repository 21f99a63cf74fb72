"""How a log line looks and where it goes; several processes write the same files."""

import logging
import logging.handlers
import time

CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


class LineFormatter(logging.Formatter):
    """``2024-12-20T10:00:00.123Z INFO run=12 req=ab12 message``: one line an event, UTC.

    Control characters are escaped, so that no value can forge a line.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        run = getattr(record, "esecuzione", "-")
        request = getattr(record, "request_id", "-")
        message = record.getMessage()
        if record.exc_info:
            message = f"{message} {self.formatException(record.exc_info)}"
        line = f"{self.formatTime(record)} {record.levelname} run={run} req={request} {message}"
        return line.translate(CONTROL)


class QuietWatchedFileHandler(logging.handlers.WatchedFileHandler):
    """Appends to a file that another process may rename; a full disk never fails the caller."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Says nothing: stderr may sit on the same full disk."""
