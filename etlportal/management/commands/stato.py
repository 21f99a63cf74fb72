from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseError
from django.utils import timezone

from etlportal.management.base import PortalCommand
from ingestion.models import EsecuzioneEtl
from ingestion.runs.listing import as_json, iso
from ingestion.watch import health, status
from orders.models import Ordine
from production.models import AnomaliaOperazione
from production.timestamps import PLANT_TIME_ZONE

RUNS_SHOWN = 6
UNKNOWN = -1  # of a count that MySQL alone knows


class Command(PortalCommand):
    help = "Lo stato del portale in una schermata. Uscita: 0 = bene, 1 = c'è un problema."
    requires_system_checks = []  # what they would stop at is what one wants to see
    dry_run = ""

    def handle(self, *args: Any, **options: Any) -> None:
        databases = health.databases_answering()
        problems = health.problems(databases)
        report: dict[str, Any] = {
            "ok": not problems,
            "problemi": [problem._asdict() | {"da": iso(problem.da)} for problem in problems],
            "db": databases,
        }
        if databases[health.POSTGRESQL]:
            report |= _report(mysql=databases["mysql"])
        self.tell(report, _in_words(report))
        if problems:
            self.fail()


def _report(*, mysql: bool) -> dict[str, Any]:
    latest = EsecuzioneEtl.objects.order_by("-pk")[:RUNS_SHOWN]
    return {
        "staging": status.staging(),
        "worker": status.worker(),
        "prossime": status.next_runs(),
        "anomalie_oggi": _anomalies_today() if mysql else UNKNOWN,
        "ordini_aperti": _open_orders() if mysql else UNKNOWN,
        "esecuzioni": [as_json(run) for run in latest],
    }


def _anomalies_today() -> int:
    midnight = datetime.now(PLANT_TIME_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return AnomaliaOperazione.objects.filter(creata_il__gte=midnight).count()
    except DatabaseError:
        return UNKNOWN


def _open_orders() -> int:
    try:
        return Ordine.objects.filter(stato=Ordine.Stato.IN_ATTESA, fittizio=False).count()
    except DatabaseError:
        return UNKNOWN


# --- In words -------------------------------------------------------------------------------


def _in_words(report: dict[str, Any]) -> Iterator[str]:
    yield f"Portale ETL {status.VERSION}, {timezone.localtime():%d/%m/%Y %H:%M}"
    answers = {True: "risponde", False: "NON risponde"}
    pairs = [f"{name} {answers[there]}" for name, there in report["db"].items()]
    yield _line("Database", ", ".join(pairs))
    if "staging" in report:
        yield from _flow_in_words(report)
    told = [f"{each['messaggio']} (dal {_time(each['da'])})" for each in report["problemi"]]
    yield _line("Problemi", "\n                 ".join(told) or "nessuno")


def _flow_in_words(report: dict[str, Any]) -> Iterator[str]:
    beat = report["worker"]["ultimo_battito"]
    yield _line("Worker", f"vivo, ultimo battito {_time(beat)}" if beat else "FERMO")
    staging = report["staging"]
    yield _line(
        "Record",
        f"{staging['pending']} in attesa (il più vecchio da {staging['oldest_pending_s'] // 60} "
        f"minuti), {staging['processed_24h']} trasferiti nelle ultime 24 ore, "
        f"{staging['error']} in errore",
    )
    yield _line("Anomalie oggi", _count(report["anomalie_oggi"]))
    yield _line("Ordini aperti", _count(report["ordini_aperti"]))
    soon = [f"{name} {_time(moment)}" for name, moment in report["prossime"].items()]
    yield _line("Prossimi lavori", ", ".join(soon) or "nessuno")
    yield "Ultime esecuzioni"
    for run in report["esecuzioni"]:
        began = _time(run["iniziata_il"]) if run["iniziata_il"] else "mai"
        yield f"  {run['id']:>6} {run['tipo']:<9} {run['stato']:<10} {began}  {run['messaggio']}"


def _line(name: str, told: str) -> str:
    return f"{name:<16} {told}"


def _count(number: int) -> str:
    return "non si sa" if number == UNKNOWN else str(number)


def _time(iso: str) -> str:
    return f"{timezone.localtime(datetime.fromisoformat(iso)):%d/%m %H:%M}"
