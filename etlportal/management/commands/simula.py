from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from etlportal.management.base import PortalCommand, UsageError, positive
from etlportal.simulation import database
from etlportal.simulation.database import CannotSimulate
from etlportal.simulation.delivery import HttpPortal, Staging, play
from etlportal.simulation.evaluation import evaluate
from etlportal.simulation.faults import SCENARI
from etlportal.simulation.generator import Batch, Settings, Simulation
from etlportal.simulation.plant import SimulatedPlant
from etlportal.simulation.report import Report
from etlportal.simulation.truth import NotATruth, read_truth
from etlportal.simulation.work import MOST_ORDERS
from ingestion import jobs
from production.models import Anomalia
from production.timestamps import FIRST_YEAR, PLANT_TIME_ZONE

MAX_SEED = 10**12
HOURS_PER_ORDER = 2


class Command(PortalCommand):
    help = (
        "Simula lo stabilimento: ordini che arrivano e record, con guasti noti, inviati via HTTP o "
        "direttamente in attesa di trasferimento. Con --valuta confronta le anomalie trovate con i "
        "guasti della simulazione: 0 = tutte e sole quelle, 1 = no."
    )
    dry_run = "dice che cosa invierebbe e basta"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--ore", type=positive, default=24, help="ore di stabilimento (12 record l'ora)")
        add(
            "--seed",
            type=_seed,
            help="stesso seme, stessi record; se manca, il primo i cui ordini non ci sono ancora",
        )
        add(
            "--scenario",
            choices=SCENARI,
            default="misto",
            help="quali guasti: un solo tipo, nessuno (pulito) o un poco di tutti (misto)",
        )
        add(
            "--inizio",
            type=_moment,
            metavar="DATA",
            help="data e ora (ora dello stabilimento); se manca, in modo da finire ora",
        )
        add("--ordini", type=_natural, metavar="N", help="ordini che arrivano (uno ogni due ore)")
        add(
            "--segui",
            action="store_true",
            help="ogni ora chiede che cosa fare (GET /ordine) e fa prima gli ordini di altri che "
            "aspettano: i record dipendono allora anche da quelli",
        )
        add("--http", metavar="URL", help="invia a questo portale, con API_KEY")
        add(
            "--lavori",
            type=positive,
            metavar="ORE",
            help="con --http: ogni tante ore simulate chiede trasferimento e conteggio",
        )
        add(
            "--verita",
            type=Path,
            metavar="FILE",
            help="dove scrivere i guasti (DATA_DIR/simulazione-SEME.jsonl)",
        )
        add("--valuta", type=Path, metavar="FILE", help="valuta le anomalie trovate, e basta")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["valuta"]:
            try:
                self._simulate(options)
            except CannotSimulate as error:
                raise CommandError(str(error)) from error
            return
        path = options["valuta"]
        try:
            with path.open(encoding="utf-8") as lines:
                truth = read_truth(lines)
        except (OSError, NotATruth, UnicodeDecodeError) as error:
            raise UsageError(f"{path} non è un file di verità leggibile.") from error
        result = evaluate(truth, database.find_received(truth))
        names = dict(Anomalia.objects.values_list("pk", "tipo_anomalia"))
        self.tell(result.as_json(), result.in_words(names))
        if not result.tutto_bene:
            self.fail()

    def _simulate(self, options: dict[str, Any]) -> None:
        if options["lavori"] and not options["http"]:
            raise UsageError("--lavori richiede --http.")
        plant = database.load_plant(jobs.transfer_options().limits)
        simulation = Simulation(plant, _settings(options, plant))
        portal = HttpPortal(options["http"], settings.API_KEY) if options["http"] else None
        delivery = None if options["dry_run"] else portal or Staging(plant.limiti)
        path = options["verita"]
        if path is None and not options["dry_run"]:  # which writes none that nobody asked for
            path = Path(settings.DATA_DIR) / f"simulazione-{simulation.settings.seme}.jsonl"
        report = Report(simulation, path, dry_run=options["dry_run"])
        progress = self.progress("ore", lambda: options["ore"])
        database.check_numbers(simulation.ordini, simulation.settings.seme)
        if delivery:
            delivery.check()
        for hour, batch in report.taking(play(simulation, delivery, follow=options["segui"])):
            if portal and _jobs_due(hour, batch, options):
                out = self.stderr if self.as_json else self.stdout
                out.write(report.add_jobs(hour, *portal.run_jobs()), style_func=str)
            elif not options["lavori"]:
                progress(hour)
        self.tell(report.as_json(), report.in_words())


def _settings(options: dict[str, Any], plant: SimulatedPlant) -> Settings:
    hours, now = options["ore"], timezone.now()
    start = options["inizio"] or now.replace(second=0, microsecond=0) - timedelta(hours=hours)
    if start + timedelta(hours=hours) > now + plant.limiti.tolleranza_futuro:
        raise UsageError(
            "La simulazione finirebbe nel futuro, e il portale non accetta date future: "
            "indicare un altro --inizio o meno --ore."
        )
    orders = options["ordini"]
    if orders is None:
        orders = min(hours // HOURS_PER_ORDER, MOST_ORDERS)
    if orders > MOST_ORDERS:
        raise UsageError(f"Al più {MOST_ORDERS} ordini per seme.")
    seed = database.free_seed() if options["seed"] is None else options["seed"]
    return Settings(start, hours, seed, orders, options["scenario"])


def _jobs_due(hour: int, batch: Batch, options: dict[str, Any]) -> bool:
    """Whether the jobs are to run after this hour; at the end only if something is left to do."""
    hours, every = options["ore"], options["lavori"]
    if not every or options["dry_run"]:
        return False
    if hour < hours:
        return (hour + 1) % every == 0
    return bool(batch.record) or hours % every != 0


# --- Arguments ----------------------------------------------------------------------------


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _seed(text: str) -> int:
    """A seed whose order numbers fit their column."""
    number = _natural(text)
    if number > MAX_SEED:
        raise ValueError
    return number


def _moment(text: str) -> datetime:
    """A moment in UTC; without an offset it is plant time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PLANT_TIME_ZONE)
    if moment.year < FIRST_YEAR:
        raise ArgumentTypeError(f"deve essere dal {FIRST_YEAR} in poi")
    return moment.astimezone(UTC)
