"""``{% saved_filters cl %}``: the links above a list, and the form that keeps its filter."""

from typing import Any

from django import template
from django.template.context import RequestContext

from etlportal.lists import saved_filters as service
from etlportal.models import FiltroSalvato

register = template.Library()


@register.inclusion_tag("admin/saved_filters.html", takes_context=True)
def saved_filters(context: RequestContext, cl: Any) -> dict[str, Any]:
    """Nothing in the small window in which a related row is chosen."""
    request: Any = context["request"]
    elenco = cl.opts.label_lower
    user, current = request.user, service.list_parameters(request.GET)
    kept = FiltroSalvato.objects.none() if cl.is_popup else FiltroSalvato.objects.of(user, elenco)
    saved = [
        {
            "row": row,
            "url": service.address(row.elenco, row.parametri),
            "selected": row.parametri == current,
            "by": "" if row.utente_id == user.pk else row.utente.get_username(),
            "may_delete": service.may_delete(user, row),
        }
        for row in kept
    ]
    return {
        "elenco": elenco,
        "saved": saved,
        "query": "" if cl.is_popup or not current else request.GET.urlencode(),
        "may_share": service.may_share(user),
    }
