"""The admin's frame: its titles, the order of its pages, who may see the queue, a server away."""

import logging
from collections.abc import Iterable
from functools import update_wrapper
from typing import Any

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from etlportal import guide
from etlportal.api.handlers import RETRY_AFTER_SECONDS
from etlportal.lists import saved_filters
from etlportal.lists.columns import EMPTY
from etlportal.today import page
from ingestion.runs.failures import Failure, classify

logger = logging.getLogger("etl")

# As the staff's work goes, not by alphabet; what is not named here comes between orders and queue.
APP_ORDER = ("ingestion", "production", "orders", "", "etlportal", "django_q", "auth")
MODEL_ORDER = {
    "ingestion": ("RawOperazione", "EsecuzioneEtl", "LottoRicevuto"),
    "production": (
        *("Operazione", "AnomaliaOperazione", "Pezzo", "Macchinario", "Operatore", "Acciaio"),
        *("TipoFermo", "Anomalia"),
    ),
    "orders": ("Ordine", "Magazzino", "MovimentoProduzione", "MovimentoMagazzino", "Cliente"),
    "django_q": ("Schedule", "OrmQ", "Success", "Failure"),
}


class SuperusersOnly:
    """The queue's rows name code to run and hold pickles: to write one is to run code."""

    def has_module_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    has_view_permission = has_module_permission
    has_change_permission = has_module_permission
    has_delete_permission = has_module_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Of most of these tables django-q2 says that nobody adds a row.
        return self.has_module_permission(request) and super().has_add_permission(request)  # type: ignore[misc]


class PortalAdminSite(admin.AdminSite):
    site_title = _("Portale ETL")
    site_header = _("Portale ETL · forgia e CNC")
    index_title = _("Stabilimento")
    site_url = None  # the admin is the site
    empty_value_display = EMPTY

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[admin.ModelAdmin] | None = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        for model in models:
            if model._meta.app_label == "django_q":
                base = admin_class or admin.ModelAdmin
                admin_class = type(base.__name__, (SuperusersOnly, base), {})
            super().register(model, admin_class, **options)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page, with a sentence of its own for when a database server is away."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return inner(request, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if classify(error) is not Failure.PASSING:
                    raise
                logger.warning("admin: database unreachable: %s", type(error).__name__)
                return database_away()

        return update_wrapper(guarded, inner)

    def get_urls(self) -> list[Any]:
        return [*guide.urls(self), *saved_filters.urls(self), *super().get_urls()]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The start page, "Oggi"."""
        return super().index(request, {**page.context(request, self), **(extra_context or {})})

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            names = MODEL_ORDER.get(app["app_label"], ())
            app["models"].sort(key=lambda model, names=names: _place(model["object_name"], names))
        return sorted(apps, key=lambda app: _place(app["app_label"], APP_ORDER))


def _place(name: str, names: tuple[str, ...]) -> int:
    """One that is not named comes where "" does, or last."""
    if name in names:
        return names.index(name)
    return names.index("") if "" in names else len(names)


def database_away() -> HttpResponse:
    """503; the page asks no database, as it might be the one that is away."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
