from typing import Any

from django.core.management.base import CommandParser

from etlportal.checkup import CHECKS
from etlportal.management.base import PortalCommand, UsageError
from ingestion.watch import alerts
from ingestion.watch.checkup import Judgement, run_checks


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
        told: dict[str, list[str]] = {}
        if options["dry_run"]:
            began, ended = alerts.preview()
            told = {"avviserebbe_inizio": began, "avviserebbe_fine": ended}
        elif options["avvisa"]:
            problems = alerts.look(alerts.configured_channels())
            told = {"problemi": [problem.codice for problem in problems]}
        chosen = {name: CHECKS[name] for name in options["solo"] or CHECKS}
        found = dict(run_checks(chosen))
        well = not any(check.esito == Judgement.PROBLEMA for check in found.values())
        checks = [{"nome": name, **check._asdict()} for name, check in found.items()]
        width = max(map(len, found))
        words = [
            f"{name:<{width}}  {check.esito.upper():<13}  {check.messaggio}"
            for name, check in found.items()
        ]
        for name, codes in told.items():
            words.append(f"{name.replace('_', ' ')}: {', '.join(codes) or 'nessuno'}")
        words.append("Tutto bene." if well else "Ci sono problemi.")
        self.tell({"ok": well, "controlli": checks} | told, words)
        if not well:
            self.fail()
