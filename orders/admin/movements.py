"""The two ledgers in the admin: lists to look at, and the newest movements for other pages."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, badge, link_to, plant_time, row_link
from etlportal.lists.pages import ReadOnlyAdmin
from etlportal.lists.panels import table
from orders.admin import filters, provenance
from orders.models import MovimentoMagazzino, MovimentoProduzione
from orders.rules import PIECE
from production.admin.filters import PezzoFilter
from production.admin.provenance import of_operation
from production.vocabulary import EsitoConteggio

LAST_ROWS = 50  # movements shown on the page of an order or of a stock row

ESITO_KIND = {
    EsitoConteggio.ORDINE: "ok",
    EsitoConteggio.MAGAZZINO: "running",
    EsitoConteggio.FASE_INTERMEDIA: "waiting",
    EsitoConteggio.FITTIZIO: "warning",
    EsitoConteggio.NON_ATTRIBUIBILE: "error",
}


PRODUCTION_COLUMNS = (
    Column.of(MovimentoProduzione, "creato_il", plant_time),
    Column.of(MovimentoProduzione, "operazione", link_to("production_operazione")),
    Column.of(MovimentoProduzione, "ordine", link_to("orders_ordine")),
    Column.of(MovimentoProduzione, "pezzo", link_to("production_pezzo")),
    Column.of(
        MovimentoProduzione,
        "esito",
        value=lambda row: badge(ESITO_KIND[row.esito], row.get_esito_display()),
    ),
    Column(
        "prodotti",
        _("prodotti"),
        attrgetter("pezzi_us"),
        # Fractions too: a CNC cycle may make a third of a piece.
        lambda us: number_format(round(us / PIECE, 2), 0 if us % PIECE == 0 else 2),
        in_files=((_("prodotti"), lambda row: round(row.pezzi_us / PIECE, 2)),),
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
    Column.of(
        MovimentoMagazzino,
        "quantita",
        lambda n: format_html('<span class="figure">{}</span>', f"{n:+d}".replace("-", "−")),
    ),
    Column.of(MovimentoMagazzino, "causa"),
    Column.of(MovimentoMagazzino, "ordine", link_to("orders_ordine")),
    Column.of(MovimentoMagazzino, "operazione", link_to("production_operazione")),
    Column.of(MovimentoMagazzino, "esecuzione", link_to("ingestion_esecuzioneetl")),
    Column.of(MovimentoMagazzino, "utente"),
    Column.of(MovimentoMagazzino, "motivo"),
)


def newest(
    rows: QuerySet[Any], columns: Sequence[Column], title: Any, empty: Any, **of: int
) -> dict[str, Any]:
    """The newest rows of the order or the stock row ``of``, and the address of all of them."""
    # The keys first, from an index alone, then those rows.
    keys = list(rows.filter(**of).order_by("-pk").values_list("pk", flat=True)[:LAST_ROWS])
    found = rows.in_bulk(keys)
    return table(
        title,
        [column for column in columns if column.name not in of],
        [found[key] for key in keys if key in found],
        reverse(f"admin:orders_{rows.model._meta.model_name}_changelist", query=of),
        empty,
    )


def newest_counted(title: Any, **of: int) -> dict[str, Any]:
    none = _("Nessuna operazione contata finora.")
    return newest(MovimentoProduzione.objects.all(), PRODUCTION_COLUMNS, title, none, **of)


def newest_booked(title: Any, **of: int) -> dict[str, Any]:
    rows = MovimentoMagazzino.objects.select_related("magazzino")
    return newest(rows, STOCK_COLUMNS, title, _("Nessun movimento di magazzino."), **of)


@admin.register(MovimentoProduzione)
class MovimentoProduzioneAdmin(ReadOnlyAdmin):
    list_display = PRODUCTION_COLUMNS
    list_filter = (
        "esito",
        filters.MovimentoFilter,
        PezzoFilter,
        filters.OrdineFilter,
        filters.GivenEsecuzioneFilter,
    )
    fields = PRODUCTION_COLUMNS
    readonly_fields = PRODUCTION_COLUMNS

    def panels(self, request: HttpRequest, row: MovimentoProduzione) -> dict[str, Any]:
        return {"provenance": of_operation(row.operazione)}


@admin.register(MovimentoMagazzino)
class MovimentoMagazzinoAdmin(ReadOnlyAdmin):
    list_display = STOCK_COLUMNS
    list_select_related = ("magazzino",)
    list_filter = (
        "causa",
        filters.MovimentoFilter,
        filters.ScortaPezzoFilter,
        filters.OrdineFilter,
        filters.GivenMagazzinoFilter,
    )
    fields = STOCK_COLUMNS
    readonly_fields = STOCK_COLUMNS

    def panels(self, request: HttpRequest, row: MovimentoMagazzino) -> dict[str, Any]:
        return {"provenance": provenance.of_stock(row)}
