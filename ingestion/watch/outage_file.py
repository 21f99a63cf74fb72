"""The alert of PostgreSQL's own outage, which PostgreSQL cannot keep: a small file in DATA_DIR.

Of one host alone: where several send alerts, each tells this one problem. It is there only while
the outage lasts, or its end could not be sent yet.
"""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.dateparse import parse_datetime

from ingestion.models import Avviso
from ingestion.watch.health import Problem

logger = logging.getLogger("periodic")

NAME = "avviso-postgresql.json"
KEPT = ("codice", "messaggio", "iniziato_il", "finito_il", "inizio_inviato", "fine_inviata")


def exists(folder: Path) -> bool:
    return (folder / NAME).exists()


@contextmanager
def alert(folder: Path, problem: Problem | None, now: datetime) -> Iterator[Avviso | None]:
    """The outage's alert as it stands, kept again at the end; None when there is nothing to tell,
    or another process is telling it. Where the file cannot be written, each look tells it again.
    """
    if problem is None and not exists(folder):
        yield None
        return
    with _alone(folder) as alone:
        kept = _at(_read(folder), problem, now) if alone else None
        yield kept
        if kept:
            _keep(folder, kept)


def _at(kept: Avviso | None, problem: Problem | None, now: datetime) -> Avviso | None:
    if problem and (kept is None or kept.finito_il):
        return Avviso(codice=problem.codice, messaggio=problem.messaggio, iniziato_il=problem.da)
    if kept and problem is None and kept.finito_il is None:
        kept.finito_il = now
    return kept


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


def _read(folder: Path) -> Avviso | None:
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads((folder / NAME).read_text())
        moments = {name: kept[name] and parse_datetime(kept[name]) for name in KEPT[2:4]}
        return Avviso(**{name: kept[name] for name in KEPT} | moments)
    return None


def _keep(folder: Path, kept: Avviso) -> None:
    path, written = folder / NAME, folder / f"{NAME}.tmp"
    try:
        if kept.completo:
            path.unlink(missing_ok=True)
            return
        fields = {name: getattr(kept, name) for name in KEPT}
        written.write_text(json.dumps(fields, cls=DjangoJSONEncoder))
        written.replace(path)
    except OSError as error:
        logger.warning("alert not kept: %s", type(error).__name__)
