"""Customers and orders in MySQL; the web shop writes them too."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Cliente(models.Model):
    id_cliente = models.BigAutoField(_("cliente"), primary_key=True)
    nome = models.CharField(_("nome"), max_length=200)
    partita_iva = models.CharField(_("partita IVA"), max_length=30, blank=True, default="")

    class Meta:
        db_table = "cliente"
        ordering = ["nome"]
        verbose_name = _("cliente")
        verbose_name_plural = _("clienti")

    def __str__(self) -> str:
        return self.nome


class Ordine(models.Model):
    """A customer order; ``fittizio`` marks the one reserved order that nobody placed."""

    class Stato(models.TextChoices):
        IN_ATTESA = "IN ATTESA", _("In attesa")
        COMPLETATO = "COMPLETATO", _("Completato")
        ANNULLATO = "ANNULLATO", _("Annullato")

    id_ordine = models.BigAutoField(_("ordine"), primary_key=True)
    cliente = models.ForeignKey(
        Cliente,
        models.PROTECT,
        db_column="id_cliente",
        null=True,
        blank=True,
        verbose_name=_("cliente"),
    )
    data_inizio = models.DateField(_("data di inizio"), null=True, blank=True)
    data_fine = models.DateField(_("data di fine"), null=True, blank=True)
    totale_pezzi = models.PositiveIntegerField(_("pezzi in tutto"), null=True, blank=True)
    stato = models.CharField(
        _("stato"),
        max_length=20,
        choices=Stato,
        default=Stato.IN_ATTESA,
        db_default=Stato.IN_ATTESA,
    )
    fittizio = models.BooleanField(_("fittizio"), default=False, db_default=False)

    class Meta:
        db_table = "ordine"
        verbose_name = _("ordine")
        verbose_name_plural = _("ordini")

    def __str__(self) -> str:
        return f"{self.pk}"
