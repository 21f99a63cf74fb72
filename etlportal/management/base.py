"""What the commands of all apps share: options, how they answer, and how they end.

Exit: 0 = done and well, 1 = a problem, 2 = written wrongly.
"""

import json
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

AWAY = "Un database non risponde: riprovare più tardi."


class UsageError(CommandError):
    """The command was written wrongly; exit 2, as argparse does."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, returncode=2)


class PortalCommand(BaseCommand):
    """``dry_run``: the help of ``--dry-run``; "" for a command that changes nothing anyway."""

    dry_run: ClassVar[str] = "dice che cosa farebbe e basta"
    as_json = False
    _line_is_open = False

    def add_arguments(self, parser: CommandParser) -> None:
        if self.dry_run:
            parser.add_argument("--dry-run", action="store_true", help=self.dry_run)
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.as_json = options.get("json", False)
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError(AWAY) from error
        finally:
            self._end_line()

    def tell(self, answer: Any, words: str | Iterable[str]) -> None:
        """Writes ``answer`` where JSON was asked for, else the lines of ``words``."""
        self._end_line()
        if self.as_json:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        for line in [words] if isinstance(words, str) else words:
            self.stdout.write(line)

    def fail(self) -> NoReturn:
        """For a command that has said already what is wrong."""
        sys.exit(1)

    def progress(self, unit: str, total: Callable[[], int]) -> Callable[[int], None]:
        """Call the result with how much is done so far. On a terminal it keeps one line up to
        date; elsewhere, and with ``--json``, it does nothing. ``total`` is asked once, and only
        where it is shown.
        """
        if self.as_json or not sys.stderr.isatty():
            return lambda done: None
        start, whole = time.monotonic(), total()

        def show(done: int) -> None:
            told = progress_line(done, whole, unit, time.monotonic() - start)
            self.stderr.write(f"\r\x1b[K{told}", style_func=str, ending="")  # over the last one
            self.stderr.flush()
            self._line_is_open = True

        return show

    def _end_line(self) -> None:
        if self._line_is_open:
            self.stderr.write("", style_func=str)
            self._line_is_open = False


def progress_line(done: int, total: int, unit: str, seconds: float) -> str:
    """Such as "400 di 1000 record, mancano 2 min"."""
    total = max(done, total)  # more may have come since it was counted
    line = f"{done} di {total} {unit}"
    if not 0 < done < total:
        return line
    left = seconds * (total - done) / done
    return f"{line}, mancano {left / 60:.0f} min" if left >= 90 else f"{line}, mancano {left:.0f} s"


def positive(text: str) -> int:
    """A type of argument: a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("serve un numero intero maggiore di 0")
    return int(text)
