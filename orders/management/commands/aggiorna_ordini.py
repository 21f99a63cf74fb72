from typing import Any

from django.core.management.base import CommandParser

from ingestion.management.run_command import RunCommand
from ingestion.runs.listing import as_json
from orders import invariants, jobs
from orders.counting.chunk import CountingTally, uncounted
from orders.counting.run import preview


class Command(RunCommand):
    help = (
        "Conta la produzione caricata su ordini e magazzino. "
        "Uscita: 0 = tutto contato, 1 = non tutto, o differenze trovate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--verifica",
            action="store_true",
            help="ricalcola ordini e magazzino dai movimenti e dice le differenze",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verifica"]:
            problems = [problem for check in invariants.CHECKS for problem in check()]
            words = [f"{problem.soggetto}: {problem.messaggio}" for problem in problems]
            words.append("Ci sono differenze." if problems else "Tutto quadra.")
            told = [problem._asdict() for problem in problems]
            self.tell({"ok": not problems, "problemi": told}, words)
            if problems:
                self.fail()
        elif options["dry_run"]:
            tally = preview(jobs.counting_options())
            self.tell(
                tally.columns(),
                f"Prova: {tally.letti} operazioni da contare, {tally.pezzi_attribuiti} pezzi agli "
                f"ordini, {len(tally.ordini_completati)} ordini da completare, "
                f"{tally.anomalie} anomalie.",
            )
        else:
            waiting = uncounted().count
            run = self.run_now(jobs.COUNTING, self.progress_of("letti", "operazioni", waiting))
            nothing = CountingTally().columns()["dettagli"]  # for a run that another took over
            report = {**as_json(run), **nothing, **run.dettagli}
            self.tell_run(
                run,
                report,
                f"righe aggiornate {report['righe_aggiornate']}, pezzi attribuiti "
                f"{report['pezzi_attribuiti']}, sovrapproduzione {report['sovrapproduzione']}, "
                f"ordini completati {report['ordini_completati']}",
            )
