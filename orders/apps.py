from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = _("Ordini")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orders import invariants, jobs  # noqa: F401 - adds them to those of verifica, registers them
