"""What the start page "Oggi" shows to one user: only what they may see, asked only then.

The one door between the request and the figures: reads the clock, the settings, who asks. With
MySQL away the page still opens, and what lives there says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.db import InterfaceError, OperationalError, connections
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from etlportal.lists.drawing import Chart
from etlportal.lists.pages import FIRST_DAY
from etlportal.today import charts, heat, tiles
from etlportal.today.runs import CELLS, cells
from etlportal.today.strip import machine_strips
from etlportal.today.tiles import Flow, Tile, changelist
from etlportal.today.window import Window, last_hours, whole_day
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.failures import Failure, classify
from ingestion.watch import figures as staging
from ingestion.watch import health, status
from orders import figures as orders
from orders.models import Magazzino, Ordine
from production import figures as production
from production.models import AnomaliaOperazione, Operazione

DAY = timedelta(days=1)
WEEK_DAYS = 7


@dataclass
class Reader:
    """Who looks, and when. ``mysql``: whether it answers; False from the first refusal on."""

    site: AdminSite
    request: HttpRequest
    now: datetime
    window: Window
    databases: dict[str, bool]

    def may_see(self, model: type[Model]) -> bool:
        admin = self.site._registry.get(model)
        return admin is not None and admin.has_view_permission(self.request)

    def from_mysql(self, read: Callable[[], Any]) -> Any:
        """What it reads; None when the database does not answer, which is asked once a page."""
        if not self.databases["mysql"]:
            return None
        try:
            return read()
        except (OperationalError, InterfaceError) as error:
            if classify(error) is not Failure.PASSING:
                raise
            connections["production"].close()
            self.databases["mysql"] = False
            return None


def context(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    now = timezone.now()
    window = window_asked(request.GET.get("giorno", ""), now)
    reader = Reader(site, request, now, window, health.databases_answering())
    shown = _tiles(reader)
    return {
        "title": _("Oggi"),
        "now": now,
        "today": timezone.localdate(now),
        "updated": date_format(timezone.localtime(now), "H:i:s"),
        "window": window,
        "window_words": _window_words(window),
        "tiles": shown,
        "needs": tiles.needs_of(shown),
        "machine_charts": _machine_charts(reader),
        "charts": _charts(reader),
        "heat": _heat(reader),
    }


def window_asked(giorno: str, now: datetime) -> Window:
    """A day of plant time (ISO), not after today; else the last 24 hours."""
    zone = timezone.get_current_timezone()
    try:
        day = date.fromisoformat(giorno)
    except ValueError:
        return last_hours(now, zone)
    if not FIRST_DAY <= day <= timezone.localdate(now):
        return last_hours(now, zone)
    return whole_day(day, now, zone)


def _window_words(window: Window) -> str:
    start, end = (window.local(moment) for moment in (window.start, window.until))
    if window.day:
        return date_format(window.day, "l j F Y")
    times = {
        "start": date_format(start, "H:i"),
        "first": date_format(start, "d/m"),
        "end": date_format(end, "H:i"),
        "last": date_format(end, "d/m"),
    }
    return _("dalle %(start)s del %(first)s alle %(end)s del %(last)s") % times


# --- Tiles --------------------------------------------------------------------------------


def _tiles(reader: Reader) -> list[Tile]:
    """In the order of the day's work; each for whoever may see the rows behind it."""
    makers: list[tuple[type[Model], Callable[[Reader], Tile]]] = [
        (EsecuzioneEtl, _flow_tile),
        (RawOperazione, _rejected_tile),
        (AnomaliaOperazione, _anomalies_tile),
        (Ordine, _orders_tile),
        (Magazzino, _stock_tile),
    ]
    return [make(reader) for model, make in makers if reader.may_see(model)]


def _flow_tile(reader: Reader) -> Tile:
    waiting = status.staging()
    transfers = EsecuzioneEtl.objects.filter(tipo=EsecuzioneEtl.Tipo.TRANSFER)
    oldest = timedelta(seconds=waiting["oldest_pending_s"]) if waiting["pending"] else None
    return tiles.flow_tile(
        Flow(
            transfers.exclude(stato=EsecuzioneEtl.Stato.IN_CODA).order_by("-pk").first(),
            health.problems(reader.databases),
            waiting["pending"],
            oldest,
            health.worker_beat(),
            reader.databases,
            health.failed_verification() is not None,
        )
    )


def _rejected_tile(reader: Reader) -> Tile:
    return tiles.rejected_tile(staging.rejected())


def _anomalies_tile(reader: Reader) -> Tile:
    since = reader.now - DAY
    found = reader.from_mysql(
        lambda: (production.anomalies_by_kind(), production.anomalies_since(since))
    )
    if found is None:
        return tiles.away_tile(_("Anomalie aperte"), changelist("production_anomaliaoperazione"))
    return tiles.anomalies_tile(*found)


def _orders_tile(reader: Reader) -> Tile:
    days = settings.ORDINI_IN_RITARDO_GIORNI
    today = timezone.localdate(reader.now)
    found = reader.from_mysql(lambda: orders.order_figures(today, days))
    if found is None:
        return tiles.away_tile(_("Ordini in attesa"), changelist("orders_ordine"))
    return tiles.orders_tile(found, days)


def _stock_tile(reader: Reader) -> Tile:
    found = reader.from_mysql(orders.below_minimum)
    if found is None:
        return tiles.away_tile(_("Sotto la scorta minima"), changelist("orders_magazzino"))
    return tiles.stock_tile(found)


# --- Pictures -----------------------------------------------------------------------------


def _away_chart(title: str, *, wide: bool = False) -> Chart:
    return Chart(title, empty=_("MySQL non risponde: dati non disponibili."), wide=wide)


def _machine_charts(reader: Reader) -> list[Chart]:
    """The two that follow the chosen window."""
    if not reader.may_see(Operazione):
        return []
    window = reader.window
    found = reader.from_mysql(lambda: _machine_figures(window))
    if found is None:
        return [
            _away_chart(_("Che cosa hanno fatto le macchine"), wide=True),
            _away_chart(_("Pezzi finiti ogni ora")),
        ]
    strips, pieces = found
    days = [window.local(moment).date() for moment in (window.start, window.until)]
    first, last = days[0], window.day or days[1]
    url = changelist("production_operazione", timestamp_inizio_dal=first, timestamp_inizio_al=last)
    return [
        charts.machines_chart(strips, window, url),
        charts.hours_chart(pieces, window, url),
    ]


def _machine_figures(window: Window) -> tuple[Any, Any]:
    works = production.work_between(window.start, window.end)
    strips = machine_strips(production.machines(), works, window)
    return strips, orders.pieces_per_slot(works, window.slots)


def _charts(reader: Reader) -> list[Chart]:
    found = []
    if reader.may_see(Operazione):
        found.append(_stops_chart(reader))
    if reader.may_see(EsecuzioneEtl):
        runs = cells(staging.last_transfers(CELLS), reader.now)
        url = changelist("ingestion_esecuzioneetl", tipo__exact=EsecuzioneEtl.Tipo.TRANSFER)
        found.append(charts.runs_chart(runs, reader.window, url))
    return found


def _stops_chart(reader: Reader) -> Chart:
    title = _("Perché le macchine si sono fermate, ultimi 7 giorni")
    first = timezone.localdate(reader.now) - timedelta(days=WEEK_DAYS - 1)
    stops = reader.from_mysql(lambda: production.stops_since(_midnight(first)))
    if stops is None:
        return _away_chart(title)
    url = changelist("production_operazione", timestamp_inizio_dal=first, tipo_operazione="cnc")
    return charts.stops_chart(stops, title, url)


def _heat(reader: Reader) -> dict[str, Any] | None:
    """None for whoever may not see anomalies; ``map`` None when MySQL does not answer."""
    if not reader.may_see(AnomaliaOperazione):
        return None
    first = timezone.localdate(reader.now) - timedelta(days=WEEK_DAYS - 1)
    since = {"creata_il_dal": first}

    def url_of(piece: str, kind: int) -> str:
        return changelist("production_anomaliaoperazione", pezzo=piece, tipo=kind, **since)

    def read() -> heat.HeatMap:
        counts = production.anomalies_by_piece(_midnight(first))
        names = production.kind_names({count.id_anomalia for count in counts})
        return heat.heat_map(counts, names, url_of)

    url = changelist("production_anomaliaoperazione", **since)
    return {"map": reader.from_mysql(read), "url": url}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))
