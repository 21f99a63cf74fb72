"""Writing log lines: several processes append to the same files, and rotate them."""

import logging
import os
import stat
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from etlportal.audit.request import current_request
from logviewer import files
from logviewer.context import NONE, current_run
from logviewer.lines import SHORTEST_SECRET, escaped, redacted, shortened


class LineFormatter(logging.Formatter):
    """``2024-12-20T10:00:00.123Z INFO run=12 req=ab12 message``: one line an event, UTC.

    ``secrets``: values that no line may show, whatever event brings them.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self.secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]

    def format(self, record: logging.LogRecord) -> str:
        run = _word(getattr(record, "esecuzione", None) or current_run.get())
        request = _word(getattr(record, "request_id", None) or current_request.get())
        message = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            message = f"{message} {origin_of(record.exc_info[1])}"
        line = f"{self.formatTime(record)} {record.levelname} run={run} req={request} {message}"
        return shortened(escaped(redacted(line, self.secrets)))


def _word(value: Any) -> str:
    """A value without spaces, so that the line can be taken apart again."""
    return "_".join(str(value).split()) or NONE


def origin_of(error: BaseException) -> str:
    """The classes of an exception and of its causes, and the places that it passed.

    Never its own text: a driver, a parser or a conversion puts the value into it.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    told = []
    for each in chain:
        places = " > ".join(
            f"{frame.f_globals.get('__name__')}:{number} {frame.f_code.co_name}"
            for frame, number in traceback.walk_tb(each.__traceback__)
        )
        told.append(f"{type(each).__name__} [{places}]" if places else type(each).__name__)
    return " caused by ".join(told)


class SharedFileHandler(logging.Handler):
    """Appends each line to a file that other processes append to, and that they may rename.

    ``max_bytes``: beyond them the file becomes ``<name>.1``, of ``copies`` that are kept. A disk
    that is full or cannot be written never fails the caller, nor does it say so: stderr may be
    on the same disk.
    """

    def __init__(self, filename: str | Path, max_bytes: int, copies: int) -> None:
        super().__init__()
        self.path = Path(filename)
        self.max_bytes = max_bytes
        self.copies = copies

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - the caller's values, of any class
            record.args = ()
            record.exc_info = None
            record.msg = f"line of {record.module}:{record.lineno} lost: {type(error).__name__}"
            line = self.format(record)
        with suppress(OSError):
            self._append(f"{line}\n".encode("utf-8", "backslashreplace"))

    def _append(self, line: bytes) -> None:
        while True:
            with files.locked(self.path) as descriptor:
                status = os.fstat(descriptor)
                full = status.st_size > 0 and status.st_size + len(line) > self.max_bytes
                if full and stat.S_ISREG(status.st_mode):
                    with suppress(OSError):  # better a file that is too long than a line lost
                        files.rotate(self.path, self.copies)
                        continue
                files.write_line(descriptor, line, status.st_size)
                return
