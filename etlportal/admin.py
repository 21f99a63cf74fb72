"""Keys, users and the audit trail: the pages of whoever administers the portal."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from etlportal.api import keys
from etlportal.audit.record import user_of
from etlportal.lists.columns import Column, badge, plant_time
from etlportal.lists.filters import DateRangeFilter
from etlportal.lists.pages import FastListAdmin, ReadOnlyAdmin
from etlportal.models import ChiaveApi, Permesso, VoceAudit
from etlportal.roles import ROLES


class ChiaveApiForm(forms.ModelForm):
    permessi = forms.MultipleChoiceField(
        label=_("Permessi"), choices=Permesso, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ChiaveApi
        fields = ("nome", "permessi", "scade_il")

    def clean_nome(self) -> str:
        name: str = self.cleaned_data["nome"]
        if name == keys.FIRST_KEY:
            raise forms.ValidationError(_("È il nome della chiave che sta nell'ambiente."))
        return name

    def clean_scade_il(self) -> Any:
        expiry = self.cleaned_data["scade_il"]
        if expiry and expiry <= timezone.now():
            raise forms.ValidationError(_("È già passata: scegli un momento futuro."))
        return expiry


@admin.register(ChiaveApi)
class ChiaveApiAdmin(FastListAdmin):
    """Made and revoked, never edited: who holds a key must know what it opens."""

    form = ChiaveApiForm
    list_display = (
        "nome",
        "identificativo",
        "scopes",
        "state",
        Column.of(ChiaveApi, "creata_il", plant_time),
        "creata_da",
        Column.of(ChiaveApi, "scade_il", plant_time),
        Column.of(ChiaveApi, "ultimo_uso", plant_time),
    )
    fields = ("nome", "permessi", "scade_il")
    actions = ("revoke",)

    @admin.display(description=_("permessi"))
    def scopes(self, row: ChiaveApi) -> str:
        return ", ".join(row.permessi)

    @admin.display(description=_("stato"))
    def state(self, row: ChiaveApi) -> SafeString:
        if row.revocata_il:
            return badge("error", _("Revocata"))
        alive = row.is_alive(timezone.now())
        return badge("ok", _("Valida")) if alive else badge("waiting", _("Scaduta"))

    def has_change_permission(self, request: HttpRequest, obj: ChiaveApi | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ChiaveApi | None = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def log_addition(self, request: HttpRequest, obj: ChiaveApi, message: Any) -> Any:
        """Nothing: the making of a key writes its own entry in the audit trail."""
        return None

    def save_model(
        self, request: HttpRequest, obj: ChiaveApi, form: ChiaveApiForm, change: bool
    ) -> None:
        data = form.cleaned_data
        new = keys.create(data["nome"], data["permessi"], data["scade_il"], user_of(request))
        obj.pk = new.row.pk
        obj.key_text = new.text  # type: ignore[attr-defined]  # for the page below, never stored

    def response_add(
        self, request: HttpRequest, obj: ChiaveApi, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The key's text, shown here and never again: so no redirect."""
        context = self.admin_site.each_context(request)
        context |= {"title": _("Chiave creata"), "opts": self.opts, "key": obj}
        return TemplateResponse(request, "admin/etlportal/chiaveapi/created.html", context)

    @admin.action(description=_("Revoca le chiavi scelte"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ChiaveApi]) -> None:
        revoked = keys.revoke(queryset, timezone.now(), user_of(request))
        sentence = ngettext(
            "%(number)s chiave revocata: da ora non apre più nulla.",
            "%(number)s chiavi revocate: da ora non aprono più nulla.",
            len(revoked),
        )
        self.message_user(request, sentence % {"number": len(revoked)})


class DayFilter(DateRangeFilter):
    title = _("quando")
    field = "quando"


OUTCOME_KIND = {
    VoceAudit.Esito.TENTATO: "warning",  # nobody knows how it ended: somebody should look
    VoceAudit.Esito.RIUSCITO: "ok",
    VoceAudit.Esito.FALLITO: "error",
}


@admin.register(VoceAudit)
class VoceAuditAdmin(ReadOnlyAdmin):
    list_display = (
        Column.of(VoceAudit, "quando", plant_time),
        Column.of(VoceAudit, "attore"),
        "chi",
        "azione",
        "oggetto",
        "esito_badge",
        "dettagli",
        "request_id",
    )
    list_filter = (DayFilter, "esito")
    search_fields = ("chi", "azione", "oggetto", "request_id")

    @admin.display(description=_("esito"))
    def esito_badge(self, row: VoceAudit) -> SafeString:
        return badge(OUTCOME_KIND[VoceAudit.Esito(row.esito)], row.get_esito_display())


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PortalUserAdmin(UserAdmin):
    """Who is no superuser cannot make one, nor touch one, nor give rights beyond the roles."""

    list_filter = ("is_active", "groups")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:
            return fields
        return (*fields, "is_superuser", "user_permissions")

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "groups" and not request.user.is_superuser:
            kwargs["queryset"] = Group.objects.filter(name__in=ROLES)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No deletion of many: a superuser might be among them."""
        return {}


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return request.user.is_superuser or user is None or not user.is_superuser


@admin.register(Group)
class PortalGroupAdmin(GroupAdmin):
    """What a group may do is decided by superusers alone, one group at a time (for the audit)."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser
