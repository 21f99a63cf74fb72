"""How orders, stock and their movements are shown and filtered in the admin."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import EMPTY, Column, badge, label_of, moment_column
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
from production.admin import PezzoFilter
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


def day_column(model: type[Model], name: str) -> Column:
    """A list column or read-only field for a date: 22/11/2026, as the date-times beside it."""

    @admin.display(description=label_of(model, name), ordering=name)
    def column(row: Any) -> str:
        day: date | None = getattr(row, name)
        return date_format(day, "d/m/Y") if day else EMPTY

    column.__name__ = name
    return column


def link_column(model: type[Model], name: str, page: str) -> Column:
    """A column that holds another row's key, as a link to that row's ``page`` in the admin.

    Works without reading that row, which may live in the other database.
    """
    attribute = model._meta.get_field(name).attname  # type: ignore[union-attr]

    @admin.display(description=label_of(model, name))
    def column(row: Any) -> SafeString | str:
        key = getattr(row, attribute)
        if key is None:
            return EMPTY
        return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}", args=[key]), key)

    column.__name__ = name
    return column


def plain_column(model: type[Model], name: str) -> Column:
    """A value as it is, for the tables that are not lists of the admin."""

    @admin.display(description=label_of(model, name))
    def column(row: Any) -> Any:
        value = getattr(row, name)
        return EMPTY if value in (None, "") else value

    column.__name__ = name
    return column


ORDINE, OPERAZIONE, ESECUZIONE = (
    "orders_ordine_change",
    "production_operazione_change",
    "ingestion_esecuzioneetl_change",
)


@admin.display(description=label_of(MovimentoProduzione, "esito"))
def esito(row: MovimentoProduzione) -> SafeString:
    kind = ESITO_KIND.get(MovimentoProduzione.Esito(row.esito), "waiting")
    return badge(kind, row.get_esito_display())


@admin.display(description=_("prodotti"))
def prodotti(row: MovimentoProduzione) -> str:
    """What the operation made, fractions too: a CNC cycle may make a third of a piece."""
    whole = row.pezzi_us % PIECE == 0
    return number_format(pieces_produced(row), 0 if whole else 2)


def pieces_produced(row: MovimentoProduzione) -> float:
    return round(row.pezzi_us / PIECE, 2)


@admin.display(description=_("pezzi finiti"))
def pezzi_interi(row: MovimentoProduzione) -> int:
    """Whole pieces counted with it, of which the fractions before may be a part."""
    return row.pezzi


@admin.display(description=label_of(MovimentoMagazzino, "quantita"))
def quantita(row: MovimentoMagazzino) -> SafeString:
    return format_html('<span class="figure">{}</span>', f"{row.quantita:+d}".replace("-", "−"))


@admin.display(description=label_of(MovimentoMagazzino, "causa"))
def causa(row: MovimentoMagazzino) -> str:
    return row.get_causa_display()


@admin.display(description=_("magazzino"))
def magazzino(row: MovimentoMagazzino) -> SafeString:
    """Needs ``magazzino`` selected with the row."""
    url = reverse("admin:orders_magazzino_change", args=[row.magazzino_id])
    return format_html('<a href="{}">{}</a>', url, row.magazzino)


PRODUCTION_COLUMNS: tuple[Column, ...] = (
    moment_column(MovimentoProduzione, "creato_il"),
    link_column(MovimentoProduzione, "operazione", OPERAZIONE),
    link_column(MovimentoProduzione, "ordine", ORDINE),
    link_column(MovimentoProduzione, "pezzo", "production_pezzo_change"),
    esito,
    prodotti,
    pezzi_interi,
    plain_column(MovimentoProduzione, "dati"),
    plain_column(MovimentoProduzione, "eccedenza"),
    link_column(MovimentoProduzione, "esecuzione", ESECUZIONE),
)
STOCK_COLUMNS: tuple[Column, ...] = (
    moment_column(MovimentoMagazzino, "creato_il"),
    magazzino,
    quantita,
    causa,
    link_column(MovimentoMagazzino, "ordine", ORDINE),
    link_column(MovimentoMagazzino, "operazione", OPERAZIONE),
    link_column(MovimentoMagazzino, "esecuzione", ESECUZIONE),
    plain_column(MovimentoMagazzino, "utente"),
    plain_column(MovimentoMagazzino, "motivo"),
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
        "headers": [column.short_description for column in columns],
        "rows": [[column(row) for column in columns] for row in rows],
        "url": url,
        "empty": empty,
    }


def production_table(order: Ordine) -> dict[str, Any]:
    return table(
        _("Produzione contata per l'ordine"),
        [column for column in PRODUCTION_COLUMNS if column.__name__ != "ordine"],
        last_rows(MovimentoProduzione.objects.filter(ordine=order)),
        reverse("admin:orders_movimentoproduzione_changelist", query={"ordine": order.pk}),
        _("Nessuna operazione contata finora."),
    )


def order_stock_table(order: Ordine) -> dict[str, Any]:
    rows = MovimentoMagazzino.objects.select_related("magazzino").filter(ordine=order)
    return table(
        _("Movimenti di magazzino dell'ordine"),
        [column for column in STOCK_COLUMNS if column.__name__ != "ordine"],
        last_rows(rows),
        reverse("admin:orders_movimentomagazzino_changelist", query={"ordine": order.pk}),
        _("Nessun movimento di magazzino."),
    )


def stock_table(stock_id: int) -> dict[str, Any]:
    return table(
        _("Ultimi movimenti"),
        [column for column in STOCK_COLUMNS if column is not magazzino],
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
