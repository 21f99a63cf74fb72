"""Orders in the admin: made and confirmed, cancelled and reopened by staff.

Saving a page writes only the columns that were changed on it: the orders job changes the others
at the same time.
"""

from collections.abc import Collection
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column, badge, plant_day, plant_time, row_link
from etlportal.lists.pages import ExactSearchMixin
from etlportal.lists.panels import table
from ingestion.admin.runs import RunButton, RunButtonMixin
from ingestion.models import EsecuzioneEtl, RawOperazione
from orders import figures, services
from orders.admin import acts, charts, filters
from orders.admin.movements import newest_booked, newest_counted
from orders.models import Ordine, PezzoOrdine
from production.admin.operations import OperazioneInline
from production.models import Operazione
from production.vocabulary import StatoOrdine, StatoRecord

STATO_KIND = {
    StatoOrdine.IN_ATTESA: "waiting",
    StatoOrdine.COMPLETATO: "ok",
    StatoOrdine.ANNULLATO: "error",
}


def without_tools(widget: Any, *, add: bool) -> None:
    """Leaves out the buttons beside a choice that edit, show or delete the chosen row."""
    widget.can_add_related = widget.can_add_related and add
    widget.can_change_related = widget.can_delete_related = widget.can_view_related = False


# --- Lines of an order --------------------------------------------------------------------


class NuovaRigaForm(forms.ModelForm):
    quantita_totale = forms.IntegerField(
        label=_("Quantità"),
        min_value=1,
        max_value=acts.MAX_QUANTITY,
        widget=forms.NumberInput(attrs={"aria-label": _("Quantità")}),  # a table has no labels
    )


class NuoveRigheFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        if not any(form.has_changed() for form in self.forms):
            raise ValidationError(
                _("Un ordine ha almeno una riga: scegli un pezzo e scrivi la quantità.")
            )


class NuovaRigaInline(admin.TabularInline):
    """Lines of an order that is being made, by whoever may make one."""

    model = PezzoOrdine
    form = NuovaRigaForm
    formset = NuoveRigheFormSet
    verbose_name = _("pezzo")
    verbose_name_plural = _("Righe")
    fields = ("pezzo", "quantita_totale")
    autocomplete_fields = ("pezzo",)
    extra = 3
    can_delete = False

    def formfield_for_dbfield(self, db_field: Any, request: Any, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and db_field.name == "pezzo":
            without_tools(field.widget, add=False)
        return field

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.add_ordine")

    has_view_permission = has_add_permission


def progress(made: int, total: int) -> SafeString:
    """12/40, with a bar."""
    return format_html(
        '<span class="avanzamento"><progress max="{}" value="{}" aria-label="{}"></progress> '
        "{}/{}</span>",
        max(total, 1),
        made,
        gettext("avanzamento"),
        made,
        total,
    )


MADE_OF_LINE = Column(
    "avanzamento",
    _("fatti / ordinati"),
    lambda line: progress(line.fatti, line.quantita_totale),
)
LINE_COLUMNS = (
    Column(
        "articolo",
        _("pezzo"),
        lambda line: row_link("production_pezzo", line.pezzo_id, line.pezzo),
    ),
    MADE_OF_LINE,
    Column(
        "presi",
        _("presi dal magazzino"),
        # Where nothing was counted yet on another program's order, it is what is missing.
        lambda line: (
            line.fatti - line.dati + line.resi if line.prelevati is None else line.prelevati
        ),
    ),
    Column("ricevuti", _("ricevuti dalla produzione"), attrgetter("dati")),
    Column.of(PezzoOrdine, "resi"),
    Column.of(PezzoOrdine, "quantita_rimanente"),
)


class RigaInline(OperazioneInline, admin.TabularInline):
    """Lines of an order that exists: they change by production and stock alone."""

    model = PezzoOrdine
    verbose_name_plural = _("Righe")
    ordering = ("pk",)
    fields = LINE_COLUMNS
    readonly_fields = LINE_COLUMNS

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_ordine") or may_change(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return PezzoOrdine.objects.with_given().select_related("pezzo").order_by("pk")


# --- Orders -------------------------------------------------------------------------------


def state_badge(order: Any) -> SafeString:
    """IN ATTESA is shown as "in lavorazione" once something was made, or is on its way.

    That is a way of showing it, and not a state: ``ha_produzione`` and ``in_arrivo`` are read
    with the page. The fictitious order waits for nothing, so it is only called that.
    """
    if order.fittizio:
        return badge("warning", _("Fittizio"))
    state = order.known_state
    if state is None:
        return badge("error", order.stato)
    if state == StatoOrdine.IN_ATTESA and (order.ha_produzione or order.in_arrivo):
        return badge("running", _("In lavorazione"))
    return badge(STATO_KIND[state], _(state.label))


def note_staged(orders: Collection[Any]) -> None:
    """Sets ``in_arrivo``: whether a record for the order waits in PostgreSQL for its transfer.

    The order's number is text there; one question for all ``orders`` that are waiting.
    """
    numbers = [order.pk for order in orders if order.known_state == StatoOrdine.IN_ATTESA]
    texts = [form for number in numbers for form in (f"{number}", f"{number}.0")]
    pending = RawOperazione.objects.filter(stato=StatoRecord.PENDING, id_ordine__in=texts)
    found = set(pending.order_by().values_list("id_ordine", flat=True))
    for order in orders:
        order.in_arrivo = not found.isdisjoint({f"{order.pk}", f"{order.pk}.0"})


def pieces_made(order: Any) -> int | None:
    """None for an order without lines."""
    if order.pezzi_totali is None:
        return None
    return int(order.pezzi_totali - order.pezzi_rimanenti)


STATO = Column("stato_badge", _("stato"), state_badge)
AVANZAMENTO = Column(
    "avanzamento",
    _("fatti / ordinati"),
    lambda order: (
        badge("warning", _("Senza righe"))
        if (made := pieces_made(order)) is None
        else progress(made, order.pezzi_totali)
    ),
    in_files=((_("fatti"), pieces_made), (_("ordinati"), attrgetter("pezzi_totali"))),
)
DATA_INIZIO = Column.of(Ordine, "data_inizio", plant_day, sort=True)
DATA_FINE = Column.of(Ordine, "data_fine", plant_day, sort=True)
CONFERMATO = Column.of(Ordine, "confermato_il", plant_time)


def may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("orders.change_ordine")


@admin.register(Ordine)
class OrdineAdmin(ExactSearchMixin, RunButtonMixin):
    list_display = ("id_ordine", "cliente", STATO, AVANZAMENTO, DATA_INIZIO, DATA_FINE)
    list_select_related = ("cliente",)
    list_filter = (
        "stato",
        filters.AttenzioneFilter,
        filters.DataInizioFilter,
        filters.DataFineFilter,
        filters.ClienteFilter,
        filters.GivenClienteFilter,
    )
    sortable_by = ("id_ordine",)
    search_help_text = _("Numero dell'ordine.")
    autocomplete_fields = ("cliente",)
    readonly_fields = (STATO, AVANZAMENTO, DATA_INIZIO, DATA_FINE, CONFERMATO)
    run_button = RunButton(
        "aggiorna",
        EsecuzioneEtl.Tipo.ORDINI,
        title=_("Aggiorna ordini ora"),
        queued=_("Aggiornamento degli ordini messo in coda: esecuzione {}."),
        active=_("Un aggiornamento degli ordini è già in corso: esecuzione {}."),
    )
    actions = None

    # --- What is shown ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ordine]:
        lines = PezzoOrdine.objects.filter(ordine=OuterRef("pk")).order_by().values("ordine")
        total, left = (
            Subquery(lines.annotate(n=Sum(name)).values("n"))
            for name in ("quantita_totale", "quantita_rimanente")
        )
        made = Exists(Operazione.objects.filter(ordine=OuterRef("pk")))
        orders = super().get_queryset(request)
        return orders.annotate(pezzi_totali=total, pezzi_rimanenti=left, ha_produzione=made)

    def note_rows(self, rows: list[Any]) -> None:
        note_staged(rows)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Ordine | None:
        order = super().get_object(request, object_id, from_field)
        note_staged([order] if order else [])
        return order

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        if obj is None:
            return ("cliente", "data_inizio")
        start = "data_inizio" if self.has_change_permission(request, obj) else DATA_INIZIO
        shown = (STATO, AVANZAMENTO, "cliente", start, DATA_FINE)
        return (*shown, CONFERMATO) if obj.confermato_il else shown

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[Any]]:
        return [RigaInline if obj else NuovaRigaInline]

    def panels(self, request: HttpRequest, row: Ordine) -> dict[str, Any]:
        closed = row.data_fine is not None or row.stato != StatoOrdine.IN_ATTESA
        levels = figures.burn_down(row)
        return {
            "acts": [
                (reverse(f"admin:orders_ordine_{act.name}", args=[row.pk]), act.title)
                for act in acts.ORDER_ACTS
                if act.fits(row) and may_change(request)
            ],
            "chart": charts.burn_down_chart(levels, timezone.now(), closed=closed),
            "tables": [
                newest_counted(_("Produzione contata per l'ordine"), ordine=row.pk),
                newest_booked(_("Movimenti di magazzino dell'ordine"), ordine=row.pk),
            ],
        }

    # --- What may be written ---

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        open_order = obj is None or acts.CANCEL.fits(obj)
        return super().has_change_permission(request, obj) and open_order

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **options)
        if "data_inizio" in form.base_fields:
            form.base_fields["data_inizio"].required = True  # it says which order comes first
            without_tools(form.base_fields["cliente"].widget, add=True)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"data_inizio": timezone.localdate(), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Ordine, form: Any, change: bool) -> None:
        obj.save(update_fields=form.changed_data if change else None)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for line in formset.save(commit=False):
            line.quantita_rimanente = line.quantita_totale
            line.save()
        formset.save_m2m()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            services.confirm_order(
                form.instance.pk,
                user=request.user.get_username(),
                now=timezone.now(),
                draws_stock=acts.stock_is_finished(),
            )

    def response_add(
        self, request: HttpRequest, obj: Ordine, post_url_continue: str | None = None
    ) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        messages.info(request, acts.what_was_drawn(obj))
        return response

    # --- Acts ---

    def get_urls(self) -> list[URLPattern]:
        own = [
            self.own_url(f"<int:pk>/{each.name}/", self.act, each.name, act=each)
            for each in acts.ORDER_ACTS
        ]
        return [*own, *super().get_urls()]

    def act(self, request: HttpRequest, pk: int, act: acts.OrderAct) -> HttpResponse:
        if not may_change(request):
            raise PermissionDenied
        order = get_object_or_404(Ordine, pk=pk)
        if not act.fits(order):
            sentence = gettext("Non si può: l'ordine %(order)s è nello stato «%(state)s».")
            state = gettext("Fittizio") if order.fittizio else order.get_stato_display()
            messages.error(request, sentence % {"order": pk, "state": state})
            return redirect("admin:orders_ordine_change", pk)

        def do(motivo: str) -> tuple[str, Any]:
            act.call(pk, reason=motivo, user=request.user.get_username())
            return act.recorded, act.done % {"order": pk}

        lines = PezzoOrdine.objects.filter(ordine=order).select_related("pezzo").order_by("pk")
        columns = (
            Column("pezzo", _("pezzo"), attrgetter("pezzo")),
            MADE_OF_LINE,
            Column("pezzi", act.returned, act.pieces),
        )
        return acts.ask_and_do(
            self,
            request,
            order,
            acts.ReasonForm(request.POST or None),
            do,
            title=act.title,
            explanation=act.explanation(),
            table=table(_("Righe"), columns, lines, empty=_("L'ordine non ha righe.")),
        )
