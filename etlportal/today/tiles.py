"""The start page's tiles and, gathered from them, what needs somebody.

A tile is a state, one big figure and a few lines, each with the list where its rows are. It is
declared once, by ``@tile`` over the function that reads its figures and puts them into words.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from etlportal.lists.columns import EMPTY, breakable
from etlportal.lists.drawing import whole
from etlportal.today.reader import MySqlAway, Reader, change_page, changelist
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.watch import figures as staging
from ingestion.watch import health, status
from orders import figures as orders
from orders.models import Magazzino, Ordine
from production import figures as production
from production.models import AnomaliaOperazione
from production.vocabulary import StatoOrdine

MOST_LINES = 5
# The order of a list of needs: what is broken before what is only unfinished.
GRAVITY = ("error", "warning")
Stato = EsecuzioneEtl.Stato


class TileLine(NamedTuple):
    text: str
    value: str = ""
    url: str = ""
    kind: str = ""


class Need(NamedTuple):
    """Something that waits for a person; ``kind`` as of a badge: error or warning."""

    kind: str
    text: str
    url: str


class Tile(NamedTuple):
    """``kind`` as of a badge (portal.css) and ``state`` its word; ``figure`` "" for none."""

    kind: str
    state: str
    figure: str = ""
    unit: str = ""
    lines: Iterable[TileLine] = ()
    needs: Iterable[Need] = ()
    title: Any = ""
    url: str = ""


class TileDeclaration(NamedTuple):
    model: type[Model]
    title: Promise
    filters: dict[str, str]
    read: Callable[[Reader, str], Tile]


DECLARED: list[TileDeclaration] = []


def tile(model: type[Model], title: Promise, **filters: str) -> Callable[[Any], Any]:
    """Declares a tile, in the page's order, for whoever may see the rows of ``model``.

    The function gets the reader and the address of those rows: the model's list with ``filters``.
    """

    def declare(read: Callable[[Reader, str], Tile]) -> Callable[[Reader, str], Tile]:
        DECLARED.append(TileDeclaration(model, title, filters, read))
        return read

    return declare


def tiles(reader: Reader) -> list[Tile]:
    """Those that the reader may see. MySQL away: no figure is shown rather than an old one."""
    found = []
    for model, title, filters, read in DECLARED:
        if reader.may_see(model):
            url = changelist(model, **filters)
            try:
                shown = read(reader, url)
            except MySqlAway:
                shown = Tile("error", _("MySQL non risponde"), EMPTY)
            found.append(shown._replace(title=title, url=url))
    return found


def needs_of(tiles: Iterable[Tile]) -> list[Need]:
    needs = [need for tile in tiles for need in tile.needs]
    return sorted(needs, key=lambda need: GRAVITY.index(need.kind))


# --- Does data flow -----------------------------------------------------------------------


@tile(EsecuzioneEtl, gettext_lazy("Flusso dei dati"))
def flow(reader: Reader, url: str) -> Tile:
    transfers = EsecuzioneEtl.objects.filter(tipo=EsecuzioneEtl.Tipo.TRANSFER)
    run = transfers.exclude(stato=Stato.IN_CODA).order_by("-pk").first()
    problems = health.problems(reader.databases)
    beats = health.worker_beat() is not None
    kind, state = flow_state(problems, run, beats=beats)

    needs = [Need("error", problem_words(problem), url) for problem in problems]
    if health.failed_verification():
        found = changelist(EsecuzioneEtl, tipo__exact=EsecuzioneEtl.Tipo.VERIFICA)
        needs.append(Need("error", _("La verifica ha trovato qualcosa che non torna."), found))

    ran = f"{short_time(run.iniziata_il)} · {run.get_stato_display()}" if run else EMPTY
    waiting = status.staging()
    waits = whole(waiting["pending"])
    if waiting["pending"]:
        oldest = age(timedelta(seconds=waiting["oldest_pending_s"]))
        waits = _("%(n)s, il più vecchio da %(time)s") % {"n": waits, "time": oldest}
    pending = changelist(RawOperazione, stato__exact=RawOperazione.Stato.PENDING)
    lines = [
        TileLine(_("Ultimo trasferimento"), ran, change_page(EsecuzioneEtl, run.pk) if run else ""),
        TileLine(_("Record da trasferire"), waits, pending),
        TileLine(_("Worker"), _("attivo") if beats else _("fermo"), kind="" if beats else "error"),
    ]
    for label in ("PostgreSQL", "MySQL"):
        answers = reader.databases[label.lower()]
        told = _("risponde") if answers else _("non risponde")
        lines.append(TileLine(label, told, kind="" if answers else "error"))
    return Tile(kind, state, lines=lines, needs=needs)


def flow_state(
    problems: list[health.FlowProblem], run: EsecuzioneEtl | None, *, beats: bool
) -> tuple[str, str]:
    """Kind and word; ``run``: the newest transfer, ``beats``: whether a worker lives."""
    if problems:
        return "error", _("Non scorre")
    if run is None:
        return "waiting", _("Mai partito")
    if not beats:
        return "warning", _("Worker fermo")
    if run.stato in (Stato.ERRORE, Stato.INTERROTTA):
        return "warning", _("Ultimo non riuscito")
    return "ok", _("Scorre")


def problem_words(problem: health.FlowProblem) -> str:
    """The sentence in the reader's language; that of the problem itself is Italian."""
    sentences = {
        "postgresql": _("PostgreSQL non risponde: i record non si possono ricevere."),
        "mysql": _("MySQL non risponde: i record restano in attesa."),
        "worker": _("Il worker non prende i lavori in coda."),
        "transfer": _("Nessun trasferimento riuscito da più di 75 minuti."),
        "ordini": _("Nessun aggiornamento degli ordini riuscito da più di 75 minuti."),
    }
    return sentences.get(problem.codice, problem.messaggio)


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


# --- What people have to do ---------------------------------------------------------------


@tile(RawOperazione, gettext_lazy("Record rifiutati"), errori="da_gestire")
def rejected(reader: Reader, url: str) -> Tile:
    count, oldest = staging.rejected()
    number = whole(count)
    if not count:
        return Tile("ok", _("Nessuno"), number)
    text = ngettext(
        "%(n)s record rifiutato da correggere o rimettere in coda",
        "%(n)s record rifiutati da correggere o rimettere in coda",
        count,
    )
    lines = [TileLine(_("Il più vecchio"), short_time(oldest))]
    needs = [Need("error", text % {"n": number}, url)]
    return Tile("error", _("Da rivedere"), number, lines=lines, needs=needs)


@tile(AnomaliaOperazione, gettext_lazy("Anomalie aperte"))
def anomalies(reader: Reader, url: str) -> Tile:
    with reader.mysql():
        kinds = production.anomalies_by_kind()
        last_day = production.anomalies_since(reader.now - timedelta(days=1))
    total = sum(kind.numero for kind in kinds)
    number = whole(total)
    if not total:
        return Tile("ok", _("Nessuna"), number)
    lines = [
        TileLine(
            breakable(f"{kind.id_anomalia} {kind.nome}"),
            whole(kind.numero),
            changelist(AnomaliaOperazione, tipo=kind.id_anomalia),
        )
        for kind in kinds[:MOST_LINES]
    ]
    if rest := sum(kind.numero for kind in kinds[MOST_LINES:]):
        lines.append(TileLine(_("Altri tipi"), whole(rest)))
    unit = _("di cui nelle ultime 24 ore: %(n)s") % {"n": whole(last_day)}
    text = ngettext("%(n)s anomalia aperta", "%(n)s anomalie aperte", total) % {"n": number}
    return Tile("warning", _("Da gestire"), number, unit, lines, [Need("warning", text, url)])


@tile(Ordine, gettext_lazy("Ordini in attesa"), stato__exact=StatoOrdine.IN_ATTESA)
def waiting_orders(reader: Reader, url: str) -> Tile:
    days = settings.ORDINI_IN_RITARDO_GIORNI
    with reader.mysql():
        found = orders.order_figures(reader.today, days)

    def those(attention: str) -> str:
        return changelist(Ordine, attenzione=attention)

    needs = []
    if number := found.in_ritardo:
        text = ngettext("%(n)s ordine in ritardo", "%(n)s ordini in ritardo", number)
        needs.append(Need("error", text % {"n": whole(number)}, those("ritardo")))
    if number := found.senza_righe:
        text = ngettext("%(n)s ordine senza righe", "%(n)s ordini senza righe", number)
        needs.append(Need("warning", text % {"n": whole(number)}, those("senza_righe")))
    kind = needs[0].kind if needs else "ok"
    states = {"error": _("In ritardo"), "warning": _("Da rivedere"), "ok": _("In regola")}
    late = _("In ritardo (iniziati da almeno %(n)s giorni)") % {"n": days}
    nearly = _("Quasi completi (almeno nove pezzi su dieci)")
    lines = [
        TileLine(late, whole(found.in_ritardo), those("ritardo")),
        *map(_order_line, found.primi_in_ritardo),
        TileLine(nearly, whole(found.quasi_completi), those("quasi")),
        *map(_order_line, found.primi_quasi_completi),
        TileLine(_("Senza righe"), whole(found.senza_righe), those("senza_righe")),
    ]
    return Tile(kind, states[kind], whole(found.in_attesa), lines=lines, needs=needs)


def _order_line(order: orders.OrderFigure) -> TileLine:
    name = _("Ordine %(n)s") % {"n": order.id_ordine}
    made = f"{whole(order.fatti)}/{whole(order.totali)}"
    return TileLine(name, made, change_page(Ordine, order.id_ordine), "detail")


@tile(Magazzino, gettext_lazy("Sotto la scorta minima"), scorta="sotto")
def stock(reader: Reader, url: str) -> Tile:
    with reader.mysql():
        below = orders.below_minimum()
    number = whole(len(below))
    if not below:
        return Tile("ok", _("Nessuna"), number)
    words = _("%(have)s su %(least)s")
    lines = [
        TileLine(
            row.articolo,
            words
            % {"have": whole(row.quantita_disponibile), "least": whole(row.scorta_minima or 0)},
            change_page(Magazzino, row.pk),
        )
        for row in below[:MOST_LINES]
    ]
    text = ngettext("%(n)s articolo sotto scorta", "%(n)s articoli sotto scorta", len(below))
    needs = [Need("warning", text % {"n": number}, url)]
    return Tile("warning", _("Da rifornire"), number, lines=lines, needs=needs)
