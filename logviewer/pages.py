"""How a log line is shown on a page: plant time, a coloured level, links to what it names."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import plant_time
from logviewer.lines import parse

LEVEL_LABELS = {
    "DEBUG": _("Dettaglio"),
    "INFO": _("Informazione"),
    "WARNING": _("Avviso"),
    "ERROR": _("Errore"),
    "CRITICAL": _("Errore grave"),
}
LEVEL_KINDS = {
    "DEBUG": "waiting",
    "INFO": "running",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "error",
}
_ROW = re.compile(r"row (\d{1,18}) ")


class ShownLine(NamedTuple):
    """A line for a page; every value is text, "" where the line says nothing.

    ``colore``: a badge's kind (portal.css). The addresses are "" for who may not see them;
    ``richiesta_url`` has all lines of the request, ``record_url`` is of the row that was refused.
    """

    ora: str
    livello: str
    colore: str
    esecuzione: str
    esecuzione_url: str
    richiesta: str
    richiesta_url: str
    messaggio: str
    record_url: str


def shown_line(text: str, log: str, user: Any) -> ShownLine:
    line = parse(text)
    same_request = urlencode({"file": log, "q": line.request})
    row = _ROW.match(line.message) if user.has_perm("ingestion.view_rawoperazione") else None
    return ShownLine(
        ora=plant_time(line.time) if line.time else "",
        livello=str(LEVEL_LABELS.get(line.level, line.level)),
        colore=LEVEL_KINDS.get(line.level, "waiting"),
        esecuzione="" if line.run is None else str(line.run),
        esecuzione_url=run_url(line.run, user),
        richiesta=line.request,
        richiesta_url=line.request and f"{reverse('admin:logviewer_file')}?{same_request}",
        messaggio=line.message,
        record_url=reverse("admin:ingestion_rawoperazione_change", args=[row[1]]) if row else "",
    )


def run_url(run: Any, user: Any) -> str:
    """The page of a run; "" for none, and for a user who may not see it."""
    if run is None or not user.has_perm("ingestion.view_esecuzioneetl"):
        return ""
    return reverse("admin:ingestion_esecuzioneetl_change", args=[run])


def moment_text(timestamp: float) -> str:
    """A file's time, in plant time."""
    return plant_time(datetime.fromtimestamp(timestamp, UTC))
