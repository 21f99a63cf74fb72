"""What ``check_etl`` looks at beside the problems of the moment: what would become one.

Each check is a function without arguments that returns its ``Check`` and changes nothing.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import NamedTuple

from django.conf import settings
from django.db import connections
from django_q.models import Schedule

from ingestion.runs.timetable import missing_schedules
from ingestion.watch import health, status

WORKER_PATIENCE_SECONDS = 10.0
CLOCKS_APART_AT_MOST = timedelta(seconds=5)
MEGABYTE = 1024 * 1024


class Judgement(StrEnum):
    BENE = "bene"
    PROBLEMA = "problema"
    NON_GIUDICATO = "non giudicato"  # what it asks is away, and another check tells so


class Check(NamedTuple):
    """``messaggio``: an Italian sentence, also when all is well."""

    esito: Judgement
    messaggio: str


Look = Callable[[], Check]
NOT_JUDGED = Check(Judgement.NON_GIUDICATO, "Non si può dire: un database non risponde.")


def well(told: str) -> Check:
    return Check(Judgement.BENE, told)


def wrong(told: str) -> Check:
    return Check(Judgement.PROBLEMA, told)


def asking(alias: str) -> Callable[[Look], Look]:
    """For a check that cannot judge while that database does not answer."""

    def guarded(look: Look) -> Look:
        @wraps(look)
        def judge() -> Check:
            return look() if health.reachable(alias) else NOT_JUDGED

        return judge

    return guarded


def check_database(name: str) -> Check:
    if health.reachable(health.ALIASES[name]):
        return well("Risponde.")
    return wrong(health.AWAY_SENTENCES[name])


@asking("default")
def check_worker() -> Check:
    """Alive, and taking tasks. One that is starting gets some seconds to show itself."""
    told = [problem.messaggio for problem in health.problems() if problem.codice == "worker"]
    if told:
        return wrong(told[0])
    deadline = time.monotonic() + WORKER_PATIENCE_SECONDS
    while not (beat := health.worker_beat()):
        if time.monotonic() > deadline:
            return wrong("Il worker è fermo: non dà segni di vita.")
        time.sleep(0.5)
    return well(f"È vivo: ultimo battito {beat:%H:%M:%S} UTC.")


@asking("default")
def check_late_jobs() -> Check:
    late = [problem for problem in health.problems() if problem.codice in health.LATE_SENTENCES]
    if late:
        return wrong(" ".join(problem.messaggio for problem in late))
    return well("Trasferimenti e aggiornamenti degli ordini sono in orario.")


@asking("default")
def check_schedules() -> Check:
    """Present, and not in the past; one that staff paused is told, and no problem."""
    if missing := missing_schedules():
        return wrong(f"Mancano nell'orario: {', '.join(missing)}. Lanciare setup_schedules.")
    limit = datetime.now(UTC) - health.DEAF_AFTER
    active = Schedule.objects.exclude(repeats=0)
    if overdue := list(active.filter(next_run__lt=limit).values_list("name", flat=True)):
        return wrong(f"Non sono partiti all'ora prevista: {', '.join(overdue)}.")
    paused = Schedule.objects.filter(repeats=0).values_list("name", flat=True)
    return well(f"Sospesi: {', '.join(paused)}." if paused else "Tutti presenti e in orario.")


@asking("default")
def check_pending() -> Check:
    """A record waits an hour at most, until the next transfer."""
    staging = status.staging()
    waited = timedelta(seconds=staging["oldest_pending_s"])
    minutes = waited // timedelta(minutes=1)
    told = f"{staging['pending']} record in attesa, il più vecchio da {minutes} minuti."
    return (wrong if waited >= health.LATE_AFTER else well)(told)


def check_disk() -> Check:
    """Free space where the logs and the data are."""
    free = {}
    for name, folder in (("registri", settings.LOG_DIR), ("dati", settings.DATA_DIR)):
        while not folder.exists():  # of the disk where it would be made
            folder = folder.parent
        free[name] = shutil.disk_usage(folder).free // MEGABYTE
    told = ", ".join(f"{name}: {megabytes} MB liberi" for name, megabytes in free.items()) + "."
    return (wrong if min(free.values()) < settings.DISCO_MINIMO_MB else well)(told)


def check_clocks() -> Check:
    """This host's clock against each database server's: leases and lateness compare the two."""
    apart = {
        name: _clock_difference(alias)
        for name, alias in health.ALIASES.items()
        if health.reachable(alias)
    }
    if not apart:
        return NOT_JUDGED
    told = ", ".join(f"{name} {delta.total_seconds():+.1f} s" for name, delta in apart.items())
    too_far = any(abs(delta) > CLOCKS_APART_AT_MOST for delta in apart.values())
    return (wrong if too_far else well)(f"Differenza dall'orologio di questo computer: {told}.")


CLOCK_QUERIES = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
}


def _clock_difference(alias: str) -> timedelta:
    """How far the server is ahead; a file has this host's clock."""
    query = CLOCK_QUERIES.get(connections[alias].vendor)
    if query is None:
        return timedelta(0)
    with connections[alias].cursor() as cursor:
        before = time.time()
        cursor.execute(query)
        (there,) = cursor.fetchone()
        here = (before + time.time()) / 2
    return timedelta(seconds=float(there) - here)


@asking("default")
def check_verification() -> Check:
    """What the newest check of the invariants found, of those that came to their end."""
    if found := health.failed_verification():
        return wrong(found.messaggio)
    return well("L'ultima verifica non ha trovato nulla di perso, doppio o alterato.")


CHECKS: dict[str, Look] = {
    "postgresql": lambda: check_database("postgresql"),
    "mysql": lambda: check_database("mysql"),
    "worker": check_worker,
    "ritardi": check_late_jobs,
    "orari": check_schedules,
    "attesa": check_pending,
    "verifica": check_verification,
    "disco": check_disk,
    "orologi": check_clocks,
}


def run_checks(checks: dict[str, Look]) -> Iterator[tuple[str, Check]]:
    """Each check's name and what it found; a database that goes away meanwhile is no error."""
    for name, look in checks.items():
        try:
            yield name, look()
        except health.DatabaseError:
            for connection in connections.all(initialized_only=True):
                connection.close()
            yield name, NOT_JUDGED
