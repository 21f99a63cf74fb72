"""What the start page "Oggi" shows to one user: only what they may see, asked only then.

The one door between the request and the figures: reads the clock, the settings, who asks.
"""

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from etlportal.lists.drawing import Chart
from etlportal.lists.filters import FIRST_DAY, midnight
from etlportal.today import charts, heat
from etlportal.today.reader import MySqlAway, Reader, changelist
from etlportal.today.runs import CELLS, cells
from etlportal.today.strip import machine_strips
from etlportal.today.tiles import needs_of, tiles
from etlportal.today.window import Window, last_hours, whole_day
from ingestion.models import EsecuzioneEtl
from ingestion.watch import figures as staging
from ingestion.watch import health
from orders import figures as orders
from production import figures as production
from production.models import AnomaliaOperazione, Operazione
from production.vocabulary import TipoOperazione

WEEK = timedelta(days=6)  # back from today


def context(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    now = timezone.now()
    window = window_asked(request.GET.get("giorno", ""), now)
    reader = Reader(site, request, now, window, health.databases_answering())
    shown = tiles(reader)
    start, end = (window.local(moment) for moment in (window.start, window.until))
    last_hours_words = _("dalle %(start)s del %(first)s alle %(end)s del %(last)s") % {
        "start": date_format(start, "H:i"),
        "first": date_format(start, "d/m"),
        "end": date_format(end, "H:i"),
        "last": date_format(end, "d/m"),
    }
    window_words = date_format(window.day, "l j F Y") if window.day else last_hours_words
    return {
        "title": _("Oggi"),
        "now": now,
        "today": reader.today,
        "updated": date_format(timezone.localtime(now), "H:i:s"),
        "window": window,
        "window_words": window_words,
        "tiles": shown,
        "needs": needs_of(shown),
        "machine_charts": _machine_charts(reader),
        "charts": _charts(reader),
        "heat": _heat(reader),
    }


def window_asked(giorno: str, now: datetime) -> Window:
    """A day of plant time (ISO), not after today; else the last 24 hours."""
    zone = timezone.get_current_timezone()
    with suppress(ValueError):
        day = date.fromisoformat(giorno)
        if FIRST_DAY <= day <= timezone.localdate(now):
            return whole_day(day, now, zone)
    return last_hours(now, zone)


def _machine_charts(reader: Reader) -> list[Chart]:
    """The two that follow the chosen window."""
    if not reader.may_see(Operazione):
        return []
    window = reader.window
    strips = pieces = None
    with suppress(MySqlAway), reader.mysql():
        works = production.work_between(window.start, window.end)
        strips = machine_strips(production.machines(), works, window)
        pieces = orders.pieces_per_slot(works, window.slots)
    first, last = (window.local(moment).date() for moment in (window.start, window.until))
    url = changelist(Operazione, timestamp_inizio_dal=first, timestamp_inizio_al=window.day or last)
    return [charts.machines_chart(strips, window, url), charts.hours_chart(pieces, window, url)]


def _charts(reader: Reader) -> list[Chart]:
    found = []
    if reader.may_see(Operazione):
        first, stops = reader.today - WEEK, None
        with suppress(MySqlAway), reader.mysql():
            stops = production.stops_since(midnight(first))
        title = _("Perché le macchine si sono fermate, ultimi 7 giorni")
        url = changelist(Operazione, timestamp_inizio_dal=first, tipo_operazione=TipoOperazione.CNC)
        found.append(charts.stops_chart(stops, title, url))
    if reader.may_see(EsecuzioneEtl):
        runs = cells(staging.last_transfers(CELLS), reader.now)
        url = changelist(EsecuzioneEtl, tipo__exact=EsecuzioneEtl.Tipo.TRANSFER)
        found.append(charts.runs_chart(runs, reader.window, url))
    return found


def _heat(reader: Reader) -> dict[str, Any] | None:
    """None for whoever may not see anomalies; ``map`` None when MySQL does not answer."""
    if not reader.may_see(AnomaliaOperazione):
        return None
    first, shown = reader.today - WEEK, None

    def url_of(piece: str, kind: int) -> str:
        return changelist(AnomaliaOperazione, pezzo=piece, tipo=kind, creata_il_dal=first)

    with suppress(MySqlAway), reader.mysql():
        counts = production.anomalies_by_piece(midnight(first))
        names = production.kind_names({count.id_anomalia for count in counts})
        shown = heat.heat_map(counts, names, url_of)
    return {"map": shown, "url": changelist(AnomaliaOperazione, creata_il_dal=first)}
