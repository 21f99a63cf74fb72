from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class LogviewerConfig(AppConfig):
    name = "logviewer"
    verbose_name = _("Registri")

    def ready(self) -> None:
        from logviewer import queries

        queries.watch(settings.LOG_QUERY_LENTE_MS, settings.LOG_CARICO_RIGHE)
