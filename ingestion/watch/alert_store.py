"""What the alerts told: in PostgreSQL (``Avviso``), so that several hosts send once; what it cannot
take, its own outage first of all, in a small file in DATA_DIR, of this host alone.

Read by ``open_alerts`` and written by ``to_send``, wherever an alert is kept. One that began in the
file ends there. A message goes out at least once: who dies between sending and keeping is followed
by one that sends again.
"""

import fcntl
import json
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models import Q
from django.utils.dateparse import parse_datetime

from ingestion.models import Avviso
from ingestion.watch.health import POSTGRESQL, FlowProblem

logger = logging.getLogger("periodic")

NAME = "avviso-postgresql.json"
KEPT = ("codice", "messaggio", "iniziato_il", "finito_il", "inizio_inviato", "fine_inviata")
# Who has been sending for longer than this has died.
SENDING_AT_MOST = timedelta(minutes=2)


def open_alerts(folder: Path) -> list[Avviso]:
    """Those whose problem has not ended; of PostgreSQL's, none while it does not answer."""
    alerts = [alert for alert in _read(folder) if alert.finito_il is None]
    try:
        return [*alerts, *Avviso.objects.filter(finito_il=None)]
    except DatabaseError:
        connections["default"].close()
        return alerts


def changes(
    found: Sequence[FlowProblem], known: Sequence[Avviso]
) -> tuple[list[FlowProblem], list[Avviso]]:
    """The problems that nobody was told, and the open alerts whose problem is gone.

    Without PostgreSQL nobody knows what else was told, nor what is over: its outage stands alone.
    """
    codes, told = {problem.codice for problem in found}, {alert.codice for alert in known}
    began = [problem for problem in found if problem.codice not in told]
    if POSTGRESQL in codes:
        return [problem for problem in began if problem.codice == POSTGRESQL], []
    return began, [alert for alert in known if alert.codice not in codes]


def to_send(
    found: Sequence[FlowProblem],
    known: Sequence[Avviso],
    channels: Collection[str],
    folder: Path,
    now: datetime,
) -> Iterator[Avviso]:
    """Keeps what began and what ended, then yields each alert that is ours to send.

    What the caller notes on one is kept when it asks for the next. ``known``: the alerts that were
    open before the problems were ``found``, as another look may have seen what began since.
    """
    began, ended = changes(found, known)
    away = any(problem.codice == POSTGRESQL for problem in found)
    unkept = began if away else []
    if not away:
        try:
            # The ends first: where they cannot be written, no beginning is kept here and in the
            # file.
            rows = Avviso.objects.filter(pk__in=[alert.pk for alert in ended], finito_il=None)
            rows.update(finito_il=now, in_invio_dal=None)
            # One open row per problem: another look may have been faster.
            Avviso.objects.bulk_create(map(_alert_of, began), ignore_conflicts=True)
        except DatabaseError as error:
            logger.warning("alerts not kept: %s", type(error).__name__)
            unkept = began
    if unkept or (folder / NAME).exists():
        yield from _of_file(unkept, {alert.codice for alert in ended}, channels, folder, now)
    if not away:
        try:
            yield from _claimed(channels, now)
        except DatabaseError as error:
            logger.warning("alerts not kept: %s", type(error).__name__)


def _alert_of(problem: FlowProblem) -> Avviso:
    return Avviso(codice=problem.codice, messaggio=problem.messaggio, iniziato_il=problem.da)


def _is_waiting(alert: Avviso, channels: Collection[str]) -> bool:
    return alert.finito_il is not None or not {*channels} <= {*alert.inizio_inviato}


# --- In PostgreSQL ------------------------------------------------------------------------


def _claimed(channels: Collection[str], now: datetime) -> Iterator[Avviso]:
    for alert in Avviso.objects.filter(completo=False).order_by("pk"):
        if _is_waiting(alert, channels) and claim(alert, now):
            yield alert
            # Only if it did not end meanwhile: its end is another message.
            Avviso.objects.filter(pk=alert.pk, finito_il=alert.finito_il).update(
                inizio_inviato=alert.inizio_inviato,
                fine_inviata=alert.fine_inviata,
                completo=alert.completo,
                in_invio_dal=None,
            )


def claim(alert: Avviso, now: datetime) -> bool:
    """Whether the message is ours to send: another process may be at it, or have sent it."""
    free = Q(in_invio_dal=None) | Q(in_invio_dal__lt=now - SENDING_AT_MOST)
    unchanged = Avviso.objects.filter(
        free,
        pk=alert.pk,
        completo=False,
        finito_il=alert.finito_il,
        inizio_inviato=alert.inizio_inviato,
        fine_inviata=alert.fine_inviata,
    )
    return bool(unchanged.update(in_invio_dal=now))


# --- In the file --------------------------------------------------------------------------


def _of_file(
    began: Sequence[FlowProblem],
    gone: Collection[str],
    channels: Collection[str],
    folder: Path,
    now: datetime,
) -> Iterator[Avviso]:
    """Nothing while another process of this host is at it.

    Where the file cannot be written, each look tells it again.
    """
    with _alone(folder) as alone:
        if not alone:
            return
        alerts = _read(folder)
        for alert in alerts:
            if alert.codice in gone and alert.finito_il is None:
                alert.finito_il = now
        alerts += map(_alert_of, began)
        yield from (alert for alert in alerts if _is_waiting(alert, channels))
        left = [alert for alert in alerts if not alert.completo]
        kept = [{name: getattr(alert, name) for name in KEPT} for alert in left]
        written = folder / f"{NAME}.tmp"
        try:
            if kept:
                written.write_text(json.dumps(kept, cls=DjangoJSONEncoder))
                written.replace(folder / NAME)
            else:
                (folder / NAME).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("alerts not kept: %s", type(error).__name__)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process of this host is at it; a process that dies lets go."""
    try:
        lock = (folder / f"{NAME}.lock").open("w")
    except OSError:
        yield True
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _read(folder: Path) -> list[Avviso]:
    """[] also where the file is damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((folder / NAME).read_text())
        for fields in kept:
            for name in ("iniziato_il", "finito_il"):
                fields[name] = fields[name] and parse_datetime(fields[name])
        return [Avviso(**{name: fields[name] for name in KEPT}) for fields in kept]
    return []
