"""What the acts of staff on orders and stock ask, say and call (``orders.services``)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.columns import Column
from orders import services
from orders.admin.columns import progress, state_of, table
from orders.models import MovimentoMagazzino, Ordine, PezzoOrdine
from production.vocabulary import StatoOrdine

MAX_QUANTITY = 1_000_000  # of a line or a count: more is a code read into the wrong box
MAX_REASON = MovimentoMagazzino._meta.get_field("motivo").max_length


def stock_is_finished() -> bool:
    """Whether the stock holds finished pieces, which orders draw and get back; not blanks."""
    return settings.MAGAZZINO_CONTENUTO == "finiti"


# --- Acts: a page that says what will happen and asks for the reason -----------------------


class ReasonForm(forms.Form):
    motivo = forms.CharField(
        label=_("Motivo"),
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "maxlength": MAX_REASON}),
        help_text=_("Resta scritto nella cronologia con il tuo nome."),
    )


class CountForm(ReasonForm):
    contati = forms.IntegerField(
        label=_("Quantità contata"), min_value=0, max_value=MAX_QUANTITY * 1000
    )
    field_order = ("contati", "motivo")


def act_page(
    model_admin: admin.ModelAdmin, request: HttpRequest, row: Model, **context: Any
) -> TemplateResponse:
    """``context``: title, explanation, button, form, and table if there is one."""
    shared = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, "row": row}
    return TemplateResponse(request, "admin/orders/act.html", {**shared, **context})


@dataclass(frozen=True)
class OrderAct:
    """``call(order number, reason, user)`` does it; raises ``services.RefusedAct``."""

    name: str
    from_state: StatoOrdine
    title: Any
    done: Any
    recorded: str  # in Italian, as all stored sentences
    explanation: Callable[[], Any]
    returned: Any
    pieces: Callable[[PezzoOrdine], int]
    call: Callable[[int, str, str], None]

    def fits(self, order: Ordine) -> bool:
        return state_of(order) == self.from_state and not order.fittizio


def _cancel(order_id: int, reason: str, user: str) -> None:
    services.cancel_order(
        order_id,
        reason=reason,
        user=user,
        now=timezone.now(),
        returns_stock=stock_is_finished(),
    )


def _reopen(order_id: int, reason: str, user: str) -> None:
    services.reopen_order(order_id, reason=reason, user=user, now=timezone.now())


def _what_cancelling_does() -> Any:
    if stock_is_finished():
        return _(
            "I pezzi che l'ordine ha già preso o ricevuto tornano in magazzino. Anche quelli "
            "prodotti da ora in poi per questo ordine andranno in magazzino."
        )
    return _(
        "L'ordine non chiede più pezzi. I pezzi già fatti restano suoi: il magazzino contiene "
        "grezzi."
    )


def _what_reopening_does() -> Any:
    return _(
        "L'ordine torna in attesa. Riprende dal magazzino i pezzi che aveva reso, se ci sono "
        "ancora; gli altri sono da produrre di nuovo."
    )


CANCEL = OrderAct(
    name="annulla",
    from_state=Ordine.Stato.IN_ATTESA,
    title=_("Annulla ordine"),
    done=_("Ordine %(order)s annullato."),
    recorded="Ordine annullato.",
    explanation=_what_cancelling_does,
    returned=_("tornano in magazzino"),
    pieces=lambda line: (
        line.quantita_totale - line.quantita_rimanente if stock_is_finished() else 0
    ),
    call=_cancel,
)
REOPEN = OrderAct(
    name="riapri",
    from_state=Ordine.Stato.ANNULLATO,
    title=_("Riapri ordine"),
    done=_("Ordine %(order)s riaperto: è di nuovo in attesa."),
    recorded="Ordine riaperto.",
    explanation=_what_reopening_does,
    returned=_("da riprendere dal magazzino"),
    pieces=lambda line: line.to_take_back,
    call=_reopen,
)
ORDER_ACTS = (CANCEL, REOPEN)


def lines_table(lines: QuerySet[PezzoOrdine], act: OrderAct) -> dict[str, Any]:
    def made(line: PezzoOrdine) -> SafeString:
        return progress(line.quantita_totale - line.quantita_rimanente, line.quantita_totale)

    columns = (
        Column("pezzo", _("pezzo"), lambda line: str(line.pezzo)),
        Column("fatti", _("fatti / ordinati"), made),
        Column("pezzi", act.returned, act.pieces),
    )
    return table(_("Righe"), columns, lines, empty=_("L'ordine non ha righe."))


# --- Making an order -----------------------------------------------------------------------


def what_was_drawn(order: Ordine) -> str:
    """What the confirmation took from stock for each line, as a sentence for staff."""
    lines = list(PezzoOrdine.objects.filter(ordine=order).order_by("pk"))
    left = sum(line.quantita_rimanente for line in lines)
    if not any(line.prelevati for line in lines):
        sentence = ngettext(
            "Niente dal magazzino: resta da produrre %(left)s pezzo.",
            "Niente dal magazzino: restano da produrre %(left)s pezzi.",
            left,
        )
        return sentence % {"left": left}
    drawn = "; ".join(
        gettext("%(piece)s: %(drawn)s di %(total)s")
        % {"piece": line.pezzo_id, "drawn": line.prelevati, "total": line.quantita_totale}
        for line in lines
    )
    if not left:
        sentence = gettext(
            "Presi dal magazzino: %(drawn)s. Non resta nulla da produrre: l'ordine sarà "
            "completato dal prossimo aggiornamento degli ordini."
        )
        return sentence % {"drawn": drawn}
    sentence = ngettext(
        "Presi dal magazzino: %(drawn)s. Resta da produrre %(left)s pezzo.",
        "Presi dal magazzino: %(drawn)s. Restano da produrre %(left)s pezzi.",
        left,
    )
    return sentence % {"drawn": drawn, "left": left}
