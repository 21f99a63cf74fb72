"""API keys, the audit trail and saved filters, in PostgreSQL (alias ``default``)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Permesso(models.TextChoices):
    """What a key may do; each endpoint names the one it asks for, or the several that open it."""

    FLUSSO = "flusso", _("Flusso: invia i record, avvia i trasferimenti, chiede che cosa produrre")
    LETTURA = "lettura", _("Lettura: stato, esecuzioni, registri, anomalie")
    MANUTENZIONE = "manutenzione", _("Manutenzione: svuota i registri")


class ChiaveApiQuerySet(models.QuerySet["ChiaveApi"]):
    def alive(self, now: datetime) -> "ChiaveApiQuerySet":
        """Keys that open something at this moment: not revoked, not expired."""
        return self.filter(Q(scade_il=None) | Q(scade_il__gt=now), revocata_il=None)


class ChiaveApi(models.Model):
    """A named key (docs/contratto.md, "Chiavi"). Only its identifier and a keyed hash are kept.

    ``impronta``: HMAC-SHA256 of the secret part, in hexadecimal. ``scade_il`` None: never.
    """

    identificativo = models.CharField(
        _("identificativo"), max_length=16, unique=True, editable=False
    )
    nome = models.CharField(_("nome"), max_length=100, unique=True)
    impronta = models.CharField(max_length=64, editable=False)
    permessi = models.JSONField(_("permessi"), default=list)
    creata_il = models.DateTimeField(_("creata il"), db_default=Now(), editable=False)
    creata_da = models.CharField(_("creata da"), max_length=150, editable=False)
    scade_il = models.DateTimeField(_("scade il"), null=True, blank=True)
    revocata_il = models.DateTimeField(_("revocata il"), null=True, editable=False)
    ultimo_uso = models.DateTimeField(_("ultimo uso"), null=True, editable=False)

    objects = ChiaveApiQuerySet.as_manager()

    class Meta:
        db_table = "chiave_api"
        verbose_name = _("chiave API")
        verbose_name_plural = _("chiavi API")

    def __str__(self) -> str:
        return self.nome

    def is_alive(self, now: datetime) -> bool:
        expired = self.scade_il is not None and self.scade_il <= now
        return self.revocata_il is None and not expired


class ConsumoChiave(models.Model):
    """How many requests a key made in the last minute in which it made one; a row a key."""

    chiave = models.CharField(max_length=100, primary_key=True)
    minuto = models.DateTimeField()
    richieste = models.PositiveIntegerField()

    class Meta:
        db_table = "consumo_chiave"

    def __str__(self) -> str:
        return self.chiave


class VoceAudit(models.Model):
    """Who did what, and when; written by ``etlportal.audit``, not removable over HTTP.

    ``attore`` "": a row from before there was this column. ``esito`` TENTATO: of an act in MySQL
    nobody came back to say how it ended.
    """

    class Attore(models.TextChoices):
        UTENTE = "utente", _("Utente")
        CHIAVE = "chiave", _("Chiave API")
        COMANDO = "comando", _("Comando")

    class Esito(models.TextChoices):
        TENTATO = "tentato", _("Tentato")
        RIUSCITO = "riuscito", _("Riuscito")
        FALLITO = "fallito", _("Fallito")

    quando = models.DateTimeField(_("quando"), db_default=Now())
    attore = models.CharField(_("attore"), max_length=10, choices=Attore, blank=True, db_default="")
    chi = models.CharField(_("chi"), max_length=150)
    azione = models.CharField(_("azione"), max_length=100)
    oggetto = models.CharField(_("oggetto"), max_length=255, blank=True)
    dettagli = models.JSONField(_("dettagli"), default=dict)
    esito = models.CharField(
        _("esito"), max_length=10, choices=Esito, db_default=Esito.RIUSCITO.value
    )
    request_id = models.CharField(_("richiesta"), max_length=100, blank=True)

    class Meta:
        db_table = "audit"
        verbose_name = _("voce di audit")
        verbose_name_plural = _("voci di audit")
        indexes = [
            models.Index(fields=["-quando"], name="audit_quando"),
            models.Index(fields=["azione", "-quando"], name="audit_azione"),
            # Few of very many; they are looked for by their outcome.
            models.Index(fields=["-quando"], name="audit_tentati", condition=Q(esito="tentato")),
        ]

    def __str__(self) -> str:
        return f"{self.azione} {self.oggetto}".strip()


class FiltroSalvatoQuerySet(models.QuerySet["FiltroSalvato"]):
    def of(self, user: Any, elenco: str) -> "FiltroSalvatoQuerySet":
        """What a user finds above a list: their own, and those that others share."""
        mine = Q(utente=user) | Q(condiviso=True)
        return self.filter(mine, elenco=elenco).select_related("utente").order_by("nome", "pk")


class FiltroSalvato(models.Model):
    """A filter of a list of the admin, kept under a name.

    ``elenco``: the list's model, "production.operazione". ``parametri``: those of the list's
    address, each with its values. The list itself judges them whenever they are used.
    """

    utente = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("utente"), related_name="+"
    )
    elenco = models.CharField(_("elenco"), max_length=100)
    nome = models.CharField(_("nome"), max_length=60)
    parametri = models.JSONField(_("parametri"), default=dict)
    condiviso = models.BooleanField(_("condiviso con tutti"), default=False)

    objects = FiltroSalvatoQuerySet.as_manager()

    class Meta:
        db_table = "filtro_salvato"
        verbose_name = _("filtro salvato")
        verbose_name_plural = _("filtri salvati")
        default_permissions = ()  # everybody has their own; they have no list in the admin
        permissions = [
            ("export", "Può esportare gli elenchi"),
            ("condividi_filtro", "Può condividere i filtri salvati"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["utente", "elenco", "nome"], name="filtro_salvato_nome")
        ]
        indexes = [models.Index(fields=["elenco", "nome"], name="filtro_salvato_elenco")]

    def __str__(self) -> str:
        return self.nome
