from django.db import models
from django.utils.translation import gettext_lazy as _


class Registro(models.Model):
    """No table: the logs are files. It gives the admin a page and its permissions."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [
            ("view_logs", _("Può leggere i registri")),
            ("clear_logs", _("Può svuotare i registri")),
        ]
        verbose_name = _("registro")
        verbose_name_plural = _("registri")

    def __str__(self) -> str:
        return "registro"
