"""The plant's tables in MySQL (alias ``production``), shared with its other programs.

Table and column names are fixed by those programs (docs/glossario.md); the columns that
are ours alone are nullable or have a database default, so that the others may ignore them.
Date-times are stored as local plant time (docs/adr/0004-plant-time-in-mysql.md).
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from production.vocabulary import (
    ALTRO_FERMO,
    NESSUN_FERMO,
    ClasseFermo,
    EsitoForgiatura,
    OrigineAnomalia,
    StatoAnomalia,
    TipoOperazione,
    Word,
)

MAX_NOTA = 500  # characters of what somebody writes about an anomaly


def choices(words: Iterable[Word]) -> list[tuple[str, Promise]]:
    """The words of a vocabulary as the choices of a column, labels in the reader's language."""
    return [(word.value, _(word.label)) for word in words]


class CodiceField(models.CharField):
    """A plant code, at most 50 characters, compared exactly.

    The default collations of MySQL and MariaDB hold ``Z1``, ``z1`` and ``Ż1`` for equal;
    case and accents matter in a code, so the column is binary there.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 50)
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters


class Acciaio(models.Model):
    tipo_acciaio = CodiceField(_("tipo di acciaio"), unique=True)
    prezzo_al_kg = models.DecimalField(
        _("prezzo al kg (€)"), max_digits=12, decimal_places=4, null=True, blank=True
    )

    class Meta:
        db_table = "acciai"
        ordering = ["tipo_acciaio"]
        verbose_name = _("acciaio")
        verbose_name_plural = _("acciai")

    def __str__(self) -> str:
        return self.tipo_acciaio


class Pezzo(models.Model):
    """A piece of the catalogue; a limit that is NULL checks nothing."""

    codice_pezzo = CodiceField(_("codice pezzo"), primary_key=True)
    nome = models.CharField(_("nome"), max_length=200, blank=True, default="")
    descrizione = models.TextField(_("descrizione"), blank=True, default="")
    tipo_acciaio = models.ForeignKey(
        Acciaio,
        models.PROTECT,
        to_field="tipo_acciaio",
        db_column="tipo_acciaio",
        null=True,
        blank=True,
        verbose_name=_("tipo di acciaio"),
    )
    prezzo = models.DecimalField(
        _("prezzo (€)"), max_digits=12, decimal_places=2, null=True, blank=True
    )
    immagine = models.CharField(_("immagine"), max_length=255, blank=True, default="")
    peso_min = models.DecimalField(
        _("peso minimo (kg)"), max_digits=10, decimal_places=3, null=True, blank=True
    )
    peso_max = models.DecimalField(
        _("peso massimo (kg)"), max_digits=10, decimal_places=3, null=True, blank=True
    )
    temperatura_min = models.DecimalField(
        _("temperatura minima (°C)"), max_digits=7, decimal_places=1, null=True, blank=True
    )
    temperatura_max = models.DecimalField(
        _("temperatura massima (°C)"), max_digits=7, decimal_places=1, null=True, blank=True
    )
    fase_finale = models.CharField(
        _("fase finale"),
        max_length=20,
        choices=choices(TipoOperazione),
        default=TipoOperazione.FORGIATURA.value,
        db_default=TipoOperazione.FORGIATURA.value,
        help_text=_("Il pezzo è prodotto quando termina questa lavorazione."),
    )

    class Meta:
        db_table = "pezzi"
        ordering = ["codice_pezzo"]
        verbose_name = _("pezzo")
        verbose_name_plural = _("pezzi")

    def __str__(self) -> str:
        return f"{self.codice_pezzo} {self.nome}".strip()

    def clean(self) -> None:
        pairs = [("peso_min", "peso_max"), ("temperatura_min", "temperatura_max")]
        wrong = {
            upper: _("Il massimo non può essere minore del minimo.")
            for lower, upper in pairs
            if None not in (getattr(self, lower), getattr(self, upper))
            and getattr(self, upper) < getattr(self, lower)
        }
        if wrong:
            raise ValidationError(wrong)


class Macchinario(models.Model):
    codice_macchinario = CodiceField(_("codice macchinario"), primary_key=True)
    tipo = models.CharField(_("tipo"), max_length=100, blank=True, default="")
    id_costo = models.IntegerField(_("centro di costo"), null=True, blank=True)

    class Meta:
        db_table = "macchinari"
        ordering = ["codice_macchinario"]
        verbose_name = _("macchinario")
        verbose_name_plural = _("macchinari")

    def __str__(self) -> str:
        return f"{self.codice_macchinario} {self.tipo}".strip()


class Operatore(models.Model):
    codice_operatore = CodiceField(_("codice operatore"), primary_key=True)
    nome = models.CharField(_("nome"), max_length=100, blank=True, default="")
    cognome = models.CharField(_("cognome"), max_length=100, blank=True, default="")
    id_costo = models.IntegerField(_("centro di costo"), null=True, blank=True)

    class Meta:
        db_table = "operatori"
        ordering = ["codice_operatore"]
        verbose_name = _("operatore")
        verbose_name_plural = _("operatori")

    def __str__(self) -> str:
        return f"{self.codice_operatore} {self.cognome} {self.nome}".strip()


class TipoFermo(models.Model):
    """A stop type of a CNC machine, with the other words by which machines send it."""

    Classe = ClasseFermo
    NEEDED = (NESSUN_FERMO, ALTRO_FERMO)

    codice = CodiceField(_("codice"), primary_key=True)
    descrizione = models.CharField(_("descrizione"), max_length=200, blank=True, default="")
    classe = models.CharField(_("classe"), max_length=20, choices=choices(ClasseFermo))
    sinonimi = models.JSONField(
        _("sinonimi"),
        default=list,
        blank=True,
        help_text=_('Altre parole per lo stesso fermo, per esempio ["none", "nessun_fermo"].'),
    )

    class Meta:
        db_table = "tipo_fermo"
        ordering = ["codice"]
        verbose_name = _("tipo di fermo")
        verbose_name_plural = _("tipi di fermo")

    def __str__(self) -> str:
        return self.codice

    def clean(self) -> None:
        is_list_of_words = isinstance(self.sinonimi, list) and all(
            isinstance(word, str) for word in self.sinonimi
        )
        if not is_list_of_words:
            raise ValidationError({"sinonimi": _("Serve un elenco di parole.")})
        ours = set(self.words())
        for other in TipoFermo.objects.exclude(pk=self.pk):
            if shared := ours & set(other.words()):
                sentence = _("«%(word)s» indica già il fermo %(code)s.")
                params = {"word": min(shared), "code": other.pk}
                raise ValidationError({"sinonimi": ValidationError(sentence, params=params)})

    def words(self) -> list[str]:
        return self.words_for(self.codice, self.sinonimi)

    @staticmethod
    def words_for(codice: str, sinonimi: list[str]) -> list[str]:
        """Every word that means this stop, as words are compared: trimmed and case folded."""
        return [word.strip().casefold() for word in (*sinonimi, codice)]


class Anomalia(models.Model):
    """A kind of anomaly: the catalogue, seeded by migration; the ids never change meaning."""

    id_anomalia = models.IntegerField(_("numero"), primary_key=True)
    tipo_anomalia = models.CharField(_("anomalia"), max_length=100)
    note = models.TextField(_("note"), blank=True, default="")

    class Meta:
        db_table = "anomalia"
        ordering = ["id_anomalia"]
        verbose_name = _("tipo di anomalia")
        verbose_name_plural = _("catalogo delle anomalie")

    def __str__(self) -> str:
        return f"{self.id_anomalia} {self.tipo_anomalia}"


class Operazione(models.Model):
    """One working step on one piece.

    ``raw_uid`` is the identity the record got at reception and the key of exactly-once
    loading; it is NULL only on rows written by other programs. ``durata`` is in seconds.
    ``da_contare`` is true until the orders job has counted the row, then NULL: with its index
    it is the job's queue, so that counting costs what is new and not what is old.
    """

    id_operazione = models.BigAutoField(_("operazione"), primary_key=True)
    ordine = models.ForeignKey(
        "orders.Ordine",
        models.PROTECT,
        db_column="id_ordine",
        null=True,
        blank=True,
        verbose_name=_("ordine"),
    )
    pezzo = models.ForeignKey(
        Pezzo,
        models.PROTECT,
        db_column="codice_pezzo",
        null=True,
        blank=True,
        verbose_name=_("pezzo"),
    )
    macchinario = models.ForeignKey(
        Macchinario,
        models.PROTECT,
        db_column="codice_macchinario",
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("macchinario"),
    )
    operatore = models.ForeignKey(
        Operatore,
        models.PROTECT,
        db_column="codice_operatore",
        null=True,
        blank=True,
        verbose_name=_("operatore"),
    )
    timestamp_inizio = models.DateTimeField(_("inizio"), null=True, blank=True)
    timestamp_fine = models.DateTimeField(_("fine"), null=True, blank=True)
    tipo_operazione = models.CharField(
        _("lavorazione"), max_length=20, choices=choices(TipoOperazione), null=True, blank=True
    )
    raw_uid = models.UUIDField(_("identificativo"), unique=True, null=True, editable=False)
    durata = models.DecimalField(
        _("durata (s)"), max_digits=16, decimal_places=6, null=True, blank=True
    )
    da_contare = models.BooleanField(null=True, default=True, db_default=True, editable=False)

    class Meta:
        db_table = "operazioni"
        verbose_name = _("operazione")
        verbose_name_plural = _("operazioni")
        indexes = [
            models.Index(
                fields=["macchinario", "timestamp_inizio"], name="operazioni_macchinario_inizio"
            ),
            models.Index(fields=["timestamp_inizio"], name="operazioni_inizio"),
            models.Index(fields=["da_contare", "ordine"], name="operazioni_da_contare"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Forgiatura(models.Model):
    """What was measured at the forge (kg, °C) and how far it is from the piece's nominal."""

    id_forgiatura = models.BigAutoField(_("forgiatura"), primary_key=True)
    operazione = models.OneToOneField(
        Operazione, models.CASCADE, db_column="id_operazione", verbose_name=_("operazione")
    )
    peso_effettivo = models.FloatField(_("peso (kg)"), null=True, blank=True)
    temperatura_effettiva = models.FloatField(_("temperatura (°C)"), null=True, blank=True)
    anomalia = models.ForeignKey(
        Anomalia,
        models.PROTECT,
        db_column="id_anomalia",
        null=True,
        blank=True,
        verbose_name=_("anomalia"),
    )
    peso_nominale = models.DecimalField(
        _("peso nominale (kg)"), max_digits=12, decimal_places=3, null=True, blank=True
    )
    scarto_peso = models.DecimalField(
        _("scarto peso (kg)"), max_digits=12, decimal_places=3, null=True, blank=True
    )
    scarto_peso_pct = models.DecimalField(
        _("scarto peso (%)"), max_digits=14, decimal_places=2, null=True, blank=True
    )
    temperatura_nominale = models.DecimalField(
        _("temperatura nominale (°C)"), max_digits=9, decimal_places=1, null=True, blank=True
    )
    scarto_temperatura = models.DecimalField(
        _("scarto temperatura (°C)"), max_digits=9, decimal_places=1, null=True, blank=True
    )
    scarto_temperatura_pct = models.DecimalField(
        _("scarto temperatura (%)"), max_digits=14, decimal_places=2, null=True, blank=True
    )
    esito = models.CharField(
        _("esito"), max_length=20, choices=choices(EsitoForgiatura), null=True, blank=True
    )

    class Meta:
        db_table = "forgiatura"
        verbose_name = _("forgiatura")
        verbose_name_plural = _("forgiature")

    def __str__(self) -> str:
        return f"{self.pk}"


class Cnc(models.Model):
    """What a CNC machine did: rate in pieces per hour, stop type, pieces (never rounded whole)."""

    id_cnc = models.BigAutoField(_("CNC"), primary_key=True)
    operazione = models.OneToOneField(
        Operazione, models.CASCADE, db_column="id_operazione", verbose_name=_("operazione")
    )
    numero_pezzi_ora = models.IntegerField(_("pezzi/ora"), null=True, blank=True)
    tipo_fermo = models.ForeignKey(
        TipoFermo,
        models.PROTECT,
        db_column="tipo_fermo",
        null=True,
        blank=True,
        verbose_name=_("tipo di fermo"),
    )
    pezzi_prodotti = models.DecimalField(
        _("pezzi prodotti"), max_digits=12, decimal_places=4, null=True, blank=True
    )

    class Meta:
        db_table = "cnc"
        verbose_name = _("lavorazione CNC")
        verbose_name_plural = _("lavorazioni CNC")

    def __str__(self) -> str:
        return f"{self.pk}"


class AnomaliaOperazioneQuerySet(models.QuerySet["AnomaliaOperazione"]):
    def to_handle(self) -> "AnomaliaOperazioneQuerySet":
        return self.filter(stato__in=StatoAnomalia.to_handle())


class AnomaliaOperazione(models.Model):
    """One anomaly of one operation: which field, what was received, and a sentence on why.

    ``gestita_da``, ``gestita_il`` and ``nota_gestione`` repeat the last change of ``stato``, for
    the programs that read this table alone; all changes are in ``StoriaAnomalia``. A row that
    another program wrote, naming none of these columns, is open.
    """

    Stato = StatoAnomalia

    internal_id = models.BigAutoField(_("numero"), primary_key=True)
    anomalia = models.ForeignKey(
        Anomalia,
        models.PROTECT,
        db_column="id_anomalia",
        db_index=False,
        verbose_name=_("anomalia"),
    )
    operazione = models.ForeignKey(
        Operazione,
        models.CASCADE,
        db_column="id_operazione",
        related_name="anomalie",
        verbose_name=_("operazione"),
    )
    note = models.TextField(_("note"), blank=True, default="")
    campo = models.CharField(_("campo"), max_length=50, null=True, blank=True)
    valore_ricevuto = models.TextField(_("valore ricevuto"), null=True, blank=True)
    origine = models.CharField(
        _("origine"), max_length=20, choices=choices(OrigineAnomalia), null=True, blank=True
    )
    creata_il = models.DateTimeField(_("creata il"), null=True, blank=True)
    # Its place in the order in which anomalies were seen committed; NULL until it is given one.
    sequenza = models.BigIntegerField(_("sequenza"), null=True, editable=False)
    stato = models.CharField(
        _("stato"),
        max_length=20,
        choices=choices(StatoAnomalia),
        default=StatoAnomalia.APERTA.value,
        db_default=StatoAnomalia.APERTA.value,
    )
    gestita_da = models.CharField(_("gestita da"), max_length=150, null=True, blank=True)
    gestita_il = models.DateTimeField(_("gestita il"), null=True, blank=True)
    nota_gestione = models.CharField(
        _("nota di gestione"), max_length=MAX_NOTA, null=True, blank=True
    )

    objects = AnomaliaOperazioneQuerySet.as_manager()

    class Meta:
        db_table = "anomalia_operazione"
        verbose_name = _("anomalia di operazione")
        verbose_name_plural = _("anomalie")
        indexes = [
            models.Index(fields=["anomalia", "creata_il"], name="anomalia_operazione_tipo_data"),
            models.Index(fields=["creata_il"], name="anomalia_operazione_data"),
            models.Index(fields=["sequenza"], name="anomalia_operazione_sequenza"),
            models.Index(fields=["stato", "internal_id"], name="anomalia_operazione_stato"),
            models.Index(fields=["stato", "anomalia"], name="anomalia_operazione_stato_tipo"),
        ]
        permissions = [
            ("annota_anomalia", "Prendere in carico e annotare le anomalie"),
            ("gestisci_anomalia", "Accettare in deroga, chiudere e riaprire le anomalie"),
        ]

    def __str__(self) -> str:
        return f"{self.anomalia_id} · {self.operazione_id}"


class StoriaAnomalia(models.Model):
    """One act on an anomaly: who, when, from which state to which, and why. Never rewritten.

    Users live in PostgreSQL, so ``chi`` is a name. No constraint in the database: a program that
    deletes an anomaly knows nothing of this table and must not be refused.
    """

    anomalia_operazione = models.ForeignKey(
        AnomaliaOperazione,
        models.CASCADE,
        db_column="id_anomalia_operazione",
        db_constraint=False,
        related_name="storia",
        verbose_name=_("anomalia di operazione"),
    )
    azione = models.CharField(_("azione"), max_length=20)
    da_stato = models.CharField(_("da"), max_length=20, choices=choices(StatoAnomalia))
    a_stato = models.CharField(_("a"), max_length=20, choices=choices(StatoAnomalia))
    chi = models.CharField(_("chi"), max_length=150)
    quando = models.DateTimeField(_("quando"))
    nota = models.CharField(_("nota"), max_length=MAX_NOTA, blank=True, default="")

    class Meta:
        db_table = "storia_anomalia"
        default_permissions = ()
        verbose_name = _("storia dell'anomalia")
        verbose_name_plural = _("storia delle anomalie")

    def __str__(self) -> str:
        return f"{self.anomalia_operazione_id} {self.azione}"


class NumerazioneAnomalie(models.Model):
    """One row: the last ``sequenza`` given out. Whoever numbers anomalies holds its lock."""

    ultima = models.BigIntegerField(_("ultima sequenza"), default=0)

    class Meta:
        db_table = "numerazione_anomalie"
        verbose_name = _("numerazione delle anomalie")
        verbose_name_plural = _("numerazione delle anomalie")

    def __str__(self) -> str:
        return f"{self.ultima}"
