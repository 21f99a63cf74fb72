"""Acts that ask before they are done: what will happen, to which rows, and why."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _


def reason_field(longest: int | None, kept: Any, label: Any = None) -> forms.CharField:
    """Why an act is done. ``kept`` says where that stays written."""
    return forms.CharField(
        label=label or _("Motivo"),
        max_length=longest,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "maxlength": longest}),
        help_text=kept,
    )


def ask(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    form: forms.Form,
    *,
    title: Any,
    explanation: Any,
    back: str = "",
    template: str = "admin/act.html",
    **others: Any,
) -> TemplateResponse:
    """The page that asks before an act is done; ``back`` is where who thinks again is led.

    ``others``: ``row``, the only one that the act is about, to whose page it leads back; if there
    are more, ``subject``, which the title names; ``chosen``, lines that say which, and ``rest``,
    how many others; a ``table``; ``address``, if the form is not posted to the page's own;
    ``hidden``, (name, value) of what is posted with it; ``button``, if it does not say the title.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "explanation": explanation,
        "form": form,
        "back": back,
    }
    return TemplateResponse(request, template, context | others)
