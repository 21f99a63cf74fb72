"""By what records, batches and runs are filtered in the admin."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from etlportal.lists.filters import DateRangeFilter, GivenTextFilter, NumberFilter


class RicevutoFilter(DateRangeFilter):
    title = _("data di ricezione")
    field = "ricevuto_il"


class EsecuzioneFilter(GivenTextFilter, NumberFilter):
    title = _("esecuzione")
    parameter = "esecuzione"
    lookup = "esecuzione_id"


class ErroriFilter(admin.SimpleListFilter):
    """Records in error: those that wait for somebody, and those set aside with a reason."""

    title = _("errori")
    parameter_name = "errori"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("da_gestire", _("Da gestire")), ("scartati", _("Scartati"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        if self.value() == "da_gestire":
            return queryset.rejected()
        return queryset.discarded() if self.value() == "scartati" else queryset


class LottoFilter(GivenTextFilter):
    title = _("lotto")
    parameter = "lotto"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        uuid = read_uuid(self.text)
        return queryset.none() if uuid is None else queryset.filter(lotto_id=uuid)


def read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def raw_list(**parameters: Any) -> str:
    """The address of the list of records, filtered."""
    return reverse("admin:ingestion_rawoperazione_changelist", query=parameters)
