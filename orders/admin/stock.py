"""Stock in the admin; a figure changes by movements alone, also where staff corrects it."""

from datetime import timedelta
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, badge, plant_time
from etlportal.lists.pages import EditableAdmin
from orders import figures, services
from orders.admin import charts
from orders.admin.acts import CountForm, ask_and_do
from orders.admin.filters import SottoScortaFilter
from orders.admin.movements import newest_booked
from orders.models import Magazzino

CHART_DAYS = 30


def level_badge(row: Magazzino) -> SafeString | None:
    if row.scorta_minima is None:
        return None
    if row.quantita_disponibile < row.scorta_minima:
        return badge("error", _("Sotto scorta"))
    return badge("ok", _("Sufficiente"))


ARTICOLO = Column("articolo", _("articolo"), attrgetter("articolo"), sort="pezzo_id")
LIVELLO = Column("sotto_scorta", _("livello"), level_badge)
DISPONIBILE = Column(
    "disponibile",
    _("disponibile"),
    lambda row: format_html("{} {}", row.quantita_disponibile, LIVELLO(row)),
)
AGGIORNATO = Column.of(Magazzino, "data_ultimo_aggiornamento", plant_time, sort=True)


@admin.register(Magazzino)
class MagazzinoAdmin(EditableAdmin):
    list_display = (
        ARTICOLO,
        "quantita_disponibile",
        "scorta_minima",
        LIVELLO,
        "ubicazione",
        AGGIORNATO,
    )
    list_select_related = ("pezzo", "tipo_acciaio")
    list_filter = (SottoScortaFilter,)
    search_fields = ("pezzo_id", "pezzo__nome", "tipo_acciaio_id", "ubicazione", "descrizione")
    search_help_text = _("Codice o nome del pezzo, tipo di acciaio, ubicazione.")
    autocomplete_fields = ("pezzo", "tipo_acciaio")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("pezzo_id", "pk")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        own = ("ubicazione", "descrizione", "capacita_totale", "scorta_minima")
        figure = (DISPONIBILE, AGGIORNATO) if obj else ()
        return ("pezzo", "tipo_acciaio", *figure, *own)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return (DISPONIBILE, AGGIORNATO, *(("pezzo", "tipo_acciaio") if obj else ()))

    def panels(self, request: HttpRequest, row: Magazzino) -> dict[str, Any]:
        now = timezone.now()
        levels = figures.stock_levels(row, now - timedelta(days=CHART_DAYS))
        url = reverse("admin:orders_magazzino_rettifica", args=[row.pk])
        may_correct = self.has_change_permission(request, row)
        return {
            "acts": [(url, _("Rettifica giacenza"))] if may_correct else [],
            "chart": charts.stock_chart(levels, now, CHART_DAYS, row.scorta_minima),
            "tables": [newest_booked(_("Ultimi movimenti"), magazzino=row.pk)],
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Magazzino, form: Any, change: bool) -> None:
        obj.save(update_fields=form.changed_data if change else None)

    def get_urls(self) -> list[URLPattern]:
        correct = self.own_url("<int:pk>/rettifica/", self.correct, "rettifica")
        return [correct, *super().get_urls()]

    def correct(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks what was counted and why; then books the difference."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Magazzino.objects.select_related("pezzo", "tipo_acciaio"), pk=pk)

        def do(contati: int, motivo: str) -> tuple[str, str]:
            difference = services.correct_stock(
                pk,
                counted=contati,
                reason=motivo,
                user=request.user.get_username(),
                now=timezone.now(),
            )
            before = contati - difference
            if not difference:
                told = gettext("La giacenza era già %(counted)s: nessun movimento.")
            else:
                told = gettext("Giacenza rettificata da %(before)s a %(counted)s.")
            recorded = f"Giacenza rettificata da {before} a {contati}."
            return recorded, told % {"before": before, "counted": contati}

        explanation = _(
            "%(row)s: ora risultano disponibili %(figure)s. Scrivi quanti ne hai contati: la "
            "differenza diventa un movimento di magazzino."
        ) % {"row": row.articolo, "figure": row.quantita_disponibile}
        return ask_and_do(
            self,
            request,
            row,
            CountForm(request.POST or None),
            do,
            title=_("Rettifica giacenza"),
            explanation=explanation,
            button=_("Registra la rettifica"),
        )
