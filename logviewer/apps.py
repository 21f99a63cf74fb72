from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LogviewerConfig(AppConfig):
    name = "logviewer"
    verbose_name = _("Registri")
