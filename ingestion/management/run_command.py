"""A command that carries out one run of a job, here and now."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from etlportal.management.base import PortalCommand
from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import Job, Work
from ingestion.runs.lease import Progress
from ingestion.runs.queue import RunAlreadyActive, create
from ingestion.runs.running import carry_out


class RunCommand(PortalCommand):
    def run_now(self, job: Job, on_progress: Progress, work: Work | None = None) -> EsecuzioneEtl:
        """The run as it ended; a run of its kind that is in course already is an error."""
        run = create(job.kind, EsecuzioneEtl.Origine.COMANDO)
        try:
            return carry_out(run, job, work, on_progress=on_progress)
        except RunAlreadyActive as busy:
            raise CommandError(f"È già in corso l'esecuzione {busy.active.pk}.") from busy

    def tell_run(self, run: EsecuzioneEtl, answer: dict[str, Any], *words: str) -> None:
        """How the run ended, and these further words; exit 1 unless it ended well."""
        self.tell(answer, [f"Esecuzione {run.pk}: {run.stato}. {run.messaggio}", *words])
        if run.stato != EsecuzioneEtl.Stato.OK:
            self.fail()

    def progress_of(self, counter: str, unit: str, total: Callable[[], int]) -> Progress:
        """Shows how far a run's tally is, by this counter of it."""
        show = self.progress(unit, total)
        return lambda tally: show(getattr(tally, counter))
