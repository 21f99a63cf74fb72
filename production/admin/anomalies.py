"""Anomalies in the admin: a list of what waits for somebody, and the page of one, with its acts."""

from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from etlportal.audit.record import user_of
from etlportal.lists.acts import ask
from etlportal.lists.columns import Column, breakable, cut_to, link_to, plant_time, row_link
from etlportal.lists.filters import row_number
from etlportal.lists.pages import ExactSearchMixin, ReadOnlyAdmin
from production.admin import filters, provenance
from production.anomalies import chart, pages, work
from production.anomalies.pages import PAGES, ActPage, NoteForm
from production.anomalies.reason import reason
from production.anomalies.work import Seen
from production.fields import Limits
from production.models import AnomaliaOperazione

LIST = "admin:production_anomaliaoperazione_changelist"
DETAIL = "admin:production_anomaliaoperazione_change"

STATO = Column("stato_badge", _("stato"), lambda row: pages.state_badge(row.stato))
TIPO = Column("tipo", _("anomalia"), lambda row: breakable(row.anomalia))
PEZZO = Column("pezzo", _("pezzo"), attrgetter("operazione.pezzo_id"))
MACCHINARIO = Column("macchinario", _("macchinario"), attrgetter("operazione.macchinario_id"))
OPERAZIONE = Column.of(AnomaliaOperazione, "operazione", link_to("production_operazione"))
CREATA = Column.of(AnomaliaOperazione, "creata_il", plant_time, sort=True)
GESTITA = Column.of(AnomaliaOperazione, "gestita_il", plant_time)


def action_of(page: ActPage) -> Any:
    """The act for many, on the list; it asks for the note before anything is done."""

    @admin.action(description=page.many, permissions=[page.act.permission.rpartition(".")[2]])
    def action(
        model_admin: "AnomaliaOperazioneAdmin", request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        rows = queryset.order_by("pk").values_list("pk", "stato")
        seen = [Seen(*row) for row in rows[: work.MOST_AT_ONCE + 1]]
        if len(seen) > work.MOST_AT_ONCE:
            pages.tell_too_many(request)
            return None
        return model_admin.ask(request, page, seen, request.GET.urlencode())

    action.__name__ = page.act.name
    return action


def told_when_asked(row: AnomaliaOperazione) -> SafeString:
    """An anomaly, on the page that asks for the note."""
    link = row_link("production_anomaliaoperazione", row.pk)
    value = Truncator(row.valore_ricevuto or "").chars(60)
    told = [text for text in (row.operazione.pezzo_id, value) if text]
    return format_html("{} {} {}{}", link, STATO(row), TIPO(row), "".join(f" · {t}" for t in told))


@admin.register(AnomaliaOperazione)
class AnomaliaOperazioneAdmin(ExactSearchMixin, ReadOnlyAdmin):
    list_display = (
        CREATA,
        STATO,
        TIPO,
        PEZZO,
        MACCHINARIO,
        Column.of(AnomaliaOperazione, "campo", breakable),
        Column.of(AnomaliaOperazione, "valore_ricevuto", cut_to(40)),
        Column.of(AnomaliaOperazione, "note", cut_to(160)),
        "gestita_da",
        OPERAZIONE,
    )
    list_select_related = ("anomalia", "operazione")
    list_filter = (
        filters.StatoAnomaliaFilter,
        filters.TipoAnomaliaFilter,
        "origine",
        filters.CreataFilter,
        filters.AnomaliaPezzoFilter,
        filters.AnomaliaMacchinarioFilter,
        filters.OperazioneFilter,
    )
    search_help_text = _("Numero dell'anomalia.")
    readonly_fields = (STATO, GESTITA, PEZZO, MACCHINARIO, CREATA)
    actions = tuple(map(action_of, PAGES))

    # --- What is shown ---

    def panels(self, request: HttpRequest, row: AnomaliaOperazione) -> dict[str, Any]:
        limits = Limits.of_settings(settings.PLAUSIBILITY_LIMITS)
        return {
            "sentence": reason(row, limits),
            "chart": chart.chart(row, limits),
            "acts": [
                (reverse(f"admin:{page.url_name}", query={"id": row.pk}), page.title)
                for page in PAGES
                if row.stato in page.act.starts_from and request.user.has_perm(page.act.permission)
            ],
            "provenance": provenance.of_operation(row.operazione),
            "tables": [pages.history(row)],
        }

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        """Of one that somebody has seen to, also by whom, when and why."""
        handled = ("gestita_da", GESTITA, "nota_gestione") if obj and obj.gestita_il else ()
        where = ("anomalia", PEZZO, MACCHINARIO)
        return (STATO, *handled, *where, "campo", "valore_ricevuto", "note", "origine", CREATA)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AnomaliaOperazione | None:
        """With all that its page tells of the operation, in one question."""
        parts = ("anomalia", "operazione__pezzo", "operazione__forgiatura", "operazione__cnc")
        rows = self.get_queryset(request).select_related(*parts)
        return rows.filter(pk=row_number(object_id)).first()

    def has_annota_anomalia_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(work.ANNOTA)

    def has_gestisci_anomalia_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(work.GESTISCI)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history is on the page itself."""
        return redirect(f"{reverse(DETAIL, args=[object_id])}#storia")

    # --- Acts ---

    def get_urls(self) -> list[URLPattern]:
        names = [(page.act.name, page) for page in PAGES]
        own = [self.own_url(f"{name}/", self.act, name, page=page) for name, page in names]
        return [*own, *super().get_urls()]

    def act(self, request: HttpRequest, page: ActPage) -> HttpResponse:
        """Asks for the note, ``?id=`` says of which one; posted with it, does the act."""
        if not request.user.has_perm(page.act.permission):
            raise PermissionDenied
        if request.method != "POST":
            asked = row_number(request.GET.get("id", ""))
            found = self.get_queryset(request).filter(pk=asked).values_list("pk", "stato")
            return self.ask(request, page, [Seen(*row) for row in found], "")
        seen = pages.read_seen(request.POST.getlist(pages.SEEN))
        form = NoteForm(request.POST, needed=page.act.needs_note)
        if not form.is_valid():
            return self.ask(request, page, seen, request.POST.get("elenco", ""), form)
        nota, by = form.cleaned_data["nota"], user_of(request)
        try:
            outcome = work.perform(page.act, seen, nota=nota, by=by, now=timezone.now())
        except work.TooMany:
            pages.tell_too_many(request)
        else:
            pages.tell(request, page, outcome)
        if len(seen) == 1 and "elenco" not in request.POST:
            return redirect(DETAIL, seen[0].pk)
        # The list as it was, from its first page.
        listing = QueryDict(request.POST.get("elenco", ""), mutable=True)
        listing.pop(PAGE_VAR, None)
        return redirect(f"{reverse(LIST)}?{listing.urlencode()}".rstrip("?"))

    def ask(
        self,
        request: HttpRequest,
        page: ActPage,
        seen: list[Seen],
        listing: str,
        form: NoteForm | None = None,
    ) -> HttpResponse:
        """``listing``: the filters of the list to which the act returns."""
        if not seen:
            messages.warning(request, gettext("Nessuna anomalia scelta."))
            return redirect(LIST)
        shown = [pk for pk, _stato in seen[: pages.LISTED]]
        rows = self.get_queryset(request).filter(pk__in=shown).order_by("-pk")
        subject = ngettext("%(number)s anomalia", "%(number)s anomalie", len(seen))
        more = len(seen) - len(shown)
        one = len(seen) == 1 and not listing
        return ask(
            self,
            request,
            form or NoteForm(needed=page.act.needs_note),
            title=page.title,
            explanation=page.explanation,
            subject=subject % {"number": len(seen)},
            chosen=map(told_when_asked, rows.select_related("anomalia", "operazione")),
            rest=gettext("e altre %(more)s") % {"more": more} if more else "",
            address=reverse(f"admin:{page.url_name}"),
            hidden=[
                *((pages.SEEN, text) for text in pages.written(seen)),
                *([("elenco", listing)] if listing else []),
            ],
            back=reverse(DETAIL, args=[seen[0].pk]) if one else f"{reverse(LIST)}?{listing}",
        )
