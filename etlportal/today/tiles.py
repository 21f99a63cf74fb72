"""The start page's tiles: figures in, words out; and, gathered from them, what needs somebody.

A tile is a state, one big figure and a few lines, each with the list where its rows are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from etlportal.lists.pages import EMPTY, breakable
from etlportal.today.charts import whole
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.watch.figures import Rejected
from ingestion.watch.health import Problem
from orders.figures import OrderFigure, OrderFigures, StockFigure
from production.figures import KindCount

MOST_LINES = 5
# The order of a list of needs: what is broken before what is only unfinished.
GRAVITY = ("error", "warning")


class Line(NamedTuple):
    text: str
    value: str = ""
    url: str = ""
    kind: str = ""


class Need(NamedTuple):
    """Something that waits for a person; ``kind`` as of a badge: error or warning."""

    kind: str
    text: str
    url: str


@dataclass(frozen=True)
class Tile:
    """``kind`` as of a badge (portal.css) and ``state`` its word; ``figure`` "" for none."""

    title: str
    url: str
    kind: str
    state: str
    figure: str = ""
    unit: str = ""
    lines: list[Line] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)


def changelist(model: str, **parameters: Any) -> str:
    """The address of a list of the admin, filtered; ``model`` as in ingestion_rawoperazione."""
    return reverse(f"admin:{model}_changelist", query=parameters)


def needs_of(tiles: Iterable[Tile]) -> list[Need]:
    needs = [need for tile in tiles for need in tile.needs]
    return sorted(needs, key=lambda need: GRAVITY.index(need.kind))


# --- Does data flow -----------------------------------------------------------------------


class Flow(NamedTuple):
    """``oldest_pending``: how long the oldest record has waited; None when none waits.

    ``worker_beat`` None: no worker lives. ``databases`` by name: whether they answer.
    ``unverified``: the newest check of the invariants found that one does not hold.
    """

    last_run: EsecuzioneEtl | None
    problems: list[Problem]
    pending: int
    oldest_pending: timedelta | None
    worker_beat: datetime | None
    databases: Mapping[str, bool]
    unverified: bool = False


def problem_words(problem: Problem) -> str:
    """The sentence in the reader's language; that of the problem itself is Italian."""
    sentences = {
        "postgresql": _("PostgreSQL non risponde: i record non si possono ricevere."),
        "mysql": _("MySQL non risponde: i record restano in attesa."),
        "worker": _("Il worker non prende i lavori in coda."),
        "transfer": _("Nessun trasferimento riuscito da più di 75 minuti."),
        "ordini": _("Nessun aggiornamento degli ordini riuscito da più di 75 minuti."),
    }
    return sentences.get(problem.codice, problem.messaggio)


def flow_tile(flow: Flow) -> Tile:
    url = changelist("ingestion_esecuzioneetl")
    needs = [Need("error", problem_words(problem), url) for problem in flow.problems]
    if flow.unverified:
        found = changelist("ingestion_esecuzioneetl", tipo__exact=EsecuzioneEtl.Tipo.VERIFICA)
        needs.append(Need("error", _("La verifica ha trovato qualcosa che non torna."), found))
    if flow.problems:
        kind, state = "error", _("Non scorre")
    elif flow.last_run is None:
        kind, state = "waiting", _("Mai partito")
    elif flow.worker_beat is None:
        kind, state = "warning", _("Worker fermo")
    elif flow.last_run.stato in (EsecuzioneEtl.Stato.ERRORE, EsecuzioneEtl.Stato.INTERROTTA):
        kind, state = "warning", _("Ultimo non riuscito")
    else:
        kind, state = "ok", _("Scorre")
    return Tile(_("Flusso dei dati"), url, kind, state, lines=_flow_lines(flow, url), needs=needs)


def _flow_lines(flow: Flow, url: str) -> list[Line]:
    run = flow.last_run
    ran = f"{short_time(run.iniziata_il)} · {run.get_stato_display()}" if run else EMPTY
    pending = changelist("ingestion_rawoperazione", stato__exact=RawOperazione.Stato.PENDING)
    waits = f"{whole(flow.pending)}"
    if flow.oldest_pending is not None:
        waits = _("%(n)s, il più vecchio da %(time)s") % {
            "n": waits,
            "time": age(flow.oldest_pending),
        }
    answers = {True: _("risponde"), False: _("non risponde")}
    beat = _("attivo") if flow.worker_beat else _("fermo")
    return [
        Line(_("Ultimo trasferimento"), ran, f"{url}{run.pk}/change/" if run else ""),
        Line(_("Record da trasferire"), waits, pending),
        Line(_("Worker"), beat, kind="" if flow.worker_beat else "error"),
        *(
            Line(label, answers[flow.databases[name]], kind="" if flow.databases[name] else "error")
            for name, label in (("postgresql", "PostgreSQL"), ("mysql", "MySQL"))
        ),
    ]


def short_time(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "d/m H:i") if moment else EMPTY


def age(lasted: timedelta) -> str:
    """3 min, 5 h, 2 giorni: the greatest unit alone."""
    minutes = max(0, int(lasted.total_seconds() // 60))
    if minutes < 60:
        return _("%(n)s min") % {"n": minutes}
    if minutes < 48 * 60:
        return _("%(n)s h") % {"n": minutes // 60}
    return _("%(n)s giorni") % {"n": whole(minutes // (24 * 60))}


# --- Rejected rows ------------------------------------------------------------------------


def rejected_tile(rejected: Rejected) -> Tile:
    url = changelist("ingestion_rawoperazione", errori="da_gestire")
    title, number = _("Record rifiutati"), whole(rejected.numero)
    if not rejected.numero:
        return Tile(title, url, "ok", _("Nessuno"), number)
    text = ngettext(
        "%(n)s record rifiutato da correggere o rimettere in coda",
        "%(n)s record rifiutati da correggere o rimettere in coda",
        rejected.numero,
    )
    return Tile(
        title,
        url,
        "error",
        _("Da rivedere"),
        number,
        lines=[Line(_("Il più vecchio"), short_time(rejected.dal))],
        needs=[Need("error", text % {"n": number}, url)],
    )


# --- Anomalies ----------------------------------------------------------------------------


def anomalies_tile(kinds: list[KindCount], last_day: int) -> Tile:
    """``last_day``: those of them that were raised in the last 24 hours."""
    model = "production_anomaliaoperazione"
    url, total = changelist(model), sum(kind.numero for kind in kinds)
    title, number = _("Anomalie aperte"), whole(total)
    if not total:
        return Tile(title, url, "ok", _("Nessuna"), number)
    text = ngettext("%(n)s anomalia aperta", "%(n)s anomalie aperte", total) % {"n": number}
    shown = [
        Line(breakable(f"{kind.id_anomalia} {kind.nome}"), whole(kind.numero),
             changelist(model, tipo=kind.id_anomalia))
        for kind in kinds[:MOST_LINES]
    ]  # fmt: skip
    if rest := total - sum(kind.numero for kind in kinds[:MOST_LINES]):
        shown.append(Line(_("Altri tipi"), whole(rest)))
    return Tile(
        title,
        url,
        "warning",
        _("Da gestire"),
        number,
        _("di cui nelle ultime 24 ore: %(n)s") % {"n": whole(last_day)},
        shown,
        [Need("warning", text, url)],
    )


# --- Orders -------------------------------------------------------------------------------


def orders_tile(orders: OrderFigures, late_after_days: int) -> Tile:
    def of(kind: str) -> str:
        return changelist("orders_ordine", attenzione=kind)

    needs = []
    if orders.in_ritardo:
        late = ngettext("%(n)s ordine in ritardo", "%(n)s ordini in ritardo", orders.in_ritardo)
        needs.append(Need("error", late % {"n": whole(orders.in_ritardo)}, of("ritardo")))
    if orders.senza_righe:
        empty = ngettext("%(n)s ordine senza righe", "%(n)s ordini senza righe", orders.senza_righe)
        needs.append(Need("warning", empty % {"n": whole(orders.senza_righe)}, of("senza_righe")))
    kind = needs[0].kind if needs else "ok"
    states = {"error": _("In ritardo"), "warning": _("Da rivedere"), "ok": _("In regola")}
    waits = _("In ritardo (iniziati da almeno %(n)s giorni)") % {"n": late_after_days}
    return Tile(
        _("Ordini in attesa"),
        changelist("orders_ordine", stato__exact="IN ATTESA"),
        kind,
        states[kind],
        whole(orders.in_attesa),
        lines=[
            Line(waits, whole(orders.in_ritardo), of("ritardo")),
            *_order_lines(orders.primi_in_ritardo),
            Line(
                _("Quasi completi (almeno nove pezzi su dieci)"),
                whole(orders.quasi_completi),
                of("quasi"),
            ),
            *_order_lines(orders.primi_quasi_completi),
            Line(_("Senza righe"), whole(orders.senza_righe), of("senza_righe")),
        ],
        needs=needs,
    )


def _order_lines(orders: Iterable[OrderFigure]) -> list[Line]:
    return [
        Line(
            _("Ordine %(n)s") % {"n": order.id_ordine},
            f"{whole(order.fatti)}/{whole(order.totali)}",
            reverse("admin:orders_ordine_change", args=[order.id_ordine]),
            "detail",
        )
        for order in orders
    ]


# --- Stock --------------------------------------------------------------------------------


def stock_tile(below: list[StockFigure]) -> Tile:
    url = changelist("orders_magazzino", scorta="sotto")
    title, number = _("Sotto la scorta minima"), whole(len(below))
    if not below:
        return Tile(title, url, "ok", _("Nessuna"), number)
    text = ngettext("%(n)s articolo sotto scorta", "%(n)s articoli sotto scorta", len(below))
    return Tile(
        title,
        url,
        "warning",
        _("Da rifornire"),
        number,
        lines=[
            Line(
                stock.articolo,
                _("%(have)s su %(least)s")
                % {"have": whole(stock.disponibili), "least": whole(stock.scorta_minima)},
                reverse("admin:orders_magazzino_change", args=[stock.id_magazzino]),
            )
            for stock in below[:MOST_LINES]
        ],
        needs=[Need("warning", text % {"n": number}, url)],
    )


def away_tile(title: str, url: str) -> Tile:
    """For figures of a database that does not answer: none is shown rather than an old one."""
    return Tile(title, url, "error", _("MySQL non risponde"), EMPTY)
