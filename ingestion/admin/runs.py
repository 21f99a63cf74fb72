"""Runs in the admin, and the buttons that start one."""

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from etlportal.lists.columns import Column, badge, link, plant_time, readable_duration
from etlportal.lists.pages import FastListAdmin, ReadOnlyAdmin
from ingestion.admin import provenance
from ingestion.admin.filters import raw_list
from ingestion.models import EsecuzioneEtl, RawOperazione
from ingestion.runs.queue import enqueue, living_run
from ingestion.watch import status

KIND = {
    EsecuzioneEtl.Stato.IN_CODA: "waiting",
    EsecuzioneEtl.Stato.IN_CORSO: "running",
    EsecuzioneEtl.Stato.OK: "ok",
    EsecuzioneEtl.Stato.PARZIALE: "warning",
    EsecuzioneEtl.Stato.ERRORE: "error",
    EsecuzioneEtl.Stato.INTERROTTA: "error",
}


def run_seconds(run: EsecuzioneEtl) -> float | None:
    """Up to now if it has not ended; None if it has not begun."""
    if run.iniziata_il is None:
        return None
    return ((run.finita_il or timezone.now()) - run.iniziata_il).total_seconds()


def errors_link(run: EsecuzioneEtl) -> SafeString | None:
    if not run.in_errore:
        return None
    url = raw_list(esecuzione=run.pk, stato__exact=RawOperazione.Stato.ERROR)
    return link(url, gettext("Mostra i record in errore"))


STATO = Column(
    "stato_badge", _("stato"), lambda run: badge(KIND[run.stato], run.get_stato_display())
)
CREATA, INIZIATA, BATTITO, FINITA = (
    Column.of(EsecuzioneEtl, name, plant_time)
    for name in ("creata_il", "iniziata_il", "battito_il", "finita_il")
)
DURATA = Column(
    "durata",
    _("durata"),
    run_seconds,
    readable_duration,
    in_files=((_("durata (s)"), run_seconds),),
)
ERRORI = Column("vai_errori", _("record in errore"), errors_link)
FOUND, LEFT = ("letti", "caricati", "gia_presenti", "in_errore"), ("rimanenti", "anomalie")
ASKED = ("tipo", "origine", "avviata_da", CREATA, INIZIATA, FINITA, DURATA)


class RunButton(NamedTuple):
    """``queued`` and ``active`` are sentences for the user, with ``{}`` for the link to the run."""

    page: str
    tipo: str
    title: Any
    queued: Any
    active: Any


class RunButtonMixin(FastListAdmin):
    """A list with a button that starts a run; the orders' has one too."""

    run_button: RunButton

    def get_urls(self) -> list[URLPattern]:
        page = self.run_button.page
        return [self.own_url(f"{page}/", self.start_run, page), *super().get_urls()]

    @method_decorator(require_POST)
    def start_run(self, request: HttpRequest) -> HttpResponse:
        """Queues a run, unless one is in course, and says which run it is."""
        if not request.user.has_perm("ingestion.add_esecuzioneetl"):
            raise PermissionDenied
        _page, tipo, _title, queued, active = self.run_button
        living = living_run(tipo, settings.RUN_DEAD_AFTER)
        if living:
            messages.warning(request, format_html(active, provenance.run_link(living.pk)))
        else:
            by = request.user.get_username()
            run = enqueue(tipo, EsecuzioneEtl.Origine.ADMIN, avviata_da=by)
            messages.success(request, format_html(queued, provenance.run_link(run.pk)))
            if not status.worker()["vivo"]:
                messages.warning(request, gettext("Il worker è fermo: partirà quando riprende."))
        return redirect(f"admin:{self.url_name('changelist')}")


@admin.register(EsecuzioneEtl)
class EsecuzioneEtlAdmin(RunButtonMixin, ReadOnlyAdmin):
    list_display = ("id", STATO, "messaggio", "tipo", CREATA, DURATA, *FOUND, *LEFT)
    list_filter = ("stato", "tipo", "origine")
    sortable_by = ("id",)
    fieldsets = (
        (None, {"fields": ("id", STATO, "messaggio", *ASKED)}),
        (_("Record"), {"fields": (*FOUND, ERRORI, *LEFT)}),
        (
            _("Per la manutenzione"),
            {"classes": ("collapse",), "fields": ("processo", BATTITO, "request_id")},
        ),
    )
    readonly_fields = ("id", STATO, CREATA, INIZIATA, BATTITO, FINITA, DURATA, ERRORI)
    run_button = RunButton(
        "trasferisci",
        EsecuzioneEtl.Tipo.TRANSFER,
        title=_("Trasferisci ora"),
        queued=_("Trasferimento messo in coda: esecuzione {}."),
        active=_("Un trasferimento è già in corso: esecuzione {}."),
    )

    def panels(self, request: HttpRequest, row: EsecuzioneEtl) -> dict[str, Any]:
        return {"provenance": provenance.of_run(row)}
