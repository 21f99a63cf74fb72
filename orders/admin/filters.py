"""By what orders, stock and movements are filtered in the admin."""

from operator import methodcaller
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from etlportal.lists.filters import (
    DateRangeFilter,
    GivenTextFilter,
    NamedRowsFilter,
    NumberFilter,
    TextFilter,
    matching,
)
from orders.models import Cliente
from production.admin.filters import PezzoFilter


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


class AttenzioneFilter(NamedRowsFilter):
    """Waiting orders that the start page counts."""

    title = _("attenzione")
    parameter_name = "attenzione"
    rows = {
        "ritardo": (
            _("In ritardo"),
            lambda orders: orders.late(timezone.localdate(), settings.ORDINI_IN_RITARDO_GIORNI),
        ),
        "quasi": (_("Quasi completi"), methodcaller("nearly_done")),
        "senza_righe": (_("Vuoti"), methodcaller("without_lines")),
    }


class SottoScortaFilter(NamedRowsFilter):
    title = _("scorta")
    parameter_name = "scorta"
    rows = {"sotto": (_("Sotto la scorta minima"), methodcaller("below_minimum"))}
