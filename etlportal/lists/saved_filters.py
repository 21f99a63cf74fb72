"""Saved filters: the filter of a list, kept by a user under a name, found as a link above it.

What is kept are the parameters of the list's address and never an address: the link is made from
the list's own, and the list judges the parameters as it judges typed ones.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from etlportal.models import FiltroSalvato

SHARE_PERMISSION = "etlportal.condividi_filtro"
LONGEST_QUERY = 2_000  # characters
MOST_FILTERS = 50  # of one user for one list
PASSING = {PAGE_VAR, ERROR_FLAG, IS_POPUP_VAR, TO_FIELD_VAR}  # no part of a filter

Params = dict[str, list[str]]


def list_parameters(query: QueryDict) -> Params:
    """What of a list's parameters makes its filter, its search and its order."""
    return {
        name: values
        for name, values in query.lists()
        if name not in PASSING and any(values) and "\x00" not in "".join([name, *values])
    }


def address(elenco: str, parametri: Params) -> str:
    """The list with these parameters, in an order of ours: databases keep none in JSON."""
    name = f"admin:{elenco.replace('.', '_')}_changelist"
    return reverse(name, query=dict(sorted(parametri.items()))) if parametri else reverse(name)


def may_share(user: Any) -> bool:
    return user.has_perm(SHARE_PERMISSION)


def may_delete(user: Any, saved: FiltroSalvato) -> bool:
    return saved.utente_id == user.pk or (saved.condiviso and may_share(user))


def lists() -> dict[str, admin.ModelAdmin]:
    return {model._meta.label_lower: shown for model, shown in admin.site._registry.items()}


class SaveForm(forms.Form):
    elenco = forms.CharField(max_length=100)
    parametri = forms.CharField(max_length=LONGEST_QUERY, required=False)
    nome = forms.CharField(label=_("Nome"), max_length=60)
    condiviso = forms.BooleanField(label=_("Condividi con tutti"), required=False)

    def clean_elenco(self) -> str:
        if self.cleaned_data["elenco"] not in lists():
            raise forms.ValidationError(_("Elenco sconosciuto."))
        return str(self.cleaned_data["elenco"])

    def clean_parametri(self) -> Params:
        return list_parameters(QueryDict(self.cleaned_data["parametri"].removeprefix("?")))


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keeps the filter, in place of the user's own of the same name, and shows its list."""
    form = SaveForm(request.POST)
    valid = form.is_valid()
    if "elenco" not in form.cleaned_data:
        return HttpResponse(status=400)
    elenco = form.cleaned_data["elenco"]
    if not lists()[elenco].has_view_or_change_permission(request):
        raise PermissionDenied
    if not valid or not form.cleaned_data["parametri"]:
        messages.error(request, gettext("Non salvato: servono un nome e un elenco filtrato."))
        return redirect(address(elenco, form.cleaned_data.get("parametri", {})))
    _store(request, **form.cleaned_data)
    return redirect(address(elenco, form.cleaned_data["parametri"]))


def _store(
    request: HttpRequest, elenco: str, nome: str, parametri: Params, condiviso: bool
) -> None:
    own = FiltroSalvato.objects.filter(utente_id=request.user.pk, elenco=elenco)
    if own.exclude(nome=nome).count() >= MOST_FILTERS:
        sentence = gettext("Non salvato: hai già %(number)s filtri su questo elenco.")
        messages.error(request, sentence % {"number": MOST_FILTERS})
        return
    values = {"parametri": parametri, "condiviso": condiviso and may_share(request.user)}
    own.update_or_create(utente_id=request.user.pk, elenco=elenco, nome=nome, defaults=values)
    messages.success(request, gettext("Filtro «%(name)s» salvato.") % {"name": nome})


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a filter; to who may not see it, it does not exist."""
    seen = FiltroSalvato.objects.filter(Q(utente_id=request.user.pk) | Q(condiviso=True))
    saved = get_object_or_404(seen, pk=pk)
    if not may_delete(request.user, saved):
        raise PermissionDenied
    saved.delete()
    messages.success(request, gettext("Filtro «%(name)s» eliminato.") % {"name": saved.nome})
    return redirect(address(saved.elenco, {}))


def urls(site: admin.AdminSite) -> list[URLPattern]:
    return [
        path("filtri/salva/", site.admin_view(save), name="filtro_salva"),
        path("filtri/<int:pk>/elimina/", site.admin_view(delete), name="filtro_elimina"),
    ]
