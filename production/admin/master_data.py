"""Master data in the admin, to be edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column
from etlportal.lists.pages import EditableAdmin
from production.models import Acciaio, Anomalia, Macchinario, Operatore, Pezzo, TipoFermo


class MasterDataAdmin(EditableAdmin):
    """Master data; ``code`` is the field that others refer to, fixed once the row exists."""

    code: str

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return (*((self.code,) if obj else ()), *self.readonly_fields)


@admin.register(Pezzo)
class PezzoAdmin(MasterDataAdmin):
    code = "codice_pezzo"
    search_fields = ("codice_pezzo", "nome")
    weights, temperatures = ("peso_min", "peso_max"), ("temperatura_min", "temperatura_max")
    list_display = (
        *("codice_pezzo", "nome", "tipo_acciaio"),
        *weights,
        *temperatures,
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
                "fields": (weights, temperatures),
            },
        ),
        (_("Materiale e prezzo"), {"fields": ("tipo_acciaio", "prezzo", "immagine")}),
    )


@admin.register(Macchinario)
class MacchinarioAdmin(MasterDataAdmin):
    code = "codice_macchinario"
    search_fields = ("codice_macchinario", "tipo")
    list_display = fields = ("codice_macchinario", "tipo", "id_costo")


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
    list_display = fields = ("tipo_acciaio", "prezzo_al_kg")


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


ALTRE_PAROLE = Column("altre_parole", _("sinonimi"), lambda row: ", ".join(map(str, row.sinonimi)))


@admin.register(TipoFermo)
class TipoFermoAdmin(MasterDataAdmin):
    code = "codice"
    search_fields = ("codice", "descrizione")
    form = TipoFermoForm
    list_display = ("codice", "descrizione", "classe", ALTRE_PAROLE)
    list_filter = ("classe",)
    fields = ("codice", "descrizione", "classe", "sinonimi")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Validation stores these two itself: without them records could not be loaded."""
        needed = obj is not None and obj.pk in TipoFermo.NEEDED
        return not needed and super().has_delete_permission(request, obj)


@admin.register(Anomalia)
class AnomaliaAdmin(MasterDataAdmin):
    """The catalogue: names and notes may be reworded; numbers and their meaning are fixed."""

    code = "id_anomalia"
    search_fields = ("tipo_anomalia", "note")
    list_display = fields = ("id_anomalia", "tipo_anomalia", "note")
    list_display_links = ("id_anomalia", "tipo_anomalia")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_delete_permission = has_add_permission
