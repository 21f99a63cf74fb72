"""What the acts of staff on orders and stock ask, say and call (``orders.services``)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from etlportal.lists.acts import ask, reason_field
from orders import services
from orders.models import MovimentoMagazzino, Ordine, PezzoOrdine
from production.vocabulary import StatoOrdine

MAX_QUANTITY = 1_000_000  # of a line or a count: more is a code read into the wrong box
MAX_REASON = MovimentoMagazzino._meta.get_field("motivo").max_length


def stock_is_finished() -> bool:
    """Whether the stock holds finished pieces, which orders draw and get back; not blanks."""
    return settings.MAGAZZINO_CONTENUTO == "finiti"


# --- A page that says what will happen and asks for the reason -----------------------------


class ReasonForm(forms.Form):
    motivo = reason_field(MAX_REASON, _("Resta scritto nella cronologia con il tuo nome."))


class CountForm(ReasonForm):
    contati = forms.IntegerField(
        label=_("Quantità contata"), min_value=0, max_value=MAX_QUANTITY * 1000
    )
    field_order = ("contati", "motivo")


def ask_and_do(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    row: Model,
    form: ReasonForm,
    do: Callable[..., tuple[str, Any]],
    **page: Any,
) -> HttpResponse:
    """Asks on a page of its own; with the answer, does the act and goes back to the row.

    ``do`` gets the form's answers and returns what is recorded and what is told; it may raise
    ``services.RefusedAct``. ``page``: see ``ask``.
    """
    if not form.is_valid():
        return ask(model_admin, request, form, row=row, **page)
    try:
        with transaction.atomic(using=services.ALIAS):
            recorded, told = do(**form.cleaned_data)
            # Before MySQL commits: what cannot be written in the audit trail is not done.
            sentence = f"{recorded} Motivo: {form.cleaned_data['motivo']}"
            model_admin.log_change(request, row, sentence)
    except services.RefusedAct as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, told)
    return redirect(f"admin:orders_{model_admin.opts.model_name}_change", row.pk)


# --- The acts on an order ------------------------------------------------------------------


@dataclass(frozen=True)
class OrderAct:
    """``call(order number, reason=…, user=…)`` does it; raises ``services.RefusedAct``."""

    name: str
    from_state: StatoOrdine
    title: Any
    done: Any
    recorded: str  # in Italian, as all stored sentences
    explanation: Callable[[], Any]
    returned: Any
    pieces: Callable[[PezzoOrdine], int]
    call: Callable[..., None]

    def fits(self, order: Ordine) -> bool:
        return order.known_state == self.from_state and not order.fittizio


def what_cancelling_does() -> Any:
    if stock_is_finished():
        return _(
            "I pezzi che l'ordine ha già preso o ricevuto tornano in magazzino. Anche quelli "
            "prodotti da ora in poi per questo ordine andranno in magazzino."
        )
    return _(
        "L'ordine non chiede più pezzi. I pezzi già fatti restano suoi: il magazzino contiene "
        "grezzi."
    )


CANCEL = OrderAct(
    name="annulla",
    from_state=StatoOrdine.IN_ATTESA,
    title=_("Annulla ordine"),
    done=_("Ordine %(order)s annullato."),
    recorded="Ordine annullato.",
    explanation=what_cancelling_does,
    returned=_("tornano in magazzino"),
    pieces=lambda line: line.fatti if stock_is_finished() else 0,
    call=lambda order, **by: services.cancel_order(
        order, now=timezone.now(), returns_stock=stock_is_finished(), **by
    ),
)
REOPEN = OrderAct(
    name="riapri",
    from_state=StatoOrdine.ANNULLATO,
    title=_("Riapri ordine"),
    done=_("Ordine %(order)s riaperto: è di nuovo in attesa."),
    recorded="Ordine riaperto.",
    explanation=lambda: _(
        "L'ordine torna in attesa. Riprende dal magazzino i pezzi che aveva reso, se ci sono "
        "ancora; gli altri sono da produrre di nuovo."
    ),
    returned=_("da riprendere dal magazzino"),
    pieces=lambda line: line.to_take_back,
    call=lambda order, **by: services.reopen_order(order, now=timezone.now(), **by),
)
ORDER_ACTS = (CANCEL, REOPEN)
# --- Making an order -----------------------------------------------------------------------


def what_was_drawn(order: Ordine) -> str:
    """What the confirmation took from stock for each line, as a sentence for staff."""
    lines = list(PezzoOrdine.objects.filter(ordine=order).order_by("pk"))
    left = sum(line.quantita_rimanente for line in lines)
    drawn = "; ".join(
        gettext("%(piece)s: %(drawn)s di %(total)s")
        % {"piece": line.pezzo_id, "drawn": line.prelevati, "total": line.quantita_totale}
        for line in lines
    )
    if not any(line.prelevati for line in lines):
        sentence = ngettext(
            "Niente dal magazzino: resta da produrre %(left)s pezzo.",
            "Niente dal magazzino: restano da produrre %(left)s pezzi.",
            left,
        )
    elif left:
        sentence = ngettext(
            "Presi dal magazzino: %(drawn)s. Resta da produrre %(left)s pezzo.",
            "Presi dal magazzino: %(drawn)s. Restano da produrre %(left)s pezzi.",
            left,
        )
    else:
        sentence = gettext(
            "Presi dal magazzino: %(drawn)s. Non resta nulla da produrre: l'ordine sarà "
            "completato dal prossimo aggiornamento degli ordini."
        )
    return sentence % {"drawn": drawn, "left": left}
