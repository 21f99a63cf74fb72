"""How orders, stock and their movements are shown and filtered in the admin."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, badge, link_to, plant_time, row_link
from etlportal.lists.filters import (
    DateRangeFilter,
    GivenTextFilter,
    TextFilter,
    matching,
    row_number,
)
from ingestion.models import RawOperazione
from orders.models import Cliente, MovimentoMagazzino, MovimentoProduzione, Ordine
from orders.rules import PIECE
from production.admin.filters import PezzoFilter
from production.vocabulary import StatoOrdine

LAST_ROWS = 50  # movements shown on the page of an order or of a stock row

STATO_KIND = {
    Ordine.Stato.IN_ATTESA: "waiting",
    Ordine.Stato.COMPLETATO: "ok",
    Ordine.Stato.ANNULLATO: "error",
}
ESITO_KIND = {
    MovimentoProduzione.Esito.ORDINE: "ok",
    MovimentoProduzione.Esito.MAGAZZINO: "running",
    MovimentoProduzione.Esito.FASE_INTERMEDIA: "waiting",
    MovimentoProduzione.Esito.FITTIZIO: "warning",
    MovimentoProduzione.Esito.NON_ATTRIBUIBILE: "error",
}

# --- The state and progress of an order ---------------------------------------------------


def state_of(order: Ordine) -> StatoOrdine | None:
    """The state whatever its case, as the database compares it: other programs write it too."""
    text = order.stato.strip().upper()
    return Ordine.Stato(text) if text in list(Ordine.Stato) else None


def state_badge(order: Any) -> SafeString:
    """IN ATTESA is shown as "in lavorazione" once something was made, or is on its way.

    That is a way of showing it, and not a state: ``ha_produzione`` and ``in_arrivo`` are read
    with the page. The fictitious order waits for nothing, so it is only called that.
    """
    if order.fittizio:
        return badge("warning", _("Fittizio"))
    state = state_of(order)
    if state is None:
        return badge("error", order.stato)
    if state == Ordine.Stato.IN_ATTESA and (order.ha_produzione or order.in_arrivo):
        return badge("running", _("In lavorazione"))
    return badge(STATO_KIND[state], _(state.label))


def note_staged(orders: Iterable[Any]) -> None:
    """Sets ``in_arrivo``: whether a record for the order waits in PostgreSQL for its transfer.

    The order's number is text there; one question for all ``orders`` that are waiting.
    """
    rows = list(orders)
    numbers = [row.pk for row in rows if state_of(row) == Ordine.Stato.IN_ATTESA]
    texts = [form for number in numbers for form in (f"{number}", f"{number}.0")]
    pending = RawOperazione.objects.filter(
        stato=RawOperazione.Stato.PENDING, id_ordine__in=texts
    ).order_by()
    found = {
        text.removesuffix(".0") for text in pending.values_list("id_ordine", flat=True) if text
    }
    for row in rows:
        row.in_arrivo = f"{row.pk}" in found


def progress(made: int, total: int) -> SafeString:
    """12/40, with a bar."""
    return format_html(
        '<span class="avanzamento"><progress max="{}" value="{}" aria-label="{}"></progress> '
        "{}/{}</span>",
        max(total, 1),
        made,
        gettext("avanzamento"),
        made,
        total,
    )


# --- Columns ------------------------------------------------------------------------------


def pieces_produced(row: MovimentoProduzione) -> float:
    return round(row.pezzi_us / PIECE, 2)


def _produced(pezzi_us: int) -> str:
    """What the operation made, fractions too: a CNC cycle may make a third of a piece."""
    return number_format(round(pezzi_us / PIECE, 2), 0 if pezzi_us % PIECE == 0 else 2)


def _outcome(row: MovimentoProduzione) -> SafeString:
    kind = ESITO_KIND.get(MovimentoProduzione.Esito(row.esito), "waiting")
    return badge(kind, row.get_esito_display())


def _signed(quantity: int) -> SafeString:
    return format_html('<span class="figure">{}</span>', f"{quantity:+d}".replace("-", "−"))


PRODUCTION_COLUMNS = (
    Column.of(MovimentoProduzione, "creato_il", plant_time),
    Column.of(MovimentoProduzione, "operazione", link_to("production_operazione")),
    Column.of(MovimentoProduzione, "ordine", link_to("orders_ordine")),
    Column.of(MovimentoProduzione, "pezzo", link_to("production_pezzo")),
    Column.of(MovimentoProduzione, "esito", value=_outcome),
    Column(
        "prodotti",
        _("prodotti"),
        attrgetter("pezzi_us"),
        _produced,
        in_files=((_("prodotti"), pieces_produced),),
    ),
    # Whole pieces counted with it, of which the fractions before may be a part.
    Column("pezzi_interi", _("pezzi finiti"), attrgetter("pezzi")),
    Column.of(MovimentoProduzione, "dati"),
    Column.of(MovimentoProduzione, "eccedenza"),
    Column.of(MovimentoProduzione, "esecuzione", link_to("ingestion_esecuzioneetl")),
)
STOCK_COLUMNS = (
    Column.of(MovimentoMagazzino, "creato_il", plant_time),
    Column.of(
        MovimentoMagazzino,
        "magazzino",
        lambda stock: row_link("orders_magazzino", stock.pk, stock),
        value=attrgetter("magazzino"),  # to be selected with the row
        in_files=((_("magazzino"), attrgetter("magazzino_id")),),
    ),
    Column.of(MovimentoMagazzino, "quantita", _signed),
    Column.of(MovimentoMagazzino, "causa"),
    Column.of(MovimentoMagazzino, "ordine", link_to("orders_ordine")),
    Column.of(MovimentoMagazzino, "operazione", link_to("production_operazione")),
    Column.of(MovimentoMagazzino, "esecuzione", link_to("ingestion_esecuzioneetl")),
    Column.of(MovimentoMagazzino, "utente"),
    Column.of(MovimentoMagazzino, "motivo"),
)


# --- Tables on the page of another row ----------------------------------------------------


def last_rows(rows: QuerySet[Any]) -> list[Any]:
    """The newest ``LAST_ROWS``; the keys first, from an index alone, then those rows."""
    keys = list(rows.order_by("-pk").values_list("pk", flat=True)[:LAST_ROWS])
    found = rows.in_bulk(keys)
    return [found[key] for key in keys if key in found]


def table(
    title: Any, columns: Sequence[Column], rows: Iterable[Any], url: str = "", empty: Any = ""
) -> dict[str, Any]:
    """What templates/admin/orders/table.html shows; ``url`` leads to all rows."""
    return {
        "title": title,
        "headers": [column.label for column in columns],
        "rows": [[column(row) for column in columns] for row in rows],
        "url": url,
        "empty": empty,
    }


def production_table(order: Ordine) -> dict[str, Any]:
    return table(
        _("Produzione contata per l'ordine"),
        [column for column in PRODUCTION_COLUMNS if column.name != "ordine"],
        last_rows(MovimentoProduzione.objects.filter(ordine=order)),
        reverse("admin:orders_movimentoproduzione_changelist", query={"ordine": order.pk}),
        _("Nessuna operazione contata finora."),
    )


def order_stock_table(order: Ordine) -> dict[str, Any]:
    rows = MovimentoMagazzino.objects.select_related("magazzino").filter(ordine=order)
    return table(
        _("Movimenti di magazzino dell'ordine"),
        [column for column in STOCK_COLUMNS if column.name != "ordine"],
        last_rows(rows),
        reverse("admin:orders_movimentomagazzino_changelist", query={"ordine": order.pk}),
        _("Nessun movimento di magazzino."),
    )


def stock_table(stock_id: int) -> dict[str, Any]:
    return table(
        _("Ultimi movimenti"),
        [column for column in STOCK_COLUMNS if column.name != "magazzino"],
        last_rows(MovimentoMagazzino.objects.filter(magazzino=stock_id)),
        reverse("admin:orders_movimentomagazzino_changelist", query={"magazzino": stock_id}),
        _("Nessun movimento di magazzino."),
    )


# --- Filters ------------------------------------------------------------------------------


class NumberFilter(TextFilter):
    """Rows whose foreign key ``lookup`` is the number written."""

    hint = _("numero")
    lookup: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        number = row_number(self.text)
        return queryset.none() if number is None else queryset.filter(**{self.lookup: number})


class OrdineFilter(NumberFilter):
    title = _("ordine")
    parameter = "ordine"
    lookup = "ordine_id"


class GivenMagazzinoFilter(GivenTextFilter, NumberFilter):
    title = _("magazzino")
    parameter = "magazzino"
    lookup = "magazzino_id"


class GivenClienteFilter(GivenTextFilter, NumberFilter):
    title = _("numero del cliente")
    parameter = "id_cliente"
    lookup = "cliente_id"


class GivenEsecuzioneFilter(GivenTextFilter, NumberFilter):
    title = _("esecuzione")
    parameter = "esecuzione"
    lookup = "esecuzione"


class ClienteFilter(TextFilter):
    title = _("cliente")
    parameter = "cliente"
    hint = _("nome o partita IVA")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        customers = matching(Cliente.objects.order_by(), self.text, ("nome", "partita_iva"))
        return queryset.filter(cliente__in=customers)


class DataInizioFilter(DateRangeFilter):
    title = _("data di inizio")
    field = "data_inizio"


class DataFineFilter(DateRangeFilter):
    title = _("data di fine")
    field = "data_fine"


class MovimentoFilter(DateRangeFilter):
    title = _("data")
    field = "creato_il"


class ScortaPezzoFilter(PezzoFilter):
    lookup = "magazzino__pezzo"


class AttenzioneFilter(admin.SimpleListFilter):
    """Waiting orders that the start page counts."""

    title = _("attenzione")
    parameter_name = "attenzione"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [
            ("ritardo", _("In ritardo")),
            ("quasi", _("Quasi completi")),
            ("senza_righe", _("Vuoti")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today, days = timezone.localdate(), settings.ORDINI_IN_RITARDO_GIORNI
        choices = {
            "ritardo": lambda orders: orders.late(today, days),
            "quasi": lambda orders: orders.nearly_done(),
            "senza_righe": lambda orders: orders.without_lines(),
        }
        choice = choices.get(self.value() or "")
        return choice(queryset) if choice else queryset


class SottoScortaFilter(admin.SimpleListFilter):
    title = _("scorta")
    parameter_name = "scorta"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("sotto", _("Sotto la scorta minima"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        if self.value() != "sotto":
            return queryset
        return queryset.below_minimum()
