"""Where an operation comes from and what came of it: the panel "Provenienza" of the admin.

From the flow's run to the movements, and back from each page of the chain. What lies in the other
apps, and in the other database, is told by them: ``settings.PROVENIENZA`` names a function for
each part of the chain, which gets the operation's ``Subject`` and returns ``Step``s. A part whose
database is away says so, and a row that is no longer kept is told without a link.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from etlportal.lists.columns import link, row_link
from etlportal.lists.panels import Step, step
from production.models import Operazione


class Subject(NamedTuple):
    """One operation as its pages know it: loaded, or by its identity at reception alone."""

    operazione: Operazione | None
    raw_uid: UUID | None


Part = Callable[[Subject], Iterable[Step]]


def of_operation(operazione: Operazione) -> list[Step]:
    return chain(Subject(operazione, operazione.raw_uid))


def chain(subject: Subject) -> list[Step]:
    """All parts of the chain, from the flow to the movements."""
    steps: list[Step] = []
    for name in settings.PROVENIENZA:
        part: Part = import_string(name)
        try:
            steps += part(subject)
        except DatabaseError:
            away = _("Il database di questa parte non risponde.")
            steps.append(step(_("Non disponibile"), empty=away))
    return steps


def own_steps(subject: Subject) -> list[Step]:
    """The operation, its anomalies and its order."""
    operazione = subject.operazione
    if operazione is None:
        return [step(_("Operazione"), empty=_("Non ancora trasferita."))]
    anomalies = operazione.anomalie.count()
    query = {"operazione": operazione.pk, "stato": "tutte"}
    found = link(reverse("admin:production_anomaliaoperazione_changelist", query=query), anomalies)
    order = operazione.ordine_id
    return [
        step(_("Operazione"), row_link("production_operazione", operazione.pk)),
        step(_("Anomalie"), found if anomalies else None, empty=_("Nessuna.")),
        step(_("Ordine"), order and row_link("orders_ordine", order), empty=_("Nessuno.")),
    ]
