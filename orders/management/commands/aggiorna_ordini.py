import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion.models import EsecuzioneEtl
from ingestion.runs.listing import as_json as run_as_json
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out
from ingestion.runs.start import RunAlreadyActive
from orders import invariants, jobs
from orders.counting.chunk import CountingTally
from orders.counting.run import preview


class Command(BaseCommand):
    help = (
        "Conta la produzione caricata su ordini e magazzino. "
        "Uscita: 0 = tutto contato, 1 = non tutto, o differenze trovate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="dice che cosa farebbe e basta")
        parser.add_argument(
            "--verifica",
            action="store_true",
            help="ricalcola ordini e magazzino dai movimenti e dice le differenze",
        )
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        act = self._update
        if options["verifica"]:
            act = self._verify
        elif options["dry_run"]:
            act = self._preview
        try:
            act(options["json"])
        except (OperationalError, InterfaceError) as error:
            raise CommandError("Un database non risponde: nulla è cambiato.") from error

    def _update(self, as_json: bool) -> None:
        run = create(EsecuzioneEtl.Tipo.ORDINI, EsecuzioneEtl.Origine.COMANDO)
        progress = self._progress if sys.stderr.isatty() and not as_json else None
        try:
            run = carry_out(run, jobs.COUNTING, on_progress=progress)
        except RunAlreadyActive as busy:
            raise CommandError(f"È già in corso l'esecuzione {busy.active.pk}.") from busy
        nothing = CountingTally().columns()["dettagli"]  # for a run that another took over
        report = {**run_as_json(run), **nothing, **run.dettagli}
        if as_json:
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.write(
                f"Esecuzione {run.pk}: {run.stato}. {run.messaggio}\n"
                f"righe aggiornate {report['righe_aggiornate']}, pezzi attribuiti "
                f"{report['pezzi_attribuiti']}, sovrapproduzione {report['sovrapproduzione']}, "
                f"ordini completati {report['ordini_completati']}"
            )
        if run.stato != EsecuzioneEtl.Stato.OK:
            sys.exit(1)

    def _progress(self, tally: CountingTally) -> None:
        self.stderr.write(f"{tally.letti} operazioni contate", style_func=str)

    def _preview(self, as_json: bool) -> None:
        tally = preview(jobs.counting_options())
        if as_json:
            self.stdout.write(json.dumps(tally.columns()))
            return
        self.stdout.write(
            f"Prova: {tally.letti} operazioni da contare, {tally.pezzi_attribuiti} pezzi agli "
            f"ordini, {len(tally.ordini_completati)} ordini da completare, "
            f"{tally.anomalie} anomalie."
        )

    def _verify(self, as_json: bool) -> None:
        problems = [problem for check in invariants.CHECKS for problem in check()]
        if as_json:
            report = {"ok": not problems, "problemi": [problem._asdict() for problem in problems]}
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            for problem in problems:
                self.stdout.write(f"{problem.soggetto}: {problem.messaggio}")
            self.stdout.write("Ci sono differenze." if problems else "Tutto quadra.")
        if problems:
            sys.exit(1)
