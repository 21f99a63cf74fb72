"""Production in the admin: operations and anomalies to look at, master data to edit."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import EMPTY, badge, moment_column, readable_duration
from etlportal.lists.pages import EditableAdmin, NumberSearchMixin, ReadOnlyAdmin, ReadOnlyMixin
from production.admin import anomalies as anomaly_admin
from production.admin import provenance
from production.admin.filters import (
    InizioFilter,
    LavorazioneFilter,
    MacchinarioFilter,
    PezzoFilter,
)
from production.admin.provenance import ProvenanceMixin, Step
from production.anomalies.pages import state_badge
from production.models import (
    Acciaio,
    Anomalia,
    AnomaliaOperazione,
    Cnc,
    Forgiatura,
    Macchinario,
    Operatore,
    Operazione,
    Pezzo,
    TipoFermo,
)
from production.vocabulary import EsitoForgiatura, TipoOperazione

__all__ = ["PezzoFilter", "anomaly_admin"]  # used by the orders' pages; registers itself

ESITO_KIND = {
    EsitoForgiatura.CONFORME: "ok",
    EsitoForgiatura.FUORI_SPECIFICA: "error",
    EsitoForgiatura.NON_VALUTABILE: "waiting",
}

# --- Operations and anomalies -------------------------------------------------------------


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
        "esito_badge",
        "peso_effettivo",
        "peso_nominale",
        "scarto_peso",
        "scarto_peso_pct",
        "temperatura_effettiva",
        "temperatura_nominale",
        "scarto_temperatura",
        "scarto_temperatura_pct",
    )
    readonly_fields = ("esito_badge",)

    @admin.display(description=_("esito"))
    def esito_badge(self, row: Forgiatura) -> SafeString | str:
        if row.esito is None:
            return EMPTY
        return badge(ESITO_KIND.get(EsitoForgiatura(row.esito), "waiting"), row.get_esito_display())


class CncInline(OperazioneInline, admin.TabularInline):
    model = Cnc
    verbose_name_plural = _("Lavorazione CNC")
    fields = ("numero_pezzi_ora", "pezzi_prodotti", "tipo_fermo")


class AnomaliaInline(OperazioneInline, admin.TabularInline):
    model = AnomaliaOperazione
    fields = (
        "vai_anomalia",
        "stato_badge",
        "campo",
        "valore_ricevuto",
        "note",
        "origine",
        "creata",
    )
    readonly_fields = ("vai_anomalia", "stato_badge", "creata")
    ordering = ("internal_id",)
    creata = staticmethod(moment_column(AnomaliaOperazione, "creata_il"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("anomalia")

    @admin.display(description=_("anomalia"))
    def vai_anomalia(self, row: AnomaliaOperazione) -> SafeString:
        url = reverse("admin:production_anomaliaoperazione_change", args=[row.pk])
        return format_html('<a href="{}">{}</a>', url, row.anomalia)

    @admin.display(description=_("stato"))
    def stato_badge(self, row: AnomaliaOperazione) -> SafeString:
        return state_badge(row.stato)


DETAIL_INLINES: dict[str | None, type[Any]] = {
    TipoOperazione.FORGIATURA: ForgiaturaInline,
    TipoOperazione.CNC: CncInline,
}


@admin.register(Operazione)
class OperazioneAdmin(NumberSearchMixin, ProvenanceMixin, ReadOnlyAdmin):
    inizio = moment_column(Operazione, "timestamp_inizio")
    fine = moment_column(Operazione, "timestamp_fine")

    list_display = (
        "id_operazione",
        "lavorazione",
        "pezzo",
        "macchinario",
        "operatore",
        inizio,
        fine,
        "durata_leggibile",
        "numero_anomalie",
    )
    list_select_related = ("pezzo", "macchinario", "operatore")
    list_filter = (LavorazioneFilter, InizioFilter, PezzoFilter, MacchinarioFilter)
    sortable_by = ("id_operazione", inizio)
    export_columns = {
        "durata_leggibile": ((_("durata (s)"), "durata"),),
        "numero_anomalie": ((_("anomalie"), "anomalies_number"),),
    }
    search_help_text = _("Numero dell'operazione.")
    fields = (
        "lavorazione",
        "pezzo",
        "macchinario",
        "operatore",
        "ordine",
        inizio,
        fine,
        "durata_leggibile",
        "record_ricevuto",
    )
    readonly_fields = ("lavorazione", inizio, fine, "durata_leggibile", "record_ricevuto")

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
        detail = DETAIL_INLINES.get(obj.tipo_operazione) if obj else None
        return [detail, AnomaliaInline] if detail else [AnomaliaInline]

    @admin.display(description=_("lavorazione"))
    def lavorazione(self, row: Operazione) -> str:
        return row.get_tipo_operazione_display() if row.tipo_operazione else EMPTY

    @admin.display(description=_("durata"))
    def durata_leggibile(self, row: Operazione) -> str:
        return readable_duration(row.durata)

    @admin.display(description=_("anomalie"))
    def numero_anomalie(self, row: Any) -> SafeString | int:
        number = row.anomalies_number
        return badge("warning", number) if number else number

    @admin.display(description=_("record ricevuto"))
    def record_ricevuto(self, row: Operazione) -> SafeString | str:
        """By the address that says so where the record is no longer kept."""
        if row.raw_uid is None:
            return EMPTY
        url = reverse("admin:ingestion_rawoperazione_by_uid", args=[row.raw_uid])
        return format_html('<a href="{}">{}</a>', url, row.raw_uid)

    def provenance_of(self, row: Operazione) -> list[Step]:
        return provenance.of_operation(row)


# --- Master data --------------------------------------------------------------------------


class MasterDataAdmin(EditableAdmin):
    """Master data; ``code`` is the field that others refer to, fixed once the row exists."""

    code: str

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        fixed = (self.code,) if obj else ()
        return (*fixed, *self.readonly_fields)


@admin.register(Pezzo)
class PezzoAdmin(MasterDataAdmin):
    code = "codice_pezzo"
    search_fields = ("codice_pezzo", "nome")
    list_display = (
        "codice_pezzo",
        "nome",
        "tipo_acciaio",
        "peso_min",
        "peso_max",
        "temperatura_min",
        "temperatura_max",
        "fase_finale",
    )
    list_select_related = ("tipo_acciaio",)
    list_filter = ("fase_finale",)
    autocomplete_fields = ("tipo_acciaio",)
    fieldsets = (
        (None, {"fields": ("codice_pezzo", "nome", "descrizione", "fase_finale")}),
        (
            _("Limiti di specifica"),
            {
                "description": _("Estremi compresi. Un limite vuoto non controlla nulla."),
                "fields": (("peso_min", "peso_max"), ("temperatura_min", "temperatura_max")),
            },
        ),
        (_("Materiale e prezzo"), {"fields": ("tipo_acciaio", "prezzo", "immagine")}),
    )


@admin.register(Macchinario)
class MacchinarioAdmin(MasterDataAdmin):
    code = "codice_macchinario"
    search_fields = ("codice_macchinario", "tipo")
    list_display = ("codice_macchinario", "tipo", "id_costo")
    fields = ("codice_macchinario", "tipo", "id_costo")


@admin.register(Operatore)
class OperatoreAdmin(MasterDataAdmin):
    code = "codice_operatore"
    search_fields = ("codice_operatore", "nome", "cognome")
    list_display = ("codice_operatore", "cognome", "nome", "id_costo")
    fields = ("codice_operatore", "nome", "cognome", "id_costo")


@admin.register(Acciaio)
class AcciaioAdmin(MasterDataAdmin):
    code = "tipo_acciaio"
    search_fields = ("tipo_acciaio",)
    list_display = ("tipo_acciaio", "prezzo_al_kg")
    fields = ("tipo_acciaio", "prezzo_al_kg")


class WordsPerLineField(forms.CharField):
    """A list of words, edited as one word a line."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [word.strip() for word in (value or "").splitlines() if word.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(data) != (initial or [])


class TipoFermoForm(forms.ModelForm):
    sinonimi = WordsPerLineField(
        label=_("Sinonimi"),
        required=False,
        help_text=_(
            "Le altre parole con cui le macchine indicano questo fermo, una per riga; "
            "maiuscole e minuscole sono uguali."
        ),
    )

    class Meta:
        model = TipoFermo
        fields = ("codice", "descrizione", "classe", "sinonimi")


@admin.register(TipoFermo)
class TipoFermoAdmin(MasterDataAdmin):
    code = "codice"
    search_fields = ("codice", "descrizione")
    form = TipoFermoForm
    list_display = ("codice", "descrizione", "classe", "altre_parole")
    list_filter = ("classe",)
    fields = ("codice", "descrizione", "classe", "sinonimi")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Validation stores these two itself: without them records could not be loaded."""
        if obj is not None and obj.pk in TipoFermo.NEEDED:
            return False
        return super().has_delete_permission(request, obj)

    @admin.display(description=_("sinonimi"))
    def altre_parole(self, row: TipoFermo) -> str:
        return ", ".join(map(str, row.sinonimi))


@admin.register(Anomalia)
class AnomaliaAdmin(MasterDataAdmin):
    """The catalogue: names and notes may be reworded; numbers and their meaning are fixed."""

    code = "id_anomalia"
    search_fields = ("tipo_anomalia", "note")
    list_display = ("id_anomalia", "tipo_anomalia", "note")
    list_display_links = ("id_anomalia", "tipo_anomalia")
    fields = ("id_anomalia", "tipo_anomalia", "note")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
