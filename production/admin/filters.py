"""By what operations and anomalies are filtered in the admin."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from etlportal.lists.filters import (
    DateRangeFilter,
    GivenTextFilter,
    MasterDataFilter,
    NumberFilter,
)
from production.models import Anomalia, Macchinario, Pezzo, choices
from production.vocabulary import StatoAnomalia, TipoOperazione


class PezzoFilter(MasterDataFilter):
    title = _("pezzo")
    parameter = "pezzo"
    lookup = "pezzo"
    master = Pezzo
    words = ("codice_pezzo", "nome")


class MacchinarioFilter(MasterDataFilter):
    title = _("macchinario")
    parameter = "macchinario"
    lookup = "macchinario"
    master = Macchinario
    words = ("codice_macchinario", "tipo")


class AnomaliaPezzoFilter(PezzoFilter):
    lookup = "operazione__pezzo"


class AnomaliaMacchinarioFilter(MacchinarioFilter):
    lookup = "operazione__macchinario"


class TipoAnomaliaFilter(NumberFilter):
    title = _("tipo di anomalia")
    parameter = "tipo"
    lookup = "anomalia_id"
    inputs_template = "admin/filter_inputs/select.html"

    def options(self) -> list[tuple[str, Any]]:
        return [(str(kind.pk), kind) for kind in Anomalia.objects.all()]


class InizioFilter(DateRangeFilter):
    title = _("inizio")
    field = "timestamp_inizio"


class CreataFilter(DateRangeFilter):
    title = _("data di caricamento")
    field = "creata_il"


class LavorazioneFilter(admin.SimpleListFilter):
    """Without "unknown", which is rare and has no index: those are the anomalies of type 101."""

    title = _("lavorazione")
    parameter_name = "tipo_operazione"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return list(choices(TipoOperazione))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tipo_operazione=self.value()) if self.value() else queryset


class StatoAnomaliaFilter(admin.SimpleListFilter):
    """What waits for somebody, unless asked otherwise."""

    title = _("stato")
    parameter_name = "stato"
    all_of_them = "tutte"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [*choices(StatoAnomalia), (self.all_of_them, _("Tutte"))]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The first one, which asks for nothing, is not "all" here."""
        unasked, *others = super().choices(changelist)
        yield {**unasked, "display": _("Da gestire")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        if asked == self.all_of_them:
            return queryset
        if asked in list(StatoAnomalia):
            return queryset.filter(stato=asked)
        return queryset.filter(stato__in=StatoAnomalia.to_handle())


class OperazioneFilter(GivenTextFilter, NumberFilter):
    title = _("operazione")
    parameter = "operazione"
    lookup = "operazione"
