from dataclasses import asdict
from typing import Any

from ingestion import jobs
from ingestion.management.run_command import RunCommand
from ingestion.reception import purge
from ingestion.runs.listing import as_json


class Command(RunCommand):
    help = (
        "Elimina i record già trasferiti da più di RAW_GIORNI giorni, i lotti rimasti vuoti e le "
        "vecchie esecuzioni. Uscita: 0 = finita, 1 = non finita (rilanciarla la riprende)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            tally = purge.preview(jobs.purge_options())
            self.tell(
                asdict(tally),
                f"Prova: {tally.record} record, {tally.lotti} lotti, {tally.esecuzioni} "
                f"esecuzioni, {tally.lavori} lavori della coda da eliminare.",
            )
            return

        progress = self.progress_of(
            "record", "record", lambda: purge.preview(jobs.purge_options()).record
        )
        run = self.run_now(jobs.PURGE, progress)
        report = {**as_json(run), **asdict(purge.PurgeTally()), **run.dettagli}
        self.tell_run(run, report)
