"""Customers and orders in the admin."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.models import Cliente, Ordine
from production.admin_lists import EditableAdmin, NumberSearchMixin, ReadOnlyAdmin


@admin.register(Cliente)
class ClienteAdmin(EditableAdmin):
    search_fields = ("nome", "partita_iva")
    list_display = ("nome", "partita_iva")
    fields = ("nome", "partita_iva")


@admin.register(Ordine)
class OrdineAdmin(NumberSearchMixin, ReadOnlyAdmin):
    list_display = (
        "id_ordine",
        "cliente",
        "stato",
        "data_inizio",
        "data_fine",
        "totale_pezzi",
        "fittizio",
    )
    list_select_related = ("cliente",)
    list_filter = ("stato",)
    sortable_by = ("id_ordine",)
    search_help_text = _("Numero dell'ordine.")
    fields = list_display
