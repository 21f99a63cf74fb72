from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = _("Ricezione e trasferimento")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from ingestion import jobs  # noqa: F401 - registers them
        from ingestion.runs.timetable import create_after_migrate

        post_migrate.connect(create_after_migrate, sender=self)
