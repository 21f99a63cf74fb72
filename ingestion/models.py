"""Staging and runs in PostgreSQL (alias ``default``)."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class OrderedUuid(models.Func):
    """A time-ordered UUID (version 7, RFC 9562) minted by the database itself.

    As a column default it serves rows inserted by plain SQL too; time order keeps the
    unique index local. PostgreSQL 15 has no function of its own for it.
    """

    output_field = models.UUIDField()

    def as_postgresql(
        self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[()]]:
        milliseconds = "floor(extract(epoch from clock_timestamp()) * 1000)::bigint"
        stamped = (
            "overlay(uuid_send(gen_random_uuid()) "
            f"placing substring(int8send({milliseconds}) from 3) from 1 for 6)"
        )
        return f"encode(set_bit(set_bit({stamped}, 52, 1), 53, 1), 'hex')::uuid", ()

    def as_sqlite(
        self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[()]]:
        milliseconds = "cast((julianday('now') - 2440587.5) * 86400000 as integer)"
        return (
            f"(lower(printf('%%012x', {milliseconds}) || '7' || substr(hex(randomblob(2)), 2) "
            "|| '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6))))"
        ), ()


class EsecuzioneEtl(models.Model):
    """One run of one job, and, while it is ``IN_CORSO``, that job's lease.

    The partial unique constraint lets one run of a kind be in course; ``battito_il`` shows
    that its process lives. Counters: letti = caricati + gia_presenti + in_errore + rimanenti.
    ``batch_da``/``batch_a`` are the raw ids of the batch in hand, so that a run found dead
    tells which rows it was working on. ``dettagli`` holds counters of one kind of run alone.
    """

    class Tipo(models.TextChoices):
        TRANSFER = "transfer", _("Trasferimento")
        ORDINI = "ordini", _("Ordini")

    class Origine(models.TextChoices):
        PIANIFICATA = "pianificata", _("Pianificata")
        API = "api", _("API")
        ADMIN = "admin", _("Portale")
        COMANDO = "comando", _("Comando")

    class Stato(models.TextChoices):
        IN_CODA = "IN_CODA", _("In coda")
        IN_CORSO = "IN_CORSO", _("In corso")
        OK = "OK", _("OK")
        PARZIALE = "PARZIALE", _("Parziale")
        ERRORE = "ERRORE", _("Errore")
        INTERROTTA = "INTERROTTA", _("Interrotta")

    tipo = models.CharField(_("tipo"), max_length=20, choices=Tipo)
    origine = models.CharField(_("origine"), max_length=20, choices=Origine)
    avviata_da = models.CharField(_("avviata da"), max_length=150, blank=True, default="")
    stato = models.CharField(_("stato"), max_length=20, choices=Stato, default=Stato.IN_CODA)
    creata_il = models.DateTimeField(_("creata il"), db_default=Now())
    iniziata_il = models.DateTimeField(_("iniziata il"), null=True, blank=True)
    battito_il = models.DateTimeField(_("ultimo battito"), null=True, blank=True)
    finita_il = models.DateTimeField(_("finita il"), null=True, blank=True)
    processo = models.CharField(_("processo"), max_length=200, blank=True, default="")
    letti = models.PositiveIntegerField(_("letti"), default=0)
    caricati = models.PositiveIntegerField(_("caricati"), default=0)
    gia_presenti = models.PositiveIntegerField(_("già presenti"), default=0)
    in_errore = models.PositiveIntegerField(_("in errore"), default=0)
    rimanenti = models.PositiveIntegerField(_("rimanenti"), default=0)
    anomalie = models.PositiveIntegerField(_("anomalie"), default=0)
    messaggio = models.TextField(_("messaggio"), blank=True, default="")
    dettagli = models.JSONField(_("dettagli"), default=dict, blank=True)
    request_id = models.CharField(_("richiesta"), max_length=100, blank=True, default="")
    batch_da = models.BigIntegerField(null=True, editable=False)
    batch_a = models.BigIntegerField(null=True, editable=False)

    class Meta:
        db_table = "esecuzione_etl"
        verbose_name = _("esecuzione")
        verbose_name_plural = _("esecuzioni")
        constraints = [
            models.UniqueConstraint(
                fields=["tipo"],
                condition=models.Q(stato="IN_CORSO"),
                name="esecuzione_etl_una_in_corso",
            )
        ]
        indexes = [models.Index(fields=["tipo", "stato"], name="esecuzione_etl_tipo_stato")]

    def __str__(self) -> str:
        return f"{self.pk}"


class LottoRicevuto(models.Model):
    """One accepted POST body, kept as it came (``corpo``, gzip) with its answer."""

    uuid = models.UUIDField(_("lotto"), primary_key=True, db_default=OrderedUuid())
    nome_chiave = models.CharField(_("chiave"), max_length=100)
    chiave_idempotenza = models.CharField(
        _("chiave di idempotenza"), max_length=255, null=True, blank=True
    )
    sha256 = models.CharField(_("impronta"), max_length=64)
    corpo = models.BinaryField(_("corpo"))
    record = models.PositiveIntegerField(_("record"))
    ricevuto_il = models.DateTimeField(_("ricevuto il"), db_default=Now())
    flusso = models.CharField(_("flusso"), max_length=255, blank=True, default="")
    flusso_esecuzione = models.CharField(
        _("esecuzione del flusso"), max_length=255, blank=True, default=""
    )
    flusso_operazione = models.CharField(
        _("operazione del flusso"), max_length=255, blank=True, default=""
    )
    risposta = models.JSONField(_("risposta"), null=True, blank=True)
    eliminati = models.PositiveIntegerField(
        _("record eliminati"), default=0, help_text=_("Record già caricati e poi eliminati.")
    )

    class Meta:
        db_table = "lotto_ricevuto"
        verbose_name = _("lotto ricevuto")
        verbose_name_plural = _("lotti ricevuti")
        indexes = [models.Index(fields=["ricevuto_il"], name="lotto_ricevuto_data")]

    def __str__(self) -> str:
        return str(self.uuid)


class RawOperazione(models.Model):
    """One record as received. Record columns are text, exactly as sent; NULL = absent.

    Every column has a database default or may be NULL, so that a row inserted by plain SQL
    naming only record columns is transferred like any other. ``avvisi`` lists what reception
    had to alter to be able to store the record: ``[{"campo", "motivo", "valore"}]``.
    """

    class Stato(models.TextChoices):
        PENDING = "PENDING", _("In attesa")
        PROCESSED = "PROCESSED", _("Trasferito")
        ERROR = "ERROR", _("In errore")

    id_operazione = models.BigAutoField(_("numero"), primary_key=True)
    uid = models.UUIDField(
        _("identificativo"), unique=True, db_default=OrderedUuid(), editable=False
    )
    lotto = models.ForeignKey(
        LottoRicevuto,
        models.PROTECT,
        db_column="lotto",
        null=True,
        blank=True,
        verbose_name=_("lotto"),
    )
    indice = models.PositiveIntegerField(_("posizione nel lotto"), null=True, blank=True)
    id_ordine = models.TextField(_("ordine"), null=True, blank=True)
    codice_pezzo = models.TextField(_("pezzo"), null=True, blank=True)
    codice_macchinario = models.TextField(_("macchinario"), null=True, blank=True)
    codice_operatore = models.TextField(_("operatore"), null=True, blank=True)
    timestamp_inizio = models.TextField(_("inizio"), null=True, blank=True)
    timestamp_fine = models.TextField(_("fine"), null=True, blank=True)
    tipo_operazione = models.TextField(_("lavorazione"), null=True, blank=True)
    peso_effettivo = models.TextField(_("peso"), null=True, blank=True)
    temperatura_effettiva = models.TextField(_("temperatura"), null=True, blank=True)
    numero_pezzi_ora = models.TextField(_("pezzi/ora"), null=True, blank=True)
    tipo_fermo = models.TextField(_("tipo di fermo"), null=True, blank=True)
    anomalia = models.JSONField(_("anomalie dichiarate"), null=True, blank=True)
    altri_campi = models.JSONField(_("altri campi"), null=True, blank=True)
    avvisi = models.JSONField(_("avvisi"), null=True, blank=True)
    stato = models.CharField(
        _("stato"), max_length=20, choices=Stato, default=Stato.PENDING, db_default=Stato.PENDING
    )
    tentativi = models.PositiveSmallIntegerField(_("tentativi"), default=0, db_default=0)
    errore_codice = models.CharField(_("codice errore"), max_length=50, null=True, blank=True)
    errore_messaggio = models.TextField(_("errore"), null=True, blank=True)
    ricevuto_il = models.DateTimeField(_("ricevuto il"), db_default=Now())
    elaborato_il = models.DateTimeField(_("elaborato il"), null=True, blank=True)
    esecuzione = models.ForeignKey(
        EsecuzioneEtl,
        models.SET_NULL,
        db_column="esecuzione",
        null=True,
        blank=True,
        verbose_name=_("esecuzione"),
    )

    class Meta:
        db_table = "raw_operazione"
        verbose_name = _("record ricevuto")
        verbose_name_plural = _("record ricevuti")
        indexes = [
            models.Index(
                fields=["id_operazione"],
                name="raw_operazione_pending",
                condition=models.Q(stato="PENDING"),
            ),
            models.Index(
                fields=["id_operazione"],
                name="raw_operazione_error",
                condition=models.Q(stato="ERROR"),
            ),
            models.Index(
                fields=["id_ordine"],
                name="raw_operazione_pending_ordine",
                condition=models.Q(stato="PENDING"),
            ),
            models.Index(fields=["ricevuto_il"], name="raw_operazione_ricevuto"),
            models.Index(fields=["elaborato_il"], name="raw_operazione_elaborato"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
