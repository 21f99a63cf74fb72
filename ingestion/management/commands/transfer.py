from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from etlportal.management.base import positive
from ingestion import jobs
from ingestion.management.run_command import RunCommand
from ingestion.models import RawOperazione
from ingestion.runs.listing import as_json
from ingestion.transfer import pipeline
from production.models import Anomalia


class Command(RunCommand):
    help = "Trasferisce i record in attesa. Uscita: 0 = tutti trasferiti, 1 = non tutti."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--limit", type=positive, help="al più tanti record")

    def handle(self, *args: Any, **options: Any) -> None:
        limit = options["limit"]
        if options["dry_run"]:
            tally, kinds = pipeline.preview(jobs.transfer_options(limit))
            names = dict(Anomalia.objects.values_list("pk", "tipo_anomalia"))
            words = [
                f"Prova: {tally.letti} record letti, {tally.caricati} da caricare, "
                f"{tally.gia_presenti} già presenti, {tally.in_errore} da rifiutare, "
                f"{tally.anomalie} anomalie.",
                *(f"{count:8d}  {k:3d} {names.get(k, '')}" for k, count in kinds.most_common()),
            ]
            self.tell({**asdict(tally), "per_tipo": kinds}, words)
            return

        def waiting() -> int:
            number = RawOperazione.objects.filter(stato=RawOperazione.Stato.PENDING).count()
            return min(number, limit or number)

        work = pipeline.Transfer(jobs.transfer_options(limit))
        run = self.run_now(jobs.TRANSFER, self.progress_of("letti", "record", waiting), work)
        report = as_json(run)
        self.tell_run(
            run,
            report,
            f"letti {run.letti}, caricati {run.caricati}, già presenti {run.gia_presenti}, "
            f"in errore {run.in_errore}, rimanenti {run.rimanenti}, "
            f"anomalie {run.anomalie}, {report['durata_s']} s",
        )
