"""By what records, batches and runs are filtered in the admin."""

from operator import methodcaller
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from etlportal.lists.filters import (
    DateRangeFilter,
    GivenTextFilter,
    NamedRowsFilter,
    NumberFilter,
    read_uuid,
)


class RicevutoFilter(DateRangeFilter):
    title = _("data di ricezione")
    field = "ricevuto_il"


class EsecuzioneFilter(GivenTextFilter, NumberFilter):
    title = _("esecuzione")
    parameter = "esecuzione"
    lookup = "esecuzione_id"


class ErroriFilter(NamedRowsFilter):
    """Records in error: those that wait for somebody, and those set aside with a reason."""

    title = _("errori")
    parameter_name = "errori"
    rows = {
        "da_gestire": (_("Da gestire"), methodcaller("rejected")),
        "scartati": (_("Scartati"), methodcaller("discarded")),
    }


class LottoFilter(GivenTextFilter):
    title = _("lotto")
    parameter = "lotto"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        uuid = read_uuid(self.text)
        return queryset.none() if uuid is None else queryset.filter(lotto_id=uuid)


def raw_list(**parameters: Any) -> str:
    """The address of the list of records, filtered."""
    return reverse("admin:ingestion_rawoperazione_changelist", query=parameters)
