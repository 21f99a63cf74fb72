from collections.abc import Iterator
from contextlib import suppress
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
            report |= {
                "staging": status.staging(),
                "worker": status.worker(),
                "prossime": status.next_runs(),
                "anomalie_oggi": UNKNOWN,
                "ordini_aperti": UNKNOWN,
                "esecuzioni": [
                    as_json(run) for run in EsecuzioneEtl.objects.order_by("-pk")[:RUNS_SHOWN]
                ],
            }
            if databases["mysql"]:
                now = datetime.now(PLANT_TIME_ZONE)
                today = now.replace(hour=0, minute=0, second=0, microsecond=0)
                anomalies = AnomaliaOperazione.objects.filter(creata_il__gte=today)
                waiting = Ordine.objects.filter(stato=Ordine.Stato.IN_ATTESA, fittizio=False)
                with suppress(DatabaseError):
                    report["anomalie_oggi"] = anomalies.count()
                    report["ordini_aperti"] = waiting.count()
        self.tell(report, _in_words(report))
        if problems:
            self.fail()


# --- In words -------------------------------------------------------------------------------


def _in_words(report: dict[str, Any]) -> Iterator[str]:
    yield f"Portale ETL {status.VERSION}, {timezone.localtime():%d/%m/%Y %H:%M}"
    answers = {True: "risponde", False: "NON risponde"}
    lines = {
        "Database": ", ".join(f"{name} {answers[there]}" for name, there in report["db"].items())
    }
    if "staging" in report:
        beat, staging = report["worker"]["ultimo_battito"], report["staging"]
        soon = [f"{name} {_time(moment)}" for name, moment in report["prossime"].items()]
        lines |= {
            "Worker": f"vivo, ultimo battito {_time(beat)}" if beat else "FERMO",
            "Record": f"{staging['pending']} in attesa (il più vecchio da "
            f"{staging['oldest_pending_s'] // 60} minuti), {staging['processed_24h']} trasferiti "
            f"nelle ultime 24 ore, {staging['error']} in errore",
            "Anomalie oggi": _count(report["anomalie_oggi"]),
            "Ordini aperti": _count(report["ordini_aperti"]),
            "Prossimi lavori": ", ".join(soon) or "nessuno",
        }
    yield from (f"{name:<16} {told}" for name, told in lines.items())
    if "staging" in report:
        yield "Ultime esecuzioni"
    for run in report.get("esecuzioni", []):
        began = _time(run["iniziata_il"]) if run["iniziata_il"] else "mai"
        yield f"  {run['id']:>6} {run['tipo']:<9} {run['stato']:<10} {began}  {run['messaggio']}"
    told = [f"{each['messaggio']} (dal {_time(each['da'])})" for each in report["problemi"]]
    problems = "\n                 ".join(told) or "nessuno"
    yield f"{'Problemi':<16} {problems}"


def _count(number: int) -> str:
    return "non si sa" if number == UNKNOWN else str(number)


def _time(iso: str) -> str:
    return f"{timezone.localtime(datetime.fromisoformat(iso)):%d/%m %H:%M}"
