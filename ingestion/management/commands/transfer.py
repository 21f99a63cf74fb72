import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from ingestion import jobs
from ingestion.management.arguments import positive
from ingestion.models import EsecuzioneEtl
from ingestion.runs.lease import RowTally
from ingestion.runs.listing import as_json
from ingestion.runs.queue import create
from ingestion.runs.running import carry_out
from ingestion.runs.start import RunAlreadyActive
from ingestion.transfer import pipeline
from production.models import Anomalia


class Command(BaseCommand):
    help = "Trasferisce i record in attesa. Uscita: 0 = tutti trasferiti, 1 = non tutti."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=positive, help="al più tanti record")
        parser.add_argument("--dry-run", action="store_true", help="dice che cosa farebbe e basta")
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["dry_run"]:
                self._report_preview(options)
            else:
                self._transfer(options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError("Un database non risponde: riprovare più tardi.") from error

    def _transfer(self, options: dict[str, Any]) -> None:
        run = create(EsecuzioneEtl.Tipo.TRANSFER, EsecuzioneEtl.Origine.COMANDO)
        progress = self._progress if sys.stderr.isatty() and not options["json"] else None
        try:
            work = pipeline.Transfer(jobs.transfer_options(options["limit"]))
            run = carry_out(run, jobs.TRANSFER, work, on_progress=progress)
        except RunAlreadyActive as busy:
            raise CommandError(f"È già in corso l'esecuzione {busy.active.pk}.") from busy
        report = as_json(run)
        self.stdout.write(json.dumps(report) if options["json"] else _in_words(report))
        if run.stato != EsecuzioneEtl.Stato.OK:
            sys.exit(1)

    def _progress(self, tally: RowTally) -> None:
        self.stderr.write(f"{tally.letti} letti, {tally.anomalie} anomalie", style_func=str)

    def _report_preview(self, options: dict[str, Any]) -> None:
        tally, kinds = pipeline.preview(jobs.transfer_options(options["limit"]))
        names = dict(Anomalia.objects.values_list("pk", "tipo_anomalia"))
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(tally), "per_tipo": kinds}))
            return
        self.stdout.write(
            f"Prova: {tally.letti} record letti, {tally.caricati} da caricare, "
            f"{tally.gia_presenti} già presenti, {tally.in_errore} da rifiutare, "
            f"{tally.anomalie} anomalie."
        )
        self._list(kinds, names)

    def _list(self, kinds: Counter[int], names: dict[int, str]) -> None:
        for number, count in kinds.most_common():
            self.stdout.write(f"{count:8d}  {number:3d} {names.get(number, '')}")


def _in_words(run: dict[str, Any]) -> str:
    return (
        f"Esecuzione {run['id']}: {run['stato']}. {run['messaggio']}\n"
        f"letti {run['letti']}, caricati {run['caricati']}, già presenti {run['gia_presenti']}, "
        f"in errore {run['in_errore']}, rimanenti {run['rimanenti']}, "
        f"anomalie {run['anomalie']}, {run['durata_s']} s"
    )
