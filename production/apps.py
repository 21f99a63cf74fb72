from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProductionConfig(AppConfig):
    name = "production"
    verbose_name = _("Produzione")
    default_auto_field = "django.db.models.BigAutoField"
