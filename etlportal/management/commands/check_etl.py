import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from etlportal.checkup import CHECKS
from ingestion.watch import alerts
from ingestion.watch.checkup import Check, Esito, run_checks


class Command(BaseCommand):
    help = "Controlla che il portale funzioni. Uscita: 0 = bene, 1 = c'è un problema."
    requires_system_checks = []  # what they would stop at is told like the rest

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--solo", action="append", choices=[*CHECKS], help="solo questo controllo (ripetibile)"
        )
        parser.add_argument(
            "--avvisa",
            action="store_true",
            help="manda gli avvisi dei problemi cominciati e finiti (da lanciare ogni 5 minuti)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="con --avvisa: dice che cosa manderebbe e basta"
        )
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"] and not options["avvisa"]:
            raise CommandError("--dry-run va con --avvisa.", returncode=2)
        told = _alert(dry_run=options["dry_run"]) if options["avvisa"] else {}
        chosen = {name: CHECKS[name] for name in options["solo"] or CHECKS}
        found = dict(run_checks(chosen))
        well = not any(check.esito == Esito.PROBLEMA for check in found.values())
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(well, found) | told, ensure_ascii=False))
        else:
            self._tell(found, told)
            self.stdout.write("Tutto bene." if well else "Ci sono problemi.")
        if not well:
            sys.exit(1)

    def _tell(self, found: dict[str, Check], told: dict[str, list[str]]) -> None:
        width = max(map(len, found))
        for name, check in found.items():
            self.stdout.write(f"{name:<{width}}  {check.esito.upper():<13}  {check.messaggio}")
        for name, codes in told.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {', '.join(codes) or 'nessuno'}")


def _alert(*, dry_run: bool) -> dict[str, list[str]]:
    channels = alerts.configured_channels()
    if dry_run:
        began, ended = alerts.preview()
        return {"avviserebbe_inizio": began, "avviserebbe_fine": ended}
    return {"problemi": [problem.codice for problem in alerts.look(channels)]}


def _as_json(well: bool, found: dict[str, Check]) -> dict[str, Any]:
    checks = [{"nome": name, **check._asdict()} for name, check in found.items()]
    return {"ok": well, "controlli": checks}
