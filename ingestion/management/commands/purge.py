import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion import jobs
from ingestion.models import EsecuzioneEtl
from ingestion.reception import purge
from ingestion.runs.listing import as_json as run_as_json
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out
from ingestion.runs.start import RunAlreadyActive


class Command(BaseCommand):
    help = (
        "Elimina i record già trasferiti da più di RAW_GIORNI giorni, i lotti rimasti vuoti e le "
        "vecchie esecuzioni. Uscita: 0 = finita, 1 = non finita (rilanciarla la riprende)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="dice che cosa farebbe e basta")
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["dry_run"]:
                self._preview(options["json"])
            else:
                self._purge(options["json"])
        except (OperationalError, InterfaceError) as error:
            raise CommandError("Il database non risponde: riprovare più tardi.") from error

    def _preview(self, as_json: bool) -> None:
        tally = purge.preview(jobs.purge_options())
        if as_json:
            self.stdout.write(json.dumps(asdict(tally)))
            return
        self.stdout.write(
            f"Prova: {tally.record} record, {tally.lotti} lotti, {tally.esecuzioni} esecuzioni, "
            f"{tally.lavori} lavori della coda da eliminare."
        )

    def _purge(self, as_json: bool) -> None:
        run = create(EsecuzioneEtl.Tipo.PULIZIA, EsecuzioneEtl.Origine.COMANDO)
        progress = self._progress if sys.stderr.isatty() and not as_json else None
        try:
            run = carry_out(run, jobs.PURGE, on_progress=progress)
        except RunAlreadyActive as busy:
            raise CommandError(f"È già in corso l'esecuzione {busy.active.pk}.") from busy
        report = {**run_as_json(run), **asdict(purge.PurgeTally()), **run.dettagli}
        if as_json:
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.write(f"Esecuzione {run.pk}: {run.stato}. {run.messaggio}")
        if run.stato != EsecuzioneEtl.Stato.OK:
            sys.exit(1)

    def _progress(self, tally: purge.PurgeTally) -> None:
        self.stderr.write(f"{tally.record} record, {tally.lotti} lotti", style_func=str)
