from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class EtlPortalConfig(AppConfig):
    """The composition: settings, urls, router, API plumbing, keys, audit, checks."""

    name = "etlportal"
    verbose_name = _("Chiavi e audit")

    def ready(self) -> None:
        from etlportal import checks  # noqa: F401 - registers them
        from etlportal.audit import receivers  # noqa: F401


class PortalAdminConfig(AdminConfig):
    """Django's admin with our site in place of the default one; apps register as usual."""

    default_site = "etlportal.admin_site.PortalAdminSite"
