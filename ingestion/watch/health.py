"""What is wrong with the flow now: judged when read, by whoever reads, so that it shows also when
the worker is dead.

The one list of problems behind ``/status`` (``in_ritardo``), ``check_etl``, the start page and the
alerts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models import Min
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.status import Stat

from ingestion.models import Avviso, EsecuzioneEtl, RawOperazione
from ingestion.runs.queue import living_run

LATE_AFTER = timedelta(minutes=75)
DEAF_AFTER = timedelta(minutes=2)
ANSWERS_WITHIN_SECONDS = 3

Stato = EsecuzioneEtl.Stato
Tipo = EsecuzioneEtl.Tipo

LATE_SENTENCES = {
    Tipo.TRANSFER: "Nessun trasferimento riuscito da più di 75 minuti.",
    Tipo.ORDINI: "Nessun aggiornamento degli ordini riuscito da più di 75 minuti.",
}
POSTGRESQL = "postgresql"
ALIASES = {POSTGRESQL: "default", "mysql": "production"}
AWAY_SENTENCES = {
    POSTGRESQL: "Il database PostgreSQL non risponde: i record non si possono ricevere.",
    "mysql": "Il database di produzione (MySQL) non risponde: i record restano in attesa.",
}


class FlowProblem(NamedTuple):
    """One thing wrong. ``codice`` is stable: postgresql, mysql, worker, transfer, ordini.

    ``messaggio``: an Italian sentence. ``da``: since when, as far as it is known.
    """

    codice: str
    messaggio: str
    da: datetime


def problems(databases: dict[str, bool] | None = None) -> list[FlowProblem]:
    """What is wrong now; [] when all is well. Never raises because a database is away.

    ``databases``: what ``databases_answering()`` told a moment ago, if the caller asked already.
    Without PostgreSQL the rest cannot be judged: then only the databases are told.
    """
    now = timezone.now()
    answering = databases if databases is not None else databases_answering()
    away = [name for name, answers in answering.items() if not answers]
    if POSTGRESQL in away:
        return [FlowProblem(name, AWAY_SENTENCES[name], now) for name in away]
    try:
        # Away since whoever sends the alerts noticed it first.
        open_alerts = Avviso.objects.filter(finito_il=None)
        noticed = dict(open_alerts.values_list("codice", "iniziato_il"))
        found = [FlowProblem(name, AWAY_SENTENCES[name], noticed.get(name, now)) for name in away]
        # Work that should have begun long ago, while nothing runs: the worker is deaf, or dead.
        limit = now - DEAF_AFTER
        waiting = [moment for moment in (_oldest_task(limit), _overdue(limit)) if moment]
        if waiting and not any(living_run(tipo, settings.RUN_DEAD_AFTER) for tipo in Tipo):
            told = "è sordo: è acceso ma non prende" if worker_beat() else "è fermo: nessuno prende"
            words = f"Il worker {told} i lavori in coda."
            found.append(FlowProblem("worker", words, min(waiting)))
        return [*found, *_late(now)]
    except DatabaseError:  # it went away in this very moment
        connections["default"].close()
        return [FlowProblem(POSTGRESQL, AWAY_SENTENCES[POSTGRESQL], now)]


def failed_verification() -> EsecuzioneEtl | None:
    """The newest check of the invariants that came to its end, if something did not hold."""
    ended = EsecuzioneEtl.objects.filter(tipo=Tipo.VERIFICA, stato__in=[Stato.OK, Stato.ERRORE])
    last = ended.order_by("-pk").first()
    return last if last and last.stato == Stato.ERRORE else None


# --- The databases --------------------------------------------------------------------------


def databases_answering() -> dict[str, bool]:
    return {name: reachable(alias) for name, alias in ALIASES.items()}


def reachable(alias: str) -> bool:
    """Whether the database takes a connection and answers on it, in a few seconds at most.

    A connection of its own: one that is open waits for a frozen server as long as for a slow
    statement, a minute.
    """
    connection = connections[alias]
    limits = {"connect_timeout": ANSWERS_WITHIN_SECONDS}
    if connection.vendor == "mysql":
        limits |= dict.fromkeys(("read_timeout", "write_timeout"), ANSWERS_WITHIN_SECONDS)
    try:
        with connection.wrap_database_errors:
            if connection.vendor == "sqlite":
                connection.cursor().execute("SELECT 1")
            else:
                parameters = connection.get_connection_params() | limits
                connection.get_new_connection(parameters).close()
    except DatabaseError:
        connection.close()
        return False
    return True


# --- The worker -----------------------------------------------------------------------------


def worker_beat() -> datetime | None:
    """The queue's newest heartbeat; its clusters write it to the shared cache, for seconds."""
    return max((stat.timestamp for stat in Stat.get_all()), default=None)


def _oldest_task(limit: datetime) -> datetime | None:
    """Since when the oldest task waits, if since before ``limit``.

    A task's ``lock`` is the moment it was queued until a cluster takes it, then the moment until
    which it is that cluster's. A deaf cluster goes on taking a few into its own memory, where no
    process fetches them. What a cluster that is gone took is not waited for: it comes back by
    itself when its lock ends.
    """
    untaken = OrmQ.objects.filter(lock__lt=limit).aggregate(oldest=Min("lock"))["oldest"]
    born = [stat.tob for stat in Stat.get_all() if stat.task_q_size]
    if untaken or not born:
        return untaken
    lasting = timedelta(seconds=Conf.RETRY)
    taken = OrmQ.objects.filter(lock__gte=min(born) + lasting, lock__lt=limit + lasting)
    unfetched: datetime | None = taken.aggregate(oldest=Min("lock"))["oldest"]
    return unfetched - lasting if unfetched else None


def _overdue(limit: datetime) -> datetime | None:
    """When the first scheduled job that no cluster put in the queue was due; paused ones wait.

    A cluster reads the timetable every half minute: one that was just started gets its time.
    """
    if any(stat.tob > limit for stat in Stat.get_all()):
        return None
    schedules = Schedule.objects.exclude(repeats=0).filter(next_run__lt=limit)
    return schedules.aggregate(first=Min("next_run"))["first"]


# --- Late jobs ------------------------------------------------------------------------------


def _late(now: datetime) -> Iterator[FlowProblem]:
    """Kinds of run that should have succeeded within ``LATE_AFTER`` and did not.

    Where one never succeeded, it counts from the first run or record there was.
    """
    for tipo, sentence in LATE_SENTENCES.items():
        succeeded = EsecuzioneEtl.objects.succeeded().filter(tipo=tipo).order_by("-pk").first()
        if succeeded:
            signs = [succeeded.finita_il]
        else:
            records = RawOperazione.objects.order_by("pk").values_list("ricevuto_il", flat=True)
            run = EsecuzioneEtl.objects.aggregate(first=Min("creata_il"))["first"]
            signs = [run, records.first()]
        since = min((moment for moment in signs if moment), default=None)
        if since and since < now - LATE_AFTER:
            yield FlowProblem(tipo.value, sentence, since)
