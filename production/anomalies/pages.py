"""What the acts on anomalies ask and say in the admin; what they do is ``work``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from etlportal.lists.acts import reason_field
from etlportal.lists.columns import EMPTY, Column, badge, plant_time
from etlportal.lists.filters import row_number
from etlportal.lists.panels import table
from production.anomalies.work import (
    ACCEPT,
    CLOSE,
    MOST_AT_ONCE,
    NOTE,
    REOPEN,
    TAKE,
    Act,
    Outcome,
    Refusal,
    Seen,
)
from production.models import MAX_NOTA, AnomaliaOperazione, StoriaAnomalia

Stato = AnomaliaOperazione.Stato
SEEN = "vista"  # "17:aperta", once for each anomaly chosen
LISTED = 50  # of those chosen, named on the page that asks for the note
TOLD = 10  # of those refused, named in the message

KIND = {
    Stato.APERTA: "error",
    Stato.PRESA_IN_CARICO: "running",
    Stato.ACCETTATA_IN_DEROGA: "warning",
    Stato.CHIUSA: "ok",
}


@dataclass(frozen=True)
class ActPage:
    """How an act is offered: on the list for many, on the page of one, and in its history."""

    act: Act
    title: Any
    many: Any
    explanation: Any
    recorded: Any

    @property
    def url_name(self) -> str:
        return f"production_anomaliaoperazione_{self.act.name}"


PAGES = (
    ActPage(
        TAKE,
        gettext_lazy("Prendi in carico"),
        gettext_lazy("Prendi in carico le anomalie scelte"),
        gettext_lazy("Dici agli altri che te ne occupi tu. Resta da gestire finché non è chiusa."),
        gettext_lazy("presa in carico"),
    ),
    ActPage(
        NOTE,
        gettext_lazy("Aggiungi una nota"),
        gettext_lazy("Aggiungi una nota alle anomalie scelte"),
        gettext_lazy("La nota resta nella storia dell'anomalia; lo stato non cambia."),
        gettext_lazy("nota"),
    ),
    ActPage(
        ACCEPT,
        gettext_lazy("Accetta in deroga"),
        gettext_lazy("Accetta in deroga le anomalie scelte"),
        gettext_lazy("Il pezzo si accetta così com'è, anche se fuori dai limiti: scrivi perché."),
        gettext_lazy("accettata in deroga"),
    ),
    ActPage(
        CLOSE,
        gettext_lazy("Chiudi"),
        gettext_lazy("Chiudi le anomalie scelte"),
        gettext_lazy("Non c'è altro da fare: scrivi che cosa è stato fatto."),
        gettext_lazy("chiusa"),
    ),
    ActPage(
        REOPEN,
        gettext_lazy("Riapri"),
        gettext_lazy("Riapri le anomalie scelte"),
        gettext_lazy("Torna aperta, e chiunque la può prendere in carico: scrivi perché."),
        gettext_lazy("riaperta"),
    ),
)
RECORDED = {page.act.name: page.recorded for page in PAGES}


class NoteForm(forms.Form):
    """The note, which some acts do without."""

    nota = reason_field(
        MAX_NOTA,
        gettext_lazy("Resta scritta nella storia con il tuo nome."),
        gettext_lazy("Nota"),
    )

    def __init__(self, *args: Any, needed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["nota"].required = needed


def read_seen(texts: Iterable[str]) -> list[Seen]:
    """What the page that asked for the note had shown; what is no such text is left out."""
    found = {}
    for text in texts:
        number, _colon, stato = text.partition(":")
        if (pk := row_number(number)) is not None:
            found[pk] = Seen(pk, stato)
    return list(found.values())


def written(seen: Sequence[Seen]) -> list[str]:
    return [f"{pk}:{stato}" for pk, stato in seen]


def state_label(stato: str | None) -> Any:
    return _(Stato(stato).label) if stato in list(Stato) else stato


def state_badge(stato: str) -> SafeString:
    """Other programs write the column too: a word of theirs is shown as it is."""
    kind = KIND[Stato(stato)] if stato in list(Stato) else "waiting"
    return badge(kind, state_label(stato))


# --- What is said after an act --------------------------------------------------------------


def tell(request: HttpRequest, page: ActPage, outcome: Outcome) -> None:
    if outcome.done:
        number = len(outcome.done)
        sentence = ngettext(
            "%(number)s anomalia: %(what)s.", "%(number)s anomalie: %(what)s.", number
        )
        messages.success(request, sentence % {"number": number, "what": page.recorded})
    if outcome.refused:
        told = "; ".join(map(refusal_words, outcome.refused[:TOLD]))
        more = len(outcome.refused) - TOLD
        rest = _(" e altre %(number)s") % {"number": more} if more > 0 else ""
        sentence = _("Lasciate come sono, perché nel frattempo sono cambiate: %(list)s%(rest)s.")
        messages.warning(request, sentence % {"list": told, "rest": rest})


def refusal_words(refusal: Refusal) -> str:
    if refusal.stato is None:
        return _("%(number)s (non c'è più)") % {"number": refusal.pk}
    values = {
        "number": refusal.pk,
        "state": state_label(refusal.stato),
        "who": refusal.gestita_da or EMPTY,
        "when": plant_time(refusal.gestita_il),
    }
    return _("%(number)s («%(state)s», %(who)s, %(when)s)") % values


def tell_too_many(request: HttpRequest) -> None:
    sentence = _("Troppe in una volta: al più %(number)s. Restringi l'elenco con i filtri.")
    messages.error(request, sentence % {"number": MOST_AT_ONCE})


# --- The history of one ---------------------------------------------------------------------


HISTORY = (
    Column.of(StoriaAnomalia, "quando", plant_time),
    Column.of(StoriaAnomalia, "chi"),
    Column("azione", gettext_lazy("Che cosa"), lambda row: RECORDED.get(row.azione, row.azione)),
    Column.of(StoriaAnomalia, "da_stato"),
    Column.of(StoriaAnomalia, "a_stato"),
    Column.of(StoriaAnomalia, "nota"),
)


def history(row: AnomaliaOperazione) -> dict[str, Any]:
    """The acts on one anomaly, newest first."""
    entries = StoriaAnomalia.objects.filter(anomalia_operazione=row).order_by("-pk")
    nobody = _("Nessuno se n'è ancora occupato.")
    return {**table(_("Storia"), HISTORY, entries, empty=nobody), "id": "storia"}
