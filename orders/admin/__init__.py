"""Orders and stock in the admin: what staff looks at, and the acts that staff may do.

Acts are calls of ``orders.services``, one each: making an order, cancelling or reopening it,
correcting a stock figure. Saving a page writes only the columns that were changed on it: the
orders job changes the others at the same time.
"""

from datetime import timedelta
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from etlportal.lists.columns import EMPTY, Column, badge, link, plant_day, plant_time
from etlportal.lists.drawing import Chart
from etlportal.lists.pages import EditableAdmin, FastListAdmin, NumberSearchMixin, ReadOnlyAdmin
from ingestion.admin.runs import may_start_runs, start_run
from ingestion.models import EsecuzioneEtl
from orders import figures, services
from orders.admin import charts, provenance
from orders.admin.acts import (
    CANCEL,
    MAX_QUANTITY,
    ORDER_ACTS,
    CountForm,
    OrderAct,
    ReasonForm,
    act_page,
    lines_table,
    stock_is_finished,
    what_was_drawn,
)
from orders.admin.columns import (
    PRODUCTION_COLUMNS,
    STOCK_COLUMNS,
    AttenzioneFilter,
    ClienteFilter,
    DataFineFilter,
    DataInizioFilter,
    GivenClienteFilter,
    GivenEsecuzioneFilter,
    GivenMagazzinoFilter,
    MovimentoFilter,
    OrdineFilter,
    ScortaPezzoFilter,
    SottoScortaFilter,
    note_staged,
    order_stock_table,
    production_table,
    progress,
    state_badge,
    stock_table,
)
from orders.models import (
    Cliente,
    Magazzino,
    MovimentoMagazzino,
    MovimentoProduzione,
    Ordine,
    PezzoOrdine,
)
from production.admin.filters import PezzoFilter
from production.admin.operations import OperazioneInline
from production.admin.provenance import PanelsMixin, ProvenanceMixin, Step, of_operation
from production.models import Operazione


class TablesMixin(PanelsMixin):
    """A page with tables below the form, and buttons for the acts that fit the row now."""

    def tables_of(self, row: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def chart_of(self, row: Any) -> Chart:
        raise NotImplementedError

    def acts_on(self, request: HttpRequest, row: Any) -> list[tuple[str, Any]]:
        """(address, title) of each."""
        raise NotImplementedError

    def panels(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "tables": self.tables_of(row),
            "acts": self.acts_on(request, row),
            "chart": self.chart_of(row),
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
        max_value=MAX_QUANTITY,
        widget=forms.NumberInput(attrs={"aria-label": _("Quantità")}),  # a table has no labels
    )

    class Meta:
        model = PezzoOrdine
        fields = ("pezzo", "quantita_totale")


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

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.add_ordine")


class RigaInline(OperazioneInline, admin.TabularInline):
    """Lines of an order that exists: they change by production and stock alone."""

    model = PezzoOrdine
    verbose_name_plural = _("Righe")
    ordering = ("pk",)
    fields = ("articolo", "avanzamento", "presi", "ricevuti", "resi", "quantita_rimanente")
    readonly_fields = ("articolo", "avanzamento", "presi", "ricevuti", "resi")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_ordine") or request.user.has_perm(
            "orders.change_ordine"
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        given = (
            MovimentoProduzione.objects.filter(ordine=OuterRef("ordine"), pezzo=OuterRef("pezzo"))
            .order_by()
            .values("ordine")
            .annotate(n=Sum("dati"))
            .values("n")
        )
        lines = super().get_queryset(request).select_related("pezzo")
        return lines.annotate(pezzi_dati=Coalesce(Subquery(given), 0))

    @admin.display(description=_("pezzo"))
    def articolo(self, line: PezzoOrdine) -> SafeString:
        url = reverse("admin:production_pezzo_change", args=[line.pezzo_id])
        return format_html('<a href="{}">{}</a>', url, line.pezzo)

    @admin.display(description=_("fatti / ordinati"))
    def avanzamento(self, line: PezzoOrdine) -> SafeString:
        return progress(line.quantita_totale - line.quantita_rimanente, line.quantita_totale)

    @admin.display(description=_("presi dal magazzino"))
    def presi(self, line: Any) -> int:
        """Where nothing was counted yet on another program's order, it is what is missing."""
        if line.prelevati is not None:
            return line.prelevati
        return line.quantita_totale - line.quantita_rimanente - line.pezzi_dati + line.resi

    @admin.display(description=_("ricevuti dalla produzione"))
    def ricevuti(self, line: Any) -> int:
        return line.pezzi_dati


# --- Orders -------------------------------------------------------------------------------


def _pieces_made(order: Any) -> int | None:
    """None for an order without lines."""
    if order.pezzi_totali is None:
        return None
    return int(order.pezzi_totali - order.pezzi_rimanenti)


def _progress(order: Any) -> SafeString:
    if order.pezzi_totali is None:
        return badge("warning", _("Senza righe"))
    return progress(order.pezzi_totali - order.pezzi_rimanenti, order.pezzi_totali)


STATO = Column("stato_badge", _("stato"), state_badge)
AVANZAMENTO = Column(
    "avanzamento",
    _("fatti / ordinati"),
    _progress,
    in_files=((_("fatti"), _pieces_made), (_("ordinati"), attrgetter("pezzi_totali"))),
)
DATA_INIZIO = Column.of(Ordine, "data_inizio", plant_day, sort=True)
DATA_FINE = Column.of(Ordine, "data_fine", plant_day, sort=True)
CONFERMATO = Column.of(Ordine, "confermato_il", plant_time)


@admin.register(Ordine)
class OrdineAdmin(NumberSearchMixin, TablesMixin, FastListAdmin):
    list_display = ("id_ordine", "cliente", STATO, AVANZAMENTO, DATA_INIZIO, DATA_FINE)
    list_select_related = ("cliente",)
    list_filter = (
        "stato",
        AttenzioneFilter,
        DataInizioFilter,
        DataFineFilter,
        ClienteFilter,
        GivenClienteFilter,
    )
    sortable_by = ("id_ordine",)
    search_help_text = _("Numero dell'ordine.")
    autocomplete_fields = ("cliente",)
    readonly_fields = (STATO, AVANZAMENTO, DATA_INIZIO, DATA_FINE, CONFERMATO)
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

    def tables_of(self, order: Ordine) -> list[dict[str, Any]]:
        return [production_table(order), order_stock_table(order)]

    def chart_of(self, order: Ordine) -> Chart:
        closed = order.data_fine or order.stato != Ordine.Stato.IN_ATTESA
        return charts.burn_down_chart(figures.burn_down(order), timezone.now(), closed=bool(closed))

    def acts_on(self, request: HttpRequest, order: Ordine) -> list[tuple[str, Any]]:
        return [
            (reverse(f"admin:orders_ordine_{act.name}", args=[order.pk]), act.title)
            for act in ORDER_ACTS
            if act.fits(order) and may_change(request)
        ]

    # --- What may be written ---

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        open_order = obj is None or CANCEL.fits(obj)
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
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            obj.save()

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
                draws_stock=stock_is_finished(),
            )

    def response_add(
        self, request: HttpRequest, obj: Ordine, post_url_continue: str | None = None
    ) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        messages.info(request, what_was_drawn(obj))
        return response

    # --- Acts ---

    def get_urls(self) -> list[URLPattern]:
        update = self.admin_site.admin_view(self.start_update)
        return [
            path("aggiorna/", update, name="orders_ordine_aggiorna"),
            *(self._act_url(act) for act in ORDER_ACTS),
            *super().get_urls(),
        ]

    def _act_url(self, act: OrderAct) -> URLPattern:
        view = self.admin_site.admin_view(self.act)
        return path(f"<int:pk>/{act.name}/", view, {"act": act}, name=f"orders_ordine_{act.name}")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_start_update": may_start_runs(request)}
        return super().changelist_view(request, context)

    @method_decorator(require_POST)
    def start_update(self, request: HttpRequest) -> HttpResponse:
        start_run(
            request,
            EsecuzioneEtl.Tipo.ORDINI,
            queued=gettext("Aggiornamento degli ordini messo in coda: esecuzione {}."),
            active=gettext("Un aggiornamento degli ordini è già in corso: esecuzione {}."),
        )
        return redirect("admin:orders_ordine_changelist")

    def act(self, request: HttpRequest, pk: int, act: OrderAct) -> HttpResponse:
        """Asks for the reason; with it, does the act and writes it in the order's history."""
        if not may_change(request):
            raise PermissionDenied
        order = get_object_or_404(Ordine, pk=pk)
        if not act.fits(order):
            sentence = gettext("Non si può: l'ordine %(order)s è nello stato «%(state)s».")
            state = gettext("Fittizio") if order.fittizio else order.get_stato_display()
            messages.error(request, sentence % {"order": pk, "state": state})
            return redirect("admin:orders_ordine_change", pk)
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            self._do(request, order, act, form.cleaned_data["motivo"])
            return redirect("admin:orders_ordine_change", pk)
        lines = PezzoOrdine.objects.filter(ordine=order).select_related("pezzo").order_by("pk")
        return act_page(
            self,
            request,
            order,
            title=act.title,
            explanation=act.explanation(),
            button=act.title,
            form=form,
            table=lines_table(lines, act),
        )

    def _do(self, request: HttpRequest, order: Ordine, act: OrderAct, reason: str) -> None:
        try:
            with transaction.atomic(using="production"):
                act.call(order.pk, reason, request.user.get_username())
                # Before MySQL commits: what cannot be written in the audit trail is not done.
                self.log_change(request, order, f"{act.recorded} Motivo: {reason}")
        except services.RefusedAct as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, act.done % {"order": order.pk})


def may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("orders.change_ordine")


# --- Stock --------------------------------------------------------------------------------


AGGIORNATO = Column.of(Magazzino, "data_ultimo_aggiornamento", plant_time, sort=True)
CHART_DAYS = 30


@admin.register(Magazzino)
class MagazzinoAdmin(TablesMixin, EditableAdmin):
    """Stock rows; the figure changes by movements alone."""

    list_display = (
        "articolo",
        "quantita_disponibile",
        "scorta_minima",
        "sotto_scorta",
        "ubicazione",
        AGGIORNATO,
    )
    list_select_related = ("pezzo", "tipo_acciaio")
    list_filter = (SottoScortaFilter,)
    search_fields = ("pezzo_id", "pezzo__nome", "tipo_acciaio_id", "ubicazione", "descrizione")
    search_help_text = _("Codice o nome del pezzo, tipo di acciaio, ubicazione.")
    autocomplete_fields = ("pezzo", "tipo_acciaio")
    readonly_fields = ("disponibile", AGGIORNATO)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("pezzo_id", "pk")

    @admin.display(description=_("articolo"), ordering="pezzo_id")
    def articolo(self, row: Magazzino) -> str:
        return str(row.pezzo or row.tipo_acciaio or row)

    @admin.display(description=_("livello"))
    def sotto_scorta(self, row: Magazzino) -> SafeString | str:
        if row.scorta_minima is None:
            return EMPTY
        if row.quantita_disponibile < row.scorta_minima:
            return badge("error", _("Sotto scorta"))
        return badge("ok", _("Sufficiente"))

    @admin.display(description=_("disponibile"))
    def disponibile(self, row: Magazzino) -> SafeString:
        return format_html("{} {}", row.quantita_disponibile, self.sotto_scorta(row))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        own = ("ubicazione", "descrizione", "capacita_totale", "scorta_minima")
        figure = ("disponibile", AGGIORNATO) if obj else ()
        return ("pezzo", "tipo_acciaio", *figure, *own)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return (*self.readonly_fields, *(("pezzo", "tipo_acciaio") if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Magazzino, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            obj.save()

    def tables_of(self, row: Magazzino) -> list[dict[str, Any]]:
        return [stock_table(row.pk)]

    def chart_of(self, row: Magazzino) -> Chart:
        now = timezone.now()
        levels = figures.stock_levels(row, now - timedelta(days=CHART_DAYS))
        return charts.stock_chart(levels, now, CHART_DAYS, row.scorta_minima)

    def acts_on(self, request: HttpRequest, row: Magazzino) -> list[tuple[str, Any]]:
        if not self.has_change_permission(request, row):
            return []
        url = reverse("admin:orders_magazzino_rettifica", args=[row.pk])
        return [(url, _("Rettifica giacenza"))]

    def get_urls(self) -> list[URLPattern]:
        correct = self.admin_site.admin_view(self.correct)
        name = "orders_magazzino_rettifica"
        return [path("<int:pk>/rettifica/", correct, name=name), *super().get_urls()]

    def correct(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks what was counted and why; then books the difference."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Magazzino.objects.select_related("pezzo", "tipo_acciaio"), pk=pk)
        form = CountForm(request.POST or None)
        if form.is_valid():
            self._correct(request, row, **form.cleaned_data)
            return redirect("admin:orders_magazzino_change", pk)
        explanation = _(
            "%(row)s: ora risultano disponibili %(figure)s. Scrivi quanti ne hai contati: la "
            "differenza diventa un movimento di magazzino."
        ) % {"row": self.articolo(row), "figure": row.quantita_disponibile}
        return act_page(
            self,
            request,
            row,
            title=_("Rettifica giacenza"),
            explanation=explanation,
            button=_("Registra la rettifica"),
            form=form,
        )

    def _correct(self, request: HttpRequest, row: Magazzino, contati: int, motivo: str) -> None:
        try:
            with transaction.atomic(using="production"):
                difference = services.correct_stock(
                    row.pk,
                    counted=contati,
                    reason=motivo,
                    user=request.user.get_username(),
                    now=timezone.now(),
                )
                before = contati - difference
                sentence = f"Giacenza rettificata da {before} a {contati}. Motivo: {motivo}"
                self.log_change(request, row, sentence)
        except services.RefusedAct as refusal:
            messages.error(request, str(refusal))
            return
        if not difference:
            sentence = gettext("La giacenza era già %(counted)s: nessun movimento.")
        else:
            sentence = gettext("Giacenza rettificata da %(before)s a %(counted)s.")
        messages.success(request, sentence % {"before": before, "counted": contati})


@admin.register(MovimentoProduzione)
class MovimentoProduzioneAdmin(ProvenanceMixin, ReadOnlyAdmin):
    list_display = PRODUCTION_COLUMNS
    list_filter = ("esito", MovimentoFilter, PezzoFilter, OrdineFilter, GivenEsecuzioneFilter)
    fields = PRODUCTION_COLUMNS
    readonly_fields = PRODUCTION_COLUMNS

    def provenance_of(self, row: MovimentoProduzione) -> list[Step]:
        return of_operation(row.operazione)


@admin.register(MovimentoMagazzino)
class MovimentoMagazzinoAdmin(ProvenanceMixin, ReadOnlyAdmin):
    list_display = STOCK_COLUMNS
    list_select_related = ("magazzino",)
    list_filter = (
        "causa",
        MovimentoFilter,
        ScortaPezzoFilter,
        OrdineFilter,
        GivenMagazzinoFilter,
    )
    fields = STOCK_COLUMNS
    readonly_fields = STOCK_COLUMNS

    def provenance_of(self, row: MovimentoMagazzino) -> list[Step]:
        return provenance.of_stock(row)


# --- Customers ----------------------------------------------------------------------------


def _orders_of(row: Cliente) -> SafeString:
    url = reverse("admin:orders_ordine_changelist", query={"id_cliente": row.pk})
    return link(url, gettext("Mostra gli ordini"))


ORDINI = Column("vai_ordini", _("ordini"), _orders_of, in_files=())


@admin.register(Cliente)
class ClienteAdmin(EditableAdmin):
    search_fields = ("nome", "partita_iva")
    list_display = ("nome", "partita_iva", ORDINI)
    readonly_fields = (ORDINI,)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return ("nome", "partita_iva", *((ORDINI,) if obj else ()))
