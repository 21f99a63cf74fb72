"""Staging and runs in PostgreSQL (alias ``default``)."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from production.models import choices
from production.vocabulary import (
    OrigineEsecuzione,
    StatoEsecuzione,
    StatoRecord,
    TipoEsecuzione,
)

MAX_MOTIVO = 500  # characters of why a record was set aside


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


class EsecuzioneEtlQuerySet(models.QuerySet["EsecuzioneEtl"]):
    def succeeded(self) -> "EsecuzioneEtlQuerySet":
        """Nothing of what was read is left behind: rows in ERROR are settled, not left."""
        stati = EsecuzioneEtl.Stato
        return self.filter(models.Q(stato=stati.OK) | models.Q(stato=stati.PARZIALE, rimanenti=0))

    def failed(self) -> "EsecuzioneEtlQuerySet":
        """Those that ended badly or left records behind."""
        return self.filter(
            models.Q(stato__in=EsecuzioneEtl.FAILED)
            | models.Q(stato=EsecuzioneEtl.Stato.PARZIALE, rimanenti__gt=0)
        )


class EsecuzioneEtl(models.Model):
    """One run of one job, and, while it is ``IN_CORSO``, that job's lease.

    The partial unique constraint lets one run of a kind be in course; ``battito_il`` shows
    that its process lives. Counters: letti = caricati + gia_presenti + in_errore + rimanenti.
    ``batch_da``/``batch_a`` are the raw ids of the batch in hand, so that a run found dead
    tells which rows it was working on. ``dettagli`` holds counters of one kind of run alone.
    """

    Tipo = TipoEsecuzione
    Origine = OrigineEsecuzione
    Stato = StatoEsecuzione

    FAILED = (Stato.ERRORE, Stato.INTERROTTA)
    ENDED = (Stato.OK, Stato.PARZIALE, *FAILED)

    tipo = models.CharField(_("tipo"), max_length=20, choices=choices(TipoEsecuzione))
    origine = models.CharField(_("origine"), max_length=20, choices=choices(OrigineEsecuzione))
    avviata_da = models.CharField(_("avviata da"), max_length=150, blank=True, default="")
    stato = models.CharField(
        _("stato"),
        max_length=20,
        choices=choices(StatoEsecuzione),
        default=StatoEsecuzione.IN_CODA.value,
    )
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

    objects = EsecuzioneEtlQuerySet.as_manager()

    class Meta:
        db_table = "esecuzione_etl"
        verbose_name = _("esecuzione")
        verbose_name_plural = _("esecuzioni")
        constraints = [
            models.UniqueConstraint(
                fields=["tipo"],
                condition=models.Q(stato=StatoEsecuzione.IN_CORSO.value),
                name="esecuzione_etl_una_in_corso",
            )
        ]
        indexes = [models.Index(fields=["tipo", "stato"], name="esecuzione_etl_tipo_stato")]

    def __str__(self) -> str:
        return f"{self.pk}"

    def log_extra(self) -> dict[str, Any]:
        """``extra`` of a log line: the run's number, and the request that asked for it."""
        return {"esecuzione": self.pk, "request_id": self.request_id or "-"}


class LottoRicevuto(models.Model):
    """One accepted POST body, kept as it came (``corpo``, gzip) with its answer.

    ``chiave_idempotenza`` is what a repetition of the request is known by, its kind in front
    (``ingestion.reception.idempotency``); NULL when it is known by nothing any more.
    """

    uuid = models.UUIDField(_("lotto"), primary_key=True, db_default=OrderedUuid())
    nome_chiave = models.CharField(_("chiave"), max_length=100)
    chiave_idempotenza = models.CharField(
        _("chiave di idempotenza"), max_length=400, null=True, blank=True
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
    request_id = models.CharField(_("richiesta"), max_length=100, blank=True, db_default="")
    risposta = models.JSONField(_("risposta"), null=True, blank=True)
    eliminati = models.PositiveIntegerField(
        _("record eliminati"), default=0, help_text=_("Record già caricati e poi eliminati.")
    )

    class Meta:
        db_table = "lotto_ricevuto"
        verbose_name = _("lotto ricevuto")
        verbose_name_plural = _("lotti ricevuti")
        constraints = [
            models.UniqueConstraint(
                fields=["nome_chiave", "chiave_idempotenza"], name="lotto_ricevuto_una_volta"
            )
        ]
        indexes = [
            models.Index(fields=["ricevuto_il"], name="lotto_ricevuto_data"),
            models.Index(
                fields=["nome_chiave", "sha256", "ricevuto_il"], name="lotto_ricevuto_impronta"
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class RawOperazioneQuerySet(models.QuerySet["RawOperazione"]):
    def rejected(self) -> "RawOperazioneQuerySet":
        """Rows in ERROR that wait for somebody: those set aside do not."""
        return self.filter(stato=RawOperazione.Stato.ERROR, scartato_il=None)

    def discarded(self) -> "RawOperazioneQuerySet":
        return self.filter(stato=RawOperazione.Stato.ERROR, scartato_il__isnull=False)


class RawOperazione(models.Model):
    """One record as received. Record columns are text, exactly as sent; NULL = absent.

    Every column has a database default or may be NULL, so that a row inserted by plain SQL
    naming only record columns is transferred like any other. ``avvisi`` lists what reception
    had to alter to be able to store the record: ``[{"campo", "motivo", "valore"}]``.
    """

    Stato = StatoRecord

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
        _("stato"),
        max_length=20,
        choices=choices(StatoRecord),
        default=StatoRecord.PENDING.value,
        db_default=StatoRecord.PENDING.value,
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
    # A row in ERROR that somebody set aside: it stays in ERROR, and waits for nobody.
    scartato_da = models.CharField(_("scartato da"), max_length=150, null=True, blank=True)
    scartato_il = models.DateTimeField(_("scartato il"), null=True, blank=True)
    scartato_motivo = models.CharField(
        _("motivo dello scarto"), max_length=MAX_MOTIVO, null=True, blank=True
    )

    objects = RawOperazioneQuerySet.as_manager()

    class Meta:
        db_table = "raw_operazione"
        verbose_name = _("record ricevuto")
        verbose_name_plural = _("record ricevuti")
        indexes = [
            models.Index(
                fields=["id_operazione"],
                name="raw_operazione_pending",
                condition=models.Q(stato=StatoRecord.PENDING.value),
            ),
            models.Index(
                fields=["id_operazione"],
                name="raw_operazione_error",
                condition=models.Q(stato=StatoRecord.ERROR.value),
            ),
            models.Index(
                fields=["id_ordine"],
                name="raw_operazione_pending_ordine",
                condition=models.Q(stato=StatoRecord.PENDING.value),
            ),
            models.Index(fields=["ricevuto_il"], name="raw_operazione_ricevuto"),
            models.Index(fields=["elaborato_il"], name="raw_operazione_elaborato"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Avviso(models.Model):
    """A problem that began, and perhaps ended, as the alerts told it (``ingestion.watch.alerts``).

    One open row per problem. ``inizio_inviato`` and ``fine_inviata`` name the channels that took
    the message; ``in_invio_dal``: since when somebody is at sending it; ``completo``: it ended and
    nothing is left to send.
    """

    codice = models.CharField(_("problema"), max_length=50)
    messaggio = models.TextField(_("messaggio"))
    iniziato_il = models.DateTimeField(_("iniziato il"))
    finito_il = models.DateTimeField(_("finito il"), null=True, blank=True)
    inizio_inviato = models.JSONField(_("inizio inviato a"), default=list, blank=True)
    fine_inviata = models.JSONField(_("fine inviata a"), default=list, blank=True)
    in_invio_dal = models.DateTimeField(_("in invio dal"), null=True, editable=False)
    completo = models.BooleanField(_("completo"), default=False)

    class Meta:
        db_table = "avviso"
        verbose_name = _("avviso inviato")
        verbose_name_plural = _("avvisi inviati")
        constraints = [
            models.UniqueConstraint(
                fields=["codice"],
                condition=models.Q(finito_il=None),
                name="avviso_uno_aperto",
            )
        ]

    def __str__(self) -> str:
        return f"{self.codice} {self.pk}"


class Eliminazione(models.Model):
    """How many loaded records were purged on a day: the balance outlives the rows and batches.

    Σ ``record`` = Σ ``lotto_ricevuto.eliminati`` + Σ ``senza_lotto`` + Σ ``dei_lotti``, where
    ``senza_lotto`` are rows that came by plain SQL and ``dei_lotti`` those of the batches that
    were deleted, emptied (``lotti``, how many).
    """

    giorno = models.DateField(_("giorno"), primary_key=True)
    record = models.PositiveBigIntegerField(_("record eliminati"), default=0)
    senza_lotto = models.PositiveBigIntegerField(_("di cui senza lotto"), default=0)
    lotti = models.PositiveIntegerField(_("lotti eliminati"), default=0)
    dei_lotti = models.PositiveBigIntegerField(_("record dei lotti eliminati"), default=0)

    class Meta:
        db_table = "eliminazione"
        verbose_name = _("eliminazione")
        verbose_name_plural = _("eliminazioni")

    def __str__(self) -> str:
        return f"{self.giorno}"
