"""Reception and transfer in the admin: records as received, batches, runs; all to look at.

Three acts: putting records in error back in the queue, setting them aside with a reason, and
starting a transfer.
"""

import json
import logging
import zlib
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
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

from etlportal.lists.columns import (
    EMPTY,
    Column,
    badge,
    label_of,
    moment_column,
    readable_duration,
    short_column,
)
from etlportal.lists.filters import DateRangeFilter, GivenTextFilter, row_number
from etlportal.lists.pages import ReadOnlyAdmin
from ingestion import runs
from ingestion.admin import provenance
from ingestion.models import MAX_MOTIVO, EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import store as services
from ingestion.reception.payloads import TEXT_FIELDS
from ingestion.watch import status
from production.admin.provenance import ProvenanceMixin, Step

audit = logging.getLogger("audit")

MOST_DISCARDED = 500  # in one act
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


class EsecuzioneFilter(GivenTextFilter):
    title = _("esecuzione")
    parameter = "esecuzione"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = row_number(self.text)
        return queryset.none() if number is None else queryset.filter(esecuzione_id=number)


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
DISCARDED_AT = moment_column(RawOperazione, "scartato_il")
DECLARED, OTHERS, NOTICES = map(json_as_received, ("anomalia", "altri_campi", "avvisi"))


class DiscardForm(forms.Form):
    motivo = forms.CharField(
        label=_("Motivo"),
        max_length=MAX_MOTIVO,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "maxlength": MAX_MOTIVO}),
        help_text=_("Resta scritto sul record con il tuo nome."),
    )


def requeue_and_tell(queryset: QuerySet[RawOperazione], request: HttpRequest) -> int:
    """Back into the queue, and into the audit trail; if one of the two fails, neither."""
    user = request.user.get_username()
    with transaction.atomic(using="default"):
        rows = queryset.filter(stato=RawOperazione.Stato.ERROR).order_by("pk")
        ids = list(rows.values_list("pk", flat=True))
        number = services.requeue(ids, by=user)
        if number:
            audit.info(
                "record.rimessi_in_coda",
                extra={
                    "chi": user,
                    "oggetto": f"raw_operazione: {', '.join(map(str, ids))}"[:255],
                    "dettagli": {"record": number},
                    "request_id": getattr(request, "request_id", ""),
                },
            )
    return number


def tell_discarded(request: HttpRequest, discarded: int, asked: int) -> None:
    if discarded:
        sentence = ngettext("%(number)s record scartato.", "%(number)s record scartati.", discarded)
        messages.success(request, sentence % {"number": discarded})
    if asked > discarded:
        sentence = ngettext(
            "%(number)s record lasciato com'è: non era più in errore, o era già scartato.",
            "%(number)s record lasciati come sono: non erano più in errore, o erano già scartati.",
            asked - discarded,
        )
        messages.warning(request, sentence % {"number": asked - discarded})


@admin.register(RawOperazione)
class RawOperazioneAdmin(ProvenanceMixin, ReadOnlyAdmin):
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
    list_filter = ("stato", ErroriFilter, RicevutoFilter, EsecuzioneFilter, LottoFilter)
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
                )
            },
        ),
        (_("Record come ricevuto"), {"fields": (*RECEIVED, DECLARED, OTHERS, NOTICES)}),
        (_("Ricezione"), {"fields": ("id_operazione", "uid", "indice", ricevuto)}),
    )
    readonly_fields = (
        "stato_badge",
        "uid",
        elaborato,
        ricevuto,
        *RECEIVED,
        DECLARED,
        OTHERS,
        NOTICES,
        DISCARDED_AT,
    )
    actions = ("requeue", "discard")

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
        discard = self.admin_site.admin_view(self.discard_view)
        return [
            path("uid/<uuid:uid>/", by_uid, name="ingestion_rawoperazione_by_uid"),
            path("scarta/", discard, name="ingestion_rawoperazione_scarta"),
            *super().get_urls(),
        ]

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

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a record set aside, also by whom, when and why."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or obj.scartato_il is None:
            return fieldsets
        scarto = (_("Scarto"), {"fields": ("scartato_da", DISCARDED_AT, "scartato_motivo")})
        return (*fieldsets[:1], scarto, *fieldsets[1:])

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.change_rawoperazione")

    @admin.action(description=_("Rimetti in coda i record in errore"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[RawOperazione]) -> None:
        number = requeue_and_tell(queryset, request)
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

    @admin.action(description=_("Scarta i record in errore, con motivo"), permissions=["requeue"])
    def discard(
        self, request: HttpRequest, queryset: QuerySet[RawOperazione]
    ) -> HttpResponse | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST_DISCARDED + 1])
        if len(ids) > MOST_DISCARDED:
            sentence = gettext("Troppi in una volta: al più %(number)s.")
            messages.error(request, sentence % {"number": MOST_DISCARDED})
            return None
        return self._ask_why(request, ids, DiscardForm())

    def discard_view(self, request: HttpRequest) -> HttpResponse:
        """Asks why, ``?id=`` says of which one; posted with the reason, sets aside."""
        if not self.has_requeue_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        ids = [pk for text in given.getlist("id") if (pk := row_number(text)) is not None]
        form = DiscardForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._ask_why(request, ids[:MOST_DISCARDED], form)
        discarded = services.discard(
            ids[:MOST_DISCARDED],
            reason=form.cleaned_data["motivo"],
            by=request.user.get_username(),
            now=timezone.now(),
            request_id=getattr(request, "request_id", ""),
        )
        tell_discarded(request, len(discarded), len(ids))
        if len(ids) == 1:
            return redirect("admin:ingestion_rawoperazione_change", ids[0])
        return redirect("admin:ingestion_rawoperazione_changelist")

    def _ask_why(self, request: HttpRequest, ids: list[int], form: "DiscardForm") -> HttpResponse:
        rows = list(RawOperazione.objects.rejected().filter(pk__in=ids).order_by("pk"))
        if not rows:
            sentence = gettext("Nessun record da scartare: fra quelli scelti nessuno è in errore.")
            messages.warning(request, sentence)
            return redirect("admin:ingestion_rawoperazione_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Scarta con motivo"),
            "rows": rows,
            "form": form,
        }
        return TemplateResponse(request, "admin/ingestion/rawoperazione/scarta.html", context)

    @admin.display(description=_("stato"))
    def stato_badge(self, row: RawOperazione) -> SafeString:
        if row.scartato_il:
            return badge("waiting", _("In errore · scartato"))
        return badge(RAW_KIND[RawOperazione.Stato(row.stato)], row.get_stato_display())

    def provenance_of(self, row: RawOperazione) -> list[Step]:
        return provenance.of_raw(row)


# --- Batches ------------------------------------------------------------------------------


@admin.register(LottoRicevuto)
class LottoRicevutoAdmin(ProvenanceMixin, ReadOnlyAdmin):
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

    def provenance_of(self, row: LottoRicevuto) -> list[Step]:
        return provenance.of_batch(row)

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
    return badge(RAW_KIND[state], f"{_(state.label)}: {number}")


def beginning_of(body: bytes) -> tuple[str, bool]:
    """The first ``SHOWN_BYTES`` of a gzip body as text, and whether that cut it.

    No more is ever decompressed, whatever size the body unfolds to.
    """
    shown = zlib.decompressobj(GZIP_WINDOW).decompress(body, SHOWN_BYTES + 1)
    text = shown[:SHOWN_BYTES].decode("utf-8-sig", errors="replace")
    return text, len(shown) > SHOWN_BYTES


# --- Runs ---------------------------------------------------------------------------------


def run_seconds(run: EsecuzioneEtl) -> float | None:
    """Up to now if it has not ended; None if it has not begun."""
    if run.iniziata_il is None:
        return None
    return ((run.finita_il or timezone.now()) - run.iniziata_il).total_seconds()


@admin.register(EsecuzioneEtl)
class EsecuzioneEtlAdmin(ProvenanceMixin, ReadOnlyAdmin):
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
    export_columns = {"durata": ((_("durata (s)"), run_seconds),)}
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

    def provenance_of(self, row: EsecuzioneEtl) -> list[Step]:
        return provenance.of_run(row)

    @admin.display(description=_("stato"))
    def stato_badge(self, run: EsecuzioneEtl) -> SafeString:
        return badge(RUN_KIND[EsecuzioneEtl.Stato(run.stato)], run.get_stato_display())

    @admin.display(description=_("durata"))
    def durata(self, run: EsecuzioneEtl) -> str:
        return readable_duration(run_seconds(run))

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
    living = runs.living_run(tipo, settings.RUN_DEAD_AFTER)
    if living:
        messages.warning(request, format_html(active, link_to(living)))
        return
    run = runs.enqueue(tipo, EsecuzioneEtl.Origine.ADMIN, avviata_da=request.user.get_username())
    messages.success(request, format_html(queued, link_to(run)))
    if not status.worker()["vivo"]:
        messages.warning(request, gettext("Il worker è fermo: partirà quando riprende."))
