import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser

from etlportal.audit.record import command_user
from etlportal.management.base import PortalCommand
from logviewer import clearing, files, options, reader
from logviewer.folder import log_folder
from logviewer.lines import parse

FOLLOW_SECONDS = 0.5


def option(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of ``options.py`` for argparse: what it refuses is a usage error (exit 2)."""

    def typed(text: str) -> Any:
        try:
            return read(text)
        except options.BadOption as bad:
            raise ArgumentTypeError(bad.sentence) from bad

    return typed


class Command(PortalCommand):
    help = "Legge, cerca e svuota i registri. Uscita: 0 = fatto, 1 = non riuscito, 2 = uso errato."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="tail|grep|clear")
        tail = acts.add_parser("tail", help="le ultime righe di un registro")
        tail.add_argument("file", nargs="?", choices=files.LOGS, default=files.LOGS[0])
        tail.add_argument("-f", "--follow", action="store_true", help="mostra le righe nuove")
        grep = acts.add_parser("grep", help="le righe che contengono un testo")
        grep.add_argument("text", metavar="TESTO")
        grep.add_argument("file", nargs="*", type=option(_name), help="tutti, se non indicati")
        for reading in (tail, grep):
            reading.add_argument("-n", dest="lines", type=option(options.read_lines), default=50)
            reading.add_argument("--level", type=option(options.read_level), help="da qui in su")
            reading.add_argument("--since", type=option(options.read_since), help="data, o 30m, 2h")
            reading.add_argument("--run", type=option(options.read_run), help="esecuzione")
            reading.add_argument("--json", action="store_true", help="una riga JSON per evento")
        clear = acts.add_parser("clear", help="svuota i registri, con una copia")
        clear.add_argument("file", nargs="*", type=option(_name), help="tutti, se non indicati")
        clear.add_argument("--senza-copia", action="store_true", help="senza copia compressa")
        super().add_arguments(clear)

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            if given["act"] == "clear":
                self._clear(given)
            else:
                self._read(given)
        except OSError as error:
            raise CommandError(f"I registri non si leggono: {error.strerror}.") from error

    def _read(self, given: dict[str, Any]) -> None:
        """For ``tail`` of one log, and ``grep`` of several."""
        text = given.get("text", "")
        wanted = reader.Wanted(given["lines"], given["level"], given["since"], given["run"], text)
        is_grep = given["act"] == "grep"
        for name in (given["file"] or files.LOGS) if is_grep else [given["file"]]:
            path = files.log_path(log_folder(), name)
            follow = reader.follow(path) if given.get("follow") else None
            if follow:
                next(follow)  # from here on, before the tail is read
            tail = reader.tail(path, wanted)
            for line in tail.lines:
                self._print(f"{name}.log: {line}" if is_grep and not self.as_json else line, name)
            if tail.truncated and not self.as_json:
                self.stderr.write(f"{name}.log: ci sono righe più vecchie.", style_func=str)
            matches = reader.Matcher(wanted)
            with suppress(KeyboardInterrupt):
                for new in follow or ():
                    if new is None:
                        time.sleep(FOLLOW_SECONDS)
                    elif matches(new):
                        self._print(reader.clean(new), name)

    def _print(self, text: str, name: str) -> None:
        if self.as_json:
            line = parse(text)
            event = {
                "file": name,
                "ora": line.time.isoformat().replace("+00:00", "Z") if line.time else "",
                "livello": line.level,
                "esecuzione": line.run,
                "richiesta": line.request,
                "messaggio": line.message,
            }
            text = json.dumps(event, ensure_ascii=False)
        self.stdout.write(text)
        self.stdout.flush()

    def _clear(self, given: dict[str, Any]) -> None:
        names = list(dict.fromkeys(given["file"])) or list(files.LOGS)
        backup = not given["senza_copia"]
        if given["dry_run"]:
            would = [
                clearing.Cleared(name, clearing.size(files.log_path(log_folder(), name)), "")
                for name in names
            ]
            self._report(would, "Da svuotare")
            return
        try:
            cleared = clearing.clear_logs(log_folder(), names, backup=backup, by=command_user())
        except clearing.AuditRefused as refused:
            raise CommandError("L'audit non si può scrivere: nulla è stato svuotato.") from refused
        except clearing.ClearFailed as failure:
            self._report(failure.cleared, "Svuotato")
            self.stderr.write(f"Rimasti com'erano: {', '.join(failure.failed)}.")
            self.fail()
        self._report(cleared, "Svuotato")

    def _report(self, logs: list[clearing.Cleared], word: str) -> None:
        words = [
            f"{word} {log.file}.log: {log.byte} byte"
            + (f", copia in {log.backup}" if log.backup else "")
            for log in logs
        ]
        self.tell({"svuotati": [log._asdict() for log in logs]}, words)


def _name(text: str) -> str:
    return options.read_names([text])[0]
