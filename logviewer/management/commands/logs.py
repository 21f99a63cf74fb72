import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
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
        acts = {"tail": self._tail, "grep": self._grep, "clear": self._clear}
        try:
            acts[given["act"]](given)
        except OSError as error:
            raise CommandError(f"I registri non si leggono: {error.strerror}.") from error

    # --- Reading ----------------------------------------------------------------------------

    def _tail(self, given: dict[str, Any]) -> None:
        name = given["file"]
        follow = reader.follow(_path(name)) if given["follow"] else None
        if follow:
            next(follow)  # from here on, before the tail is read
        self._print_tail(name, _wanted(given), given)
        if follow:
            self._follow(follow, name, given)

    def _print_tail(self, name: str, wanted: reader.Wanted, given: dict[str, Any]) -> None:
        tail = reader.tail(_path(name), wanted)
        for line in tail.lines:
            self._print(line, name, given)
        if tail.truncated and not self.as_json:
            self.stderr.write(f"{name}.log: ci sono righe più vecchie.", style_func=str)

    def _grep(self, given: dict[str, Any]) -> None:
        wanted = _wanted(given, text=given["text"])
        for name in given["file"] or files.LOGS:
            self._print_tail(name, wanted, given)

    def _follow(self, lines: Any, name: str, given: dict[str, Any]) -> None:
        matches = reader.Matcher(_wanted(given))
        try:
            for line in lines:
                if line is None:
                    time.sleep(FOLLOW_SECONDS)
                elif matches(line):
                    self._print(reader.clean(line), name, given)
        except KeyboardInterrupt:
            return

    def _print(self, text: str, name: str, given: dict[str, Any]) -> None:
        if self.as_json:
            line = parse(text)
            moment = line.time.isoformat().replace("+00:00", "Z") if line.time else ""
            event = {
                "file": name,
                "ora": moment,
                "livello": line.level,
                "esecuzione": line.run,
                "richiesta": line.request,
                "messaggio": line.message,
            }
            text = json.dumps(event, ensure_ascii=False)
        elif given["act"] == "grep":
            text = f"{name}.log: {text}"
        self.stdout.write(text)
        self.stdout.flush()

    # --- Clearing ---------------------------------------------------------------------------

    def _clear(self, given: dict[str, Any]) -> None:
        names = list(dict.fromkeys(given["file"])) or list(files.LOGS)
        backup = not given["senza_copia"]
        if given["dry_run"]:
            would = [clearing.Cleared(name, clearing.size(_path(name)), "") for name in names]
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


def _wanted(given: dict[str, Any], text: str = "") -> reader.Wanted:
    return reader.Wanted(given["lines"], given["level"], given["since"], given["run"], text)


def _path(name: str) -> Path:
    return files.log_path(log_folder(), name)
