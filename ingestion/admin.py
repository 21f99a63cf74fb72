"""Reception and transfer in the admin: records as received, batches, runs; all to look at.

Two acts: putting records in error back in the queue, and starting a transfer.
"""

import json
import zlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from ingestion import runs, services, status
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.payloads import TEXT_FIELDS
from production.admin_lists import (
    EMPTY,
    Column,
    DateRangeFilter,
    ReadOnlyAdmin,
    TextFilter,
    badge,
    label_of,
    moment_column,
    readable_duration,
    row_number,
    short_column,
)
from production.models import Operazione

SHOWN_BYTES = 20 * 1024
GZIP_WINDOW = 31  # zlib's name for "a gzip stream"

RAW_KIND = {
    RawOperazione.Stato.PENDING: "waiting",
    RawOperazione.Stato.PROCESSED: "ok",
    RawOperazione.Stato.ERROR: "error",
}
RUN_KIND = {
    EsecuzioneEtl.Stato.IN_CODA: "waiting",
    EsecuzioneEtl.Stato.IN_CORSO: "running",
    EsecuzioneEtl.Stato.OK: "ok",
    EsecuzioneEtl.Stato.PARZIALE: "warning",
    EsecuzioneEtl.Stato.ERRORE: "error",
    EsecuzioneEtl.Stato.INTERROTTA: "error",
}


def link_to(row: Any) -> SafeString | str:
    """A link to the page of a batch or a run."""
    if row is None:
        return EMPTY
    url = reverse(f"admin:ingestion_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row.pk)


def raw_list(**parameters: Any) -> str:
    """The address of the list of raw rows, filtered."""
    return reverse("admin:ingestion_rawoperazione_changelist", query=parameters)


# --- Filters ------------------------------------------------------------------------------


class RicevutoFilter(DateRangeFilter):
    title = _("data di ricezione")
    field = "ricevuto_il"


class GivenTextFilter(TextFilter):
    """Reached by links from other pages; shown only while it is in force."""

    def has_output(self) -> bool:
        return self.is_set


class EsecuzioneFilter(GivenTextFilter):
    title = _("esecuzione")
    parameter = "esecuzione"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = row_number(self.text)
        return queryset.none() if number is None else queryset.filter(esecuzione_id=number)


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


# --- Raw rows -----------------------------------------------------------------------------


def as_received(name: str) -> Column:
    """A read-only field that shows a text letter for letter, so that "" and " " are seen too."""

    @admin.display(description=label_of(RawOperazione, name))
    def field(row: RawOperazione) -> SafeString | str:
        text = getattr(row, name)
        return EMPTY if text is None else preformatted(text)

    field.__name__ = name
    return field


def json_as_received(name: str) -> Column:
    """The same for a JSON column."""

    @admin.display(description=label_of(RawOperazione, name))
    def field(row: RawOperazione) -> SafeString | str:
        value = getattr(row, name)
        return EMPTY if value is None else preformatted(json.dumps(value, ensure_ascii=False))

    field.__name__ = name
    return field


def preformatted(text: str) -> SafeString:
    if not text:
        return format_html('<span class="quiet">{}</span>', gettext("(testo vuoto)"))
    return format_html('<code class="received">{}</code>', Truncator(text).chars(SHOWN_BYTES))


RECEIVED = tuple(as_received(name) for name in TEXT_FIELDS)
DECLARED, OTHERS, NOTICES = map(json_as_received, ("anomalia", "altri_campi", "avvisi"))


@admin.register(RawOperazione)
class RawOperazioneAdmin(ReadOnlyAdmin):
    ricevuto = moment_column(RawOperazione, "ricevuto_il")
    elaborato = moment_column(RawOperazione, "elaborato_il")

    list_display = (
        "id_operazione",
        ricevuto,
        "stato_badge",
        short_column(RawOperazione, "tipo_operazione", 30),
        short_column(RawOperazione, "codice_pezzo", 30),
        short_column(RawOperazione, "codice_macchinario", 30),
        short_column(RawOperazione, "errore_messaggio", 120),
    )
    list_filter = ("stato", RicevutoFilter, EsecuzioneFilter, LottoFilter)
    list_defer = ("anomalia", "altri_campi", "avvisi")
    sortable_by = ("id_operazione", ricevuto)
    search_fields = ("uid", "codice_pezzo", "codice_macchinario")
    search_help_text = _(
        "Numero o identificativo del record, oppure codice esatto del pezzo o del macchinario."
    )
    fieldsets = (
        (
            _("Stato"),
            {
                "fields": (
                    "stato_badge",
                    "errore_messaggio",
                    "errore_codice",
                    "tentativi",
                    elaborato,
                    "vai_esecuzione",
                    "vai_operazione",
                )
            },
        ),
        (_("Record come ricevuto"), {"fields": (*RECEIVED, DECLARED, OTHERS, NOTICES)}),
        (
            _("Provenienza"),
            {"fields": ("id_operazione", "uid", "vai_lotto", "indice", ricevuto)},
        ),
    )
    readonly_fields = (
        "stato_badge",
        "uid",
        elaborato,
        ricevuto,
        "vai_esecuzione",
        "vai_operazione",
        "vai_lotto",
        *RECEIVED,
        DECLARED,
        OTHERS,
        NOTICES,
    )
    actions = ("requeue",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RawOperazione]:
        return super().get_queryset(request).select_related("esecuzione")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        uuid = read_uuid(text)
        if uuid is not None:
            return queryset.filter(uid=uuid), False
        found = Q(codice_pezzo=text) | Q(codice_macchinario=text)
        number = row_number(text)
        if number is not None:
            found |= Q(pk=number)
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        by_uid = self.admin_site.admin_view(self.by_uid)
        name = "ingestion_rawoperazione_by_uid"
        return [path("uid/<uuid:uid>/", by_uid, name=name), *super().get_urls()]

    def by_uid(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        """From an operation in MySQL to its record here, which is purged some day."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pk = RawOperazione.objects.filter(uid=uid).values_list("pk", flat=True).first()
        if pk is not None:
            return redirect("admin:ingestion_rawoperazione_change", pk)
        sentence = gettext(
            "Il record ricevuto non è più conservato: dopo il trasferimento resta solo per un "
            "certo tempo."
        )
        messages.warning(request, sentence)
        return redirect("admin:ingestion_rawoperazione_changelist")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_requeue": self.has_requeue_permission(request)}
        return super().change_view(request, object_id, form_url, context)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.change_rawoperazione")

    @admin.action(description=_("Rimetti in coda i record in errore"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[RawOperazione]) -> None:
        ids = queryset.order_by().values_list("pk", flat=True)
        number = services.requeue(ids, by=request.user.get_username())
        if not number:
            sentence = gettext(
                "Nessun record rimesso in coda: fra quelli scelti nessuno è in errore."
            )
            messages.warning(request, sentence)
            return
        sentence = ngettext(
            "%(number)s record rimesso in coda: sarà preso dal prossimo trasferimento.",
            "%(number)s record rimessi in coda: saranno presi dal prossimo trasferimento.",
            number,
        )
        messages.success(request, sentence % {"number": number})

    @admin.display(description=_("stato"))
    def stato_badge(self, row: RawOperazione) -> SafeString:
        return badge(RAW_KIND[RawOperazione.Stato(row.stato)], row.get_stato_display())

    @admin.display(description=_("esecuzione"))
    def vai_esecuzione(self, row: RawOperazione) -> SafeString | str:
        return link_to(row.esecuzione)

    @admin.display(description=_("lotto"))
    def vai_lotto(self, row: RawOperazione) -> SafeString | str:
        if row.lotto_id is None:
            return EMPTY
        url = reverse("admin:ingestion_lottoricevuto_change", args=[row.lotto_id])
        return format_html('<a href="{}">{}</a>', url, row.lotto_id)

    @admin.display(description=_("operazione in produzione"))
    def vai_operazione(self, row: RawOperazione) -> SafeString | str:
        """Found by uid in the other database, which may be away."""
        try:
            number = Operazione.objects.filter(raw_uid=row.uid).values_list("pk", flat=True).first()
        except DatabaseError:
            return gettext("Il database di produzione (MySQL) ora non risponde.")
        if number is None:
            return EMPTY
        url = reverse("admin:production_operazione_change", args=[number])
        return format_html('<a href="{}">{}</a>', url, number)


# --- Batches ------------------------------------------------------------------------------


@admin.register(LottoRicevuto)
class LottoRicevutoAdmin(ReadOnlyAdmin):
    ricevuto = moment_column(LottoRicevuto, "ricevuto_il")

    list_display = ("uuid", ricevuto, "nome_chiave", "flusso", "record")
    list_filter = (RicevutoFilter,)
    ordering = ("-ricevuto_il", "-pk")
    sortable_by = (ricevuto,)
    search_fields = ("uuid",)
    search_help_text = _("Identificativo del lotto.")
    fieldsets = (
        (None, {"fields": ("uuid", ricevuto, "record", "per_stato", "vai_corpo", "sha256")}),
        (
            _("Chi lo ha mandato"),
            {
                "fields": (
                    "nome_chiave",
                    "flusso",
                    "flusso_esecuzione",
                    "flusso_operazione",
                    "chiave_idempotenza",
                )
            },
        ),
    )
    readonly_fields = (ricevuto, "per_stato", "vai_corpo")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LottoRicevuto]:
        return super().get_queryset(request).defer("corpo", "risposta")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        uuid = read_uuid(search_term.strip())
        return (queryset.none() if uuid is None else queryset.filter(pk=uuid)), False

    def get_urls(self) -> list[URLPattern]:
        body = self.admin_site.admin_view(self.body)
        name = "ingestion_lottoricevuto_corpo"
        return [path("<uuid:uuid>/corpo/", body, name=name), *super().get_urls()]

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

    @admin.display(description=_("record per stato"))
    def per_stato(self, lotto: LottoRicevuto) -> SafeString | str:
        counts = (
            RawOperazione.objects.filter(lotto=lotto)
            .order_by("stato")
            .values_list("stato")
            .annotate(Count("pk"))
        )
        rows = [
            (raw_list(lotto=lotto.pk, stato__exact=stato), _state_and_number(stato, number))
            for stato, number in counts
        ]
        return format_html_join(" ", '<a href="{}">{}</a>', rows) if rows else EMPTY

    @admin.display(description=_("corpo"))
    def vai_corpo(self, lotto: LottoRicevuto) -> SafeString:
        url = reverse("admin:ingestion_lottoricevuto_corpo", args=[lotto.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Mostra il corpo ricevuto"))


def _state_and_number(stato: str, number: int) -> SafeString:
    state = RawOperazione.Stato(stato)
    return badge(RAW_KIND[state], f"{state.label}: {number}")


def beginning_of(body: bytes) -> tuple[str, bool]:
    """The first ``SHOWN_BYTES`` of a gzip body as text, and whether that cut it.

    No more is ever decompressed, whatever size the body unfolds to.
    """
    shown = zlib.decompressobj(GZIP_WINDOW).decompress(body, SHOWN_BYTES + 1)
    text = shown[:SHOWN_BYTES].decode("utf-8-sig", errors="replace")
    return text, len(shown) > SHOWN_BYTES


# --- Runs ---------------------------------------------------------------------------------


@admin.register(EsecuzioneEtl)
class EsecuzioneEtlAdmin(ReadOnlyAdmin):
    creata = moment_column(EsecuzioneEtl, "creata_il")
    iniziata = moment_column(EsecuzioneEtl, "iniziata_il")
    battito = moment_column(EsecuzioneEtl, "battito_il")
    finita = moment_column(EsecuzioneEtl, "finita_il")

    list_display = (
        "id",
        "stato_badge",
        "messaggio",
        "tipo",
        creata,
        "durata",
        "letti",
        "caricati",
        "gia_presenti",
        "in_errore",
        "rimanenti",
        "anomalie",
    )
    list_filter = ("stato", "tipo", "origine")
    sortable_by = ("id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "stato_badge",
                    "messaggio",
                    "tipo",
                    "origine",
                    "avviata_da",
                    creata,
                    iniziata,
                    finita,
                    "durata",
                )
            },
        ),
        (
            _("Record"),
            {
                "fields": (
                    "letti",
                    "caricati",
                    "gia_presenti",
                    "in_errore",
                    "vai_errori",
                    "rimanenti",
                    "anomalie",
                )
            },
        ),
        (
            _("Per la manutenzione"),
            {"classes": ("collapse",), "fields": ("processo", battito, "request_id")},
        ),
    )
    readonly_fields = (
        "id",
        "stato_badge",
        creata,
        iniziata,
        battito,
        finita,
        "durata",
        "vai_errori",
    )

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(self.start_transfer)
        name = "ingestion_esecuzioneetl_trasferisci"
        return [path("trasferisci/", start, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_start_transfer": may_start_runs(request)}
        return super().changelist_view(request, context)

    @method_decorator(require_POST)
    def start_transfer(self, request: HttpRequest) -> HttpResponse:
        start_run(
            request,
            EsecuzioneEtl.Tipo.TRANSFER,
            queued=gettext("Trasferimento messo in coda: esecuzione {}."),
            active=gettext("Un trasferimento è già in corso: esecuzione {}."),
        )
        return redirect("admin:ingestion_esecuzioneetl_changelist")

    @admin.display(description=_("stato"))
    def stato_badge(self, run: EsecuzioneEtl) -> SafeString:
        return badge(RUN_KIND[EsecuzioneEtl.Stato(run.stato)], run.get_stato_display())

    @admin.display(description=_("durata"))
    def durata(self, run: EsecuzioneEtl) -> str:
        if run.iniziata_il is None:
            return EMPTY
        return readable_duration(
            ((run.finita_il or timezone.now()) - run.iniziata_il).total_seconds()
        )

    @admin.display(description=_("record in errore"))
    def vai_errori(self, run: EsecuzioneEtl) -> SafeString | str:
        if not run.in_errore:
            return EMPTY
        url = raw_list(esecuzione=run.pk, stato__exact=RawOperazione.Stato.ERROR)
        return format_html('<a href="{}">{}</a>', url, gettext("Mostra i record in errore"))


# --- The button that starts a run; the orders' page has it too ------------------------------


def may_start_runs(request: HttpRequest) -> bool:
    return request.user.has_perm("ingestion.add_esecuzioneetl")


def start_run(request: HttpRequest, tipo: str, *, queued: str, active: str) -> None:
    """Queues a run of this kind, unless one is in course, and says which run it is.

    ``queued`` and ``active`` are sentences for the user, with ``{}`` for the link to the run.
    Raises ``PermissionDenied`` for a user who may not start runs.
    """
    if not may_start_runs(request):
        raise PermissionDenied
    living = runs.living_run(tipo, timedelta(seconds=settings.RUN_DEAD_AFTER_SECONDS))
    if living:
        messages.warning(request, format_html(active, link_to(living)))
        return
    run = runs.enqueue(tipo, EsecuzioneEtl.Origine.ADMIN, avviata_da=request.user.get_username())
    messages.success(request, format_html(queued, link_to(run)))
    if not status.worker()["vivo"]:
        messages.warning(request, gettext("Il worker è fermo: partirà quando riprende."))
