"""Customers in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, link
from etlportal.lists.pages import EditableAdmin
from orders.models import Cliente


def orders_link(row: Cliente) -> SafeString:
    url = reverse("admin:orders_ordine_changelist", query={"id_cliente": row.pk})
    return link(url, gettext("Mostra gli ordini"))


ORDINI = Column("vai_ordini", _("ordini"), orders_link, in_files=())


@admin.register(Cliente)
class ClienteAdmin(EditableAdmin):
    search_fields = ("nome", "partita_iva")
    list_display = ("nome", "partita_iva", ORDINI)
    readonly_fields = (ORDINI,)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return ("nome", "partita_iva", *((ORDINI,) if obj else ()))
