"""Batches as received, in the admin."""

import zlib
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, link, plant_time
from etlportal.lists.pages import ExactSearchMixin, ReadOnlyAdmin
from ingestion.admin import provenance
from ingestion.admin.filters import RicevutoFilter, raw_list
from ingestion.admin.raw import state_badge
from ingestion.models import LottoRicevuto, RawOperazione

SHOWN_BYTES = 20 * 1024
GZIP_WINDOW = 31  # zlib's name for "a gzip stream"


def beginning_of(body: bytes) -> tuple[str, bool]:
    """The first ``SHOWN_BYTES`` of a gzip body as text, and whether that cut it.

    No more is ever decompressed, whatever size the body unfolds to.
    """
    shown = zlib.decompressobj(GZIP_WINDOW).decompress(body, SHOWN_BYTES + 1)
    text = shown[:SHOWN_BYTES].decode("utf-8-sig", errors="replace")
    return text, len(shown) > SHOWN_BYTES


def records_by_state(lotto: LottoRicevuto) -> SafeString | None:
    """How many of its records are in each state, as links to them."""
    rows = RawOperazione.objects.filter(lotto=lotto).order_by("stato").values_list("stato")
    links = [
        (link(raw_list(lotto=lotto.pk, stato__exact=stato), state_badge(stato, number)),)
        for stato, number in rows.annotate(Count("pk"))
    ]
    return format_html_join(" ", "{}", links) or None


RICEVUTO = Column.of(LottoRicevuto, "ricevuto_il", plant_time, sort=True)
PER_STATO = Column("per_stato", _("record per stato"), records_by_state)
BODY = "admin:ingestion_lottoricevuto_corpo"
CORPO = Column(
    "vai_corpo",
    _("corpo"),
    lambda row: link(reverse(BODY, args=[row.pk]), gettext("Mostra il corpo ricevuto")),
)
SENDER = ("nome_chiave", "flusso", "flusso_esecuzione", "flusso_operazione", "chiave_idempotenza")


@admin.register(LottoRicevuto)
class LottoRicevutoAdmin(ExactSearchMixin, ReadOnlyAdmin):
    list_display = ("uuid", RICEVUTO, "nome_chiave", "flusso", "record")
    list_filter = (RicevutoFilter,)
    ordering = ("-ricevuto_il", "-pk")
    search_fields = ("uuid",)
    search_help_text = _("Identificativo del lotto.")
    fieldsets = (
        (None, {"fields": ("uuid", RICEVUTO, "record", PER_STATO, CORPO, "sha256")}),
        (_("Chi lo ha mandato"), {"fields": SENDER}),
    )
    readonly_fields = (RICEVUTO, PER_STATO, CORPO)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LottoRicevuto]:
        return super().get_queryset(request).defer("corpo", "risposta")

    def get_urls(self) -> list[URLPattern]:
        return [self.own_url("<uuid:uuid>/corpo/", self.body, "corpo"), *super().get_urls()]

    def body(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The body as it came, at most its first ``SHOWN_BYTES``."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        lotto = get_object_or_404(LottoRicevuto, pk=uuid)
        text, cut = beginning_of(bytes(lotto.corpo))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Corpo ricevuto"),
            "opts": self.opts,
            "lotto": lotto,
            "text": text,
            "cut": cut,
            "shown_kilobytes": SHOWN_BYTES // 1024,
        }
        return TemplateResponse(request, "admin/ingestion/lottoricevuto/corpo.html", context)

    def panels(self, request: HttpRequest, row: LottoRicevuto) -> dict[str, Any]:
        return {"provenance": provenance.of_batch(row)}
