from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class PortalAdminSite(admin.AdminSite):
    site_title = _("Portale ETL")
    site_header = _("Portale ETL · forgia e CNC")
    index_title = _("Stabilimento")
    empty_value_display = "—"
