from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from etlportal.checkup import CHECKS
from etlportal.management.base import PortalCommand, UsageError
from ingestion.watch import alerts
from ingestion.watch.checkup import Check, Judgement, run_checks


class Command(PortalCommand):
    help = "Controlla che il portale funzioni. Uscita: 0 = bene, 1 = c'è un problema."
    requires_system_checks = []  # what they would stop at is told like the rest
    dry_run = "con --avvisa: dice che cosa manderebbe e basta"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--solo", action="append", choices=[*CHECKS], help="solo questo controllo (ripetibile)"
        )
        parser.add_argument(
            "--avvisa",
            action="store_true",
            help="manda gli avvisi dei problemi cominciati e finiti (da lanciare ogni 5 minuti)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"] and not options["avvisa"]:
            raise UsageError("--dry-run va con --avvisa.")
        told = _alert(dry_run=options["dry_run"]) if options["avvisa"] else {}
        chosen = {name: CHECKS[name] for name in options["solo"] or CHECKS}
        found = dict(run_checks(chosen))
        well = not any(check.esito == Judgement.PROBLEMA for check in found.values())
        checks = [{"nome": name, **check._asdict()} for name, check in found.items()]
        self.tell({"ok": well, "controlli": checks} | told, _in_words(well, found, told))
        if not well:
            self.fail()


def _in_words(well: bool, found: dict[str, Check], told: dict[str, list[str]]) -> Iterator[str]:
    width = max(map(len, found))
    for name, check in found.items():
        yield f"{name:<{width}}  {check.esito.upper():<13}  {check.messaggio}"
    for name, codes in told.items():
        yield f"{name.replace('_', ' ')}: {', '.join(codes) or 'nessuno'}"
    yield "Tutto bene." if well else "Ci sono problemi."


def _alert(*, dry_run: bool) -> dict[str, list[str]]:
    channels = alerts.configured_channels()
    if dry_run:
        began, ended = alerts.preview()
        return {"avviserebbe_inizio": began, "avviserebbe_fine": ended}
    return {"problemi": [problem.codice for problem in alerts.look(channels)]}
