"""Records as received, in the admin: to look at, to put back in the queue, to set aside."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from etlportal.audit.record import user_of
from etlportal.lists.acts import ask, reason_field
from etlportal.lists.columns import Column, badge, cut_to, plant_time, row_link
from etlportal.lists.filters import row_number
from etlportal.lists.pages import ExactSearchMixin, ReadOnlyAdmin
from ingestion.admin import filters, provenance
from ingestion.models import MAX_MOTIVO, RawOperazione
from ingestion.reception import store
from ingestion.reception.payloads import TEXT_FIELDS

MOST_DISCARDED = 500  # in one act
SHOWN_CHARACTERS = 20 * 1024  # of a text as received

KIND = {
    RawOperazione.Stato.PENDING: "waiting",
    RawOperazione.Stato.PROCESSED: "ok",
    RawOperazione.Stato.ERROR: "error",
}


def state_badge(stato: str, number: int | None = None) -> SafeString:
    state = RawOperazione.Stato(stato)
    return badge(KIND[state], _(state.label) if number is None else f"{_(state.label)}: {number}")


def received(name: str) -> Column:
    """A text or a JSON value letter for letter, so that "" and " " are seen too."""

    def value(row: RawOperazione) -> SafeString | None:
        found = getattr(row, name)
        if found is None:
            return None
        text = found if name in TEXT_FIELDS else json.dumps(found, ensure_ascii=False)
        if not text:
            return format_html('<span class="quiet">{}</span>', gettext("(testo vuoto)"))
        beginning = Truncator(text).chars(SHOWN_CHARACTERS)
        return format_html('<code class="received">{}</code>', beginning)

    return Column.of(RawOperazione, name, value=value)


STATO = Column(
    "stato_badge",
    _("stato"),
    lambda row: (
        badge("waiting", _("In errore · scartato")) if row.scartato_il else state_badge(row.stato)
    ),
)
RICEVUTO = Column.of(RawOperazione, "ricevuto_il", plant_time, sort=True)
ELABORATO = Column.of(RawOperazione, "elaborato_il", plant_time)
SCARTATO = Column.of(RawOperazione, "scartato_il", plant_time)
OUTCOME = (STATO, "errore_messaggio", "errore_codice", "tentativi", ELABORATO)
RECEIVED = tuple(map(received, (*TEXT_FIELDS, "anomalia", "altri_campi", "avvisi")))


class DiscardForm(forms.Form):
    motivo = reason_field(MAX_MOTIVO, _("Resta scritto sul record con il tuo nome."))


def told_when_asked(row: RawOperazione) -> SafeString:
    """A record, on the page that asks why it is set aside."""
    why = f" · {Truncator(row.errore_messaggio).chars(160)}" if row.errore_messaggio else ""
    return format_html("{}{}", row_link("ingestion_rawoperazione", row.pk), why)


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
class RawOperazioneAdmin(ExactSearchMixin, ReadOnlyAdmin):
    list_display = (
        "id_operazione",
        RICEVUTO,
        STATO,
        Column.of(RawOperazione, "tipo_operazione", cut_to(30)),
        Column.of(RawOperazione, "codice_pezzo", cut_to(30)),
        Column.of(RawOperazione, "codice_macchinario", cut_to(30)),
        Column.of(RawOperazione, "errore_messaggio", cut_to(120)),
    )
    list_filter = (
        "stato",
        filters.ErroriFilter,
        filters.RicevutoFilter,
        filters.EsecuzioneFilter,
        filters.LottoFilter,
    )
    list_defer = ("anomalia", "altri_campi", "avvisi")
    sortable_by = ("id_operazione",)
    search_fields = ("pk", "uid", "codice_pezzo", "codice_macchinario")
    search_help_text = _(
        "Numero o identificativo del record, oppure codice esatto del pezzo o del macchinario."
    )
    fieldsets = (
        (_("Stato"), {"fields": OUTCOME}),
        (_("Record come ricevuto"), {"fields": RECEIVED}),
        (_("Ricezione"), {"fields": ("id_operazione", "uid", "indice", RICEVUTO)}),
    )
    readonly_fields = (STATO, "uid", ELABORATO, RICEVUTO, *RECEIVED, SCARTATO)
    actions = ("requeue", "discard")

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_url("uid/<uuid:uid>/", self.by_uid, "by_uid"),
            self.own_url("scarta/", self.discard_view, "scarta"),
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

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a record set aside, also by whom, when and why."""
        first, *others = super().get_fieldsets(request, obj)
        scarto = (_("Scarto"), {"fields": ("scartato_da", SCARTATO, "scartato_motivo")})
        return (first, *([scarto] if obj and obj.scartato_il else ()), *others)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.change_rawoperazione")

    @admin.action(description=_("Rimetti in coda i record in errore"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[RawOperazione]) -> None:
        rows = queryset.filter(stato=RawOperazione.Stato.ERROR).order_by("pk")
        number = store.requeue(rows.values_list("pk", flat=True), user_of(request))
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
        discarded = store.discard(
            ids[:MOST_DISCARDED],
            reason=form.cleaned_data["motivo"],
            by=user_of(request),
            now=timezone.now(),
        )
        tell_discarded(request, len(discarded), len(ids))
        if len(ids) == 1:
            return redirect("admin:ingestion_rawoperazione_change", ids[0])
        return redirect("admin:ingestion_rawoperazione_changelist")

    def _ask_why(self, request: HttpRequest, ids: list[int], form: DiscardForm) -> HttpResponse:
        rows = list(RawOperazione.objects.rejected().filter(pk__in=ids).order_by("pk"))
        if not rows:
            sentence = gettext("Nessun record da scartare: fra quelli scelti nessuno è in errore.")
            messages.warning(request, sentence)
            return redirect("admin:ingestion_rawoperazione_changelist")
        subject = ngettext("%(number)s record", "%(number)s record", len(rows))
        return ask(
            self,
            request,
            form,
            title=gettext("Scarta con motivo"),
            explanation=gettext(
                "Il record resta in errore e non entra in produzione; non è più tra quelli da "
                "gestire. Per riprenderlo, rimettilo in coda."
            ),
            subject=subject % {"number": len(rows)},
            chosen=map(told_when_asked, rows),
            address=reverse("admin:ingestion_rawoperazione_scarta"),
            hidden=[("id", row.pk) for row in rows],
            back=reverse("admin:ingestion_rawoperazione_change", args=[rows[0].pk])
            if len(rows) == 1
            else filters.raw_list(),
        )

    def panels(self, request: HttpRequest, row: RawOperazione) -> dict[str, Any]:
        return {"provenance": provenance.of_raw(row)}
