"""Where an operation comes from and what came of it: the panel "Provenienza" of the admin.

From the flow's run to the movements, and back from each page of the chain. What lies in the other
apps, and in the other database, is told by them: ``settings.PROVENIENZA`` names a function for
each part of the chain, which gets the operation's ``Subject`` and returns ``Step``s. A part whose
database is away says so, and a row that is no longer kept is told without a link.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from production.models import Operazione


class Subject(NamedTuple):
    """One operation as its pages know it: loaded, or by its identity at reception alone."""

    operazione: Operazione | None
    raw_uid: UUID | None


class Item(NamedTuple):
    """What is shown, and where it leads; ``url`` "" where there is no page."""

    text: Any
    url: str = ""


class Step(NamedTuple):
    """A link of the chain; without items, ``empty`` is said."""

    label: Any
    items: Sequence[Item] = ()
    empty: Any = ""


Part = Callable[[Subject], Iterable[Step]]


def of_operation(operazione: Operazione) -> list[Step]:
    return chain(Subject(operazione, operazione.raw_uid))


def chain(subject: Subject) -> list[Step]:
    """All parts of the chain, from the flow to the movements."""
    return [step for name in settings.PROVENIENZA for step in _steps(import_string(name), subject)]


def _steps(part: Part, subject: Subject) -> list[Step]:
    try:
        return list(part(subject))
    except DatabaseError:
        return [Step(_("Non disponibile"), empty=_("Il database di questa parte non risponde."))]


def own_steps(subject: Subject) -> list[Step]:
    """The operation, its anomalies and its order."""
    operazione = subject.operazione
    if operazione is None:
        return [Step(_("Operazione"), empty=_("Non ancora trasferita."))]
    anomalies = operazione.anomalie.count()
    found = reverse(
        "admin:production_anomaliaoperazione_changelist",
        query={"operazione": operazione.pk, "stato": "tutte"},
    )
    order = operazione.ordine_id
    return [
        Step(_("Operazione"), [link("production_operazione", operazione.pk)]),
        Step(_("Anomalie"), [Item(anomalies, found)] if anomalies else [], _("Nessuna.")),
        Step(_("Ordine"), [link("orders_ordine", order)] if order else [], _("Nessuno.")),
    ]


def link(page: str, pk: Any, text: Any = None) -> Item:
    """The page of a row: ``link("orders_ordine", 8)``."""
    return Item(pk if text is None else text, reverse(f"admin:{page}_change", args=[pk]))


class PanelsMixin:
    """A page that shows more of a row than its fields."""

    def panels(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """For the page's template."""
        raise NotImplementedError

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj:
            context |= self.panels(request, obj)
        render = super().render_change_form  # type: ignore[misc]
        return render(request, context, add, change, form_url, obj)


class ProvenanceMixin(PanelsMixin):
    """The panel on the page of a row (templates/admin/provenance.html)."""

    def provenance_of(self, row: Any) -> list[Step]:
        raise NotImplementedError

    def panels(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"provenance": self.provenance_of(row)}
