"""Operations in the admin: a list and pages to look at, with their parts and anomalies."""

from operator import attrgetter, methodcaller
from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, badge, link, plant_time, readable_duration, row_link
from etlportal.lists.pages import ExactSearchMixin, ReadOnlyAdmin, ReadOnlyMixin
from production.admin import provenance
from production.admin.anomalies import CREATA, STATO
from production.admin.filters import InizioFilter, LavorazioneFilter, MacchinarioFilter, PezzoFilter
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from production.vocabulary import EsitoForgiatura, TipoOperazione

ESITO_KIND = {
    EsitoForgiatura.CONFORME: "ok",
    EsitoForgiatura.FUORI_SPECIFICA: "error",
    EsitoForgiatura.NON_VALUTABILE: "waiting",
}


ESITO = Column.of(
    Forgiatura,
    "esito",
    value=lambda row: row.esito and badge(ESITO_KIND[row.esito], row.get_esito_display()),
)
TIPO = Column(
    "tipo",
    _("anomalia"),
    lambda row: row_link("production_anomaliaoperazione", row.pk, row.anomalia),
)
LAVORAZIONE = Column("lavorazione", _("lavorazione"), methodcaller("get_tipo_operazione_display"))
INIZIO = Column.of(Operazione, "timestamp_inizio", plant_time, sort=True)
FINE = Column.of(Operazione, "timestamp_fine", plant_time)
DURATA = Column(
    "durata",
    _("durata"),
    attrgetter("durata"),
    readable_duration,
    in_files=((_("durata (s)"), attrgetter("durata")),),
)
ANOMALIE = Column(
    "numero_anomalie",
    _("anomalie"),
    attrgetter("anomalies_number"),
    lambda number: badge("warning", number) if number else number,
)
RECORD = Column(
    "record_ricevuto",
    _("record ricevuto"),
    attrgetter("raw_uid"),
    # By the address that says so where the record is no longer kept.
    lambda uid: link(reverse("admin:ingestion_rawoperazione_by_uid", args=[uid]), uid),
)
TIMES = (INIZIO, FINE, DURATA)
MADE_OF = ("pezzo", "macchinario", "operatore")


class OperazioneInline(ReadOnlyMixin):
    """A part of an operation, shown to whoever may see the operation."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("production.view_operazione")


class ForgiaturaInline(OperazioneInline, admin.TabularInline):
    model = Forgiatura
    verbose_name_plural = _("Forgiatura")
    fields = (
        ESITO,
        *("peso_effettivo", "peso_nominale", "scarto_peso", "scarto_peso_pct"),
        *("temperatura_effettiva", "temperatura_nominale"),
        *("scarto_temperatura", "scarto_temperatura_pct"),
    )
    readonly_fields = (ESITO,)


class CncInline(OperazioneInline, admin.TabularInline):
    model = Cnc
    verbose_name_plural = _("Lavorazione CNC")
    fields = ("numero_pezzi_ora", "pezzi_prodotti", "tipo_fermo")


class AnomaliaInline(OperazioneInline, admin.TabularInline):
    model = AnomaliaOperazione
    fields = (TIPO, STATO, "campo", "valore_ricevuto", "note", "origine", CREATA)
    readonly_fields = (TIPO, STATO, CREATA)
    ordering = ("internal_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("anomalia")


@admin.register(Operazione)
class OperazioneAdmin(ExactSearchMixin, ReadOnlyAdmin):
    list_display = ("id_operazione", LAVORAZIONE, *MADE_OF, *TIMES, ANOMALIE)
    list_select_related = MADE_OF
    list_filter = (LavorazioneFilter, InizioFilter, PezzoFilter, MacchinarioFilter)
    sortable_by = ("id_operazione",)
    search_help_text = _("Numero dell'operazione.")
    readonly_fields = (LAVORAZIONE, *TIMES, RECORD)
    fields = (LAVORAZIONE, *MADE_OF, "ordine", *TIMES, RECORD)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operazione]:
        anomalies = (
            AnomaliaOperazione.objects.filter(operazione=OuterRef("pk"))
            .order_by()
            .values("operazione")
            .annotate(number=Count("pk"))
            .values("number")
        )
        number = Coalesce(Subquery(anomalies, output_field=IntegerField()), 0)
        return super().get_queryset(request).annotate(anomalies_number=number)

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[Any]]:
        details: dict[str, Any] = {
            TipoOperazione.FORGIATURA: ForgiaturaInline,
            TipoOperazione.CNC: CncInline,
        }
        detail = details.get(obj.tipo_operazione) if obj else None
        return [detail, AnomaliaInline] if detail else [AnomaliaInline]

    def panels(self, request: HttpRequest, row: Operazione) -> dict[str, Any]:
        return {"provenance": provenance.of_operation(row)}
