"""Customers, orders, stock and their two ledgers in MySQL; the web shop writes orders too.

What changes a remaining quantity or a stock figure leaves a ledger row in the same transaction:
``movimento_produzione`` (one per operation, ever) and ``movimento_magazzino``.
"""

from datetime import date, timedelta
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from production.models import Acciaio, Operazione, Pezzo, choices
from production.vocabulary import CausaMovimento, EsitoConteggio, StatoOrdine


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


class OrdineQuerySet(models.QuerySet["Ordine"]):
    def waiting(self) -> Self:
        """Orders that somebody placed and that still take pieces."""
        return self.filter(stato=StatoOrdine.IN_ATTESA, fittizio=False)

    def late(self, today: date, days: int) -> Self:
        """Waiting since a start of ``days`` days ago or more; no order has a day it is due."""
        return self.waiting().filter(data_inizio__lte=today - timedelta(days=days))

    def nearly_done(self) -> Self:
        """Waiting, with something left to make, and that is a tenth of its pieces at most."""
        near = (
            PezzoOrdine.objects.waiting()
            .order_by()
            .values("ordine")
            .annotate(totali=Sum("quantita_totale"), rimanenti=Sum("quantita_rimanente"))
            .filter(rimanenti__gt=0, totali__gte=F("rimanenti") * 10)
        )
        return self.waiting().filter(pk__in=near.values("ordine"))

    def without_lines(self) -> Self:
        """Waiting for nothing: they never complete (docs/regole.md, "Ordini")."""
        return self.waiting().filter(linee=None)


def nothing_left() -> Q:
    """Of an order: it has lines, and none with pieces left to make."""
    lines = PezzoOrdine.objects.filter(ordine=OuterRef("pk"))
    return Q(Exists(lines)) & ~Q(Exists(lines.filter(quantita_rimanente__gt=0)))


class Ordine(models.Model):
    """A customer order.

    ``fittizio`` marks the one reserved order that nobody placed; its ``chiave`` is unique, so
    that many callers at once make one. ``confermato_il`` is when an order of ours drew its
    stock; NULL for the web shop's orders, which have done so already.
    """

    Stato = StatoOrdine

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
        choices=choices(StatoOrdine),
        default=StatoOrdine.IN_ATTESA.value,
        db_default=StatoOrdine.IN_ATTESA.value,
    )
    fittizio = models.BooleanField(_("fittizio"), default=False, db_default=False)
    chiave = models.CharField(max_length=20, unique=True, null=True, editable=False)
    confermato_il = models.DateTimeField(_("confermato il"), null=True, blank=True, editable=False)

    objects = OrdineQuerySet.as_manager()

    class Meta:
        db_table = "ordine"
        verbose_name = _("ordine")
        verbose_name_plural = _("ordini")
        constraints = [
            models.CheckConstraint(
                condition=Q(stato__in=[stato.value for stato in StatoOrdine]),
                name="ordine_stato_conosciuto",
            )
        ]
        indexes = [
            # What to make next: oldest waiting order first.
            models.Index(fields=["stato", "data_inizio", "id_ordine"], name="ordine_stato_data")
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def known_state(self) -> StatoOrdine | None:
        """The state whatever its case, as the database compares it: other programs write it too."""
        text = self.stato.strip().upper()
        return StatoOrdine(text) if text in list(StatoOrdine) else None


class PezzoOrdineQuerySet(models.QuerySet["PezzoOrdine"]):
    def waiting(self) -> Self:
        """Lines of the waiting orders (``OrdineQuerySet.waiting``)."""
        return self.filter(ordine__stato=StatoOrdine.IN_ATTESA, ordine__fittizio=False)

    def note_drawn(self) -> int:
        """On lines that we never touched, what is missing was drawn by the program they are of."""
        return self.filter(prelevati=None).update(
            prelevati=F("quantita_totale") - F("quantita_rimanente")
        )

    def with_given(self) -> models.QuerySet[Any]:
        """Each with ``dati``: the pieces that counting gave to the line."""
        ledger = MovimentoProduzione.objects.filter(
            ordine=OuterRef("ordine"), pezzo=OuterRef("pezzo")
        )
        given = ledger.order_by().values("ordine").annotate(n=Sum("dati")).values("n")
        return self.annotate(dati=Coalesce(given, 0))


class PezzoOrdine(models.Model):
    """An order line. totale − rimanente = prelevati + Σ dati − resi.

    ``prelevati``: pieces drawn from stock at confirmation; NULL until the line is first counted
    on an order that another program wrote. ``resi``: returned to stock by a cancellation.
    ``prodotti_us``: production counted for the line, in piece-microseconds (orders/rules.py).
    """

    ordine = models.ForeignKey(
        Ordine,
        models.CASCADE,
        db_column="id_ordine",
        related_name="linee",
        verbose_name=_("ordine"),
    )
    pezzo = models.ForeignKey(Pezzo, models.PROTECT, db_column="id_pezzo", verbose_name=_("pezzo"))
    quantita_totale = models.PositiveIntegerField(_("quantità"))
    quantita_rimanente = models.PositiveIntegerField(_("rimanente"))
    prelevati = models.PositiveIntegerField(
        _("presi dal magazzino"), null=True, blank=True, editable=False
    )
    resi = models.PositiveIntegerField(_("resi"), default=0, db_default=0, editable=False)
    prodotti_us = models.BigIntegerField(default=0, db_default=0, editable=False)

    objects = PezzoOrdineQuerySet.as_manager()

    class Meta:
        db_table = "pezzi_ordine"
        verbose_name = _("riga d'ordine")
        verbose_name_plural = _("righe d'ordine")
        constraints = [
            models.UniqueConstraint(fields=["ordine", "pezzo"], name="pezzi_ordine_unica"),
            models.CheckConstraint(
                condition=Q(quantita_rimanente__gte=0)
                & Q(quantita_rimanente__lte=F("quantita_totale")),
                name="pezzi_ordine_rimanente",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ordine_id} · {self.pezzo_id}"

    @property
    def fatti(self) -> int:
        """Pieces that the line has, made for it or drawn from stock."""
        return self.quantita_totale - self.quantita_rimanente

    @property
    def to_take_back(self) -> int:
        """Pieces that a reopened order asks back of the stock: what it returned and still needs."""
        return min(self.resi, self.quantita_rimanente)


class MagazzinoQuerySet(models.QuerySet["Magazzino"]):
    def below_minimum(self) -> Self:
        return self.filter(quantita_disponibile__lt=F("scorta_minima"))

    def with_unexplained(self) -> models.QuerySet[Any]:
        """Each with ``scarto``: how far its figure is from opening + Σ movements.

        Another program changed it alone. Without an opening figure nothing was moved yet.
        """
        movements = MovimentoMagazzino.objects.filter(magazzino=OuterRef("pk")).order_by()
        moved = movements.values("magazzino").annotate(n=Sum("quantita")).values("n")
        opening = Coalesce("quantita_iniziale", "quantita_disponibile")
        return self.annotate(scarto=F("quantita_disponibile") - opening - Coalesce(moved, 0))


class Magazzino(models.Model):
    """Stock of one piece (or of one steel, which the portal does not move).

    ``quantita_disponibile`` = ``quantita_iniziale`` + Σ movements; the opening figure is taken
    when the first movement is booked. ``prodotti_us``: production that came for no order line.
    """

    id_magazzino = models.BigAutoField(_("magazzino"), primary_key=True)
    descrizione = models.CharField(_("descrizione"), max_length=200, blank=True, default="")
    ubicazione = models.CharField(_("ubicazione"), max_length=100, blank=True, default="")
    capacita_totale = models.PositiveIntegerField(_("capacità"), null=True, blank=True)
    pezzo = models.OneToOneField(
        Pezzo,
        models.PROTECT,
        db_column="codice_pezzo",
        null=True,
        blank=True,
        related_name="scorta",
        verbose_name=_("pezzo"),
    )
    tipo_acciaio = models.ForeignKey(
        Acciaio,
        models.PROTECT,
        to_field="tipo_acciaio",
        db_column="tipo_acciaio",
        null=True,
        blank=True,
        verbose_name=_("tipo di acciaio"),
    )
    quantita_disponibile = models.BigIntegerField(
        _("disponibile"), default=0, db_default=0, editable=False
    )
    data_ultimo_aggiornamento = models.DateTimeField(
        _("ultimo aggiornamento"), null=True, blank=True, editable=False
    )
    scorta_minima = models.PositiveIntegerField(_("scorta minima"), null=True, blank=True)
    quantita_iniziale = models.BigIntegerField(
        _("giacenza iniziale"), null=True, blank=True, editable=False
    )
    prodotti_us = models.BigIntegerField(default=0, db_default=0, editable=False)

    objects = MagazzinoQuerySet.as_manager()

    class Meta:
        db_table = "magazzino"
        verbose_name = _("scorta di magazzino")
        verbose_name_plural = _("scorte di magazzino")
        constraints = [
            models.CheckConstraint(
                condition=Q(quantita_disponibile__gte=0), name="magazzino_disponibile"
            )
        ]

    def __str__(self) -> str:
        return str(self.pezzo_id or self.tipo_acciaio_id or self.descrizione or self.pk)

    @property
    def articolo(self) -> str:
        """What it holds, in full; reads the piece or the steel."""
        return str(self.pezzo or self.tipo_acciaio or self)

    def clean(self) -> None:
        if self.pezzo_id is None and self.tipo_acciaio_id is None:
            raise ValidationError({"pezzo": _("Indicare il pezzo oppure il tipo di acciaio.")})


class MovimentoProduzione(models.Model):
    """The counting ledger: one row for each operation, ever; its key is the operation.

    ``pezzi`` = ``dati`` (to the order line) + ``eccedenza`` (to stock). ``esecuzione`` is the run.
    """

    Esito = EsitoConteggio

    operazione = models.OneToOneField(
        Operazione,
        models.PROTECT,
        primary_key=True,
        db_column="id_operazione",
        related_name="movimento",
        verbose_name=_("operazione"),
    )
    ordine = models.ForeignKey(
        Ordine,
        models.PROTECT,
        db_column="id_ordine",
        null=True,
        related_name="produzione",
        verbose_name=_("ordine"),
    )
    pezzo = models.ForeignKey(
        Pezzo, models.PROTECT, db_column="codice_pezzo", null=True, verbose_name=_("pezzo")
    )
    esito = models.CharField(_("esito"), max_length=20, choices=choices(EsitoConteggio))
    pezzi_us = models.BigIntegerField(default=0)
    pezzi = models.BigIntegerField(_("pezzi"), default=0)
    dati = models.BigIntegerField(_("all'ordine"), default=0)
    eccedenza = models.BigIntegerField(_("al magazzino"), default=0)
    esecuzione = models.BigIntegerField(_("esecuzione"), null=True)
    creato_il = models.DateTimeField(_("contato il"), null=True)

    class Meta:
        db_table = "movimento_produzione"
        verbose_name = _("movimento di produzione")
        verbose_name_plural = _("movimenti di produzione")
        indexes = [
            models.Index(fields=["ordine", "pezzo"], name="movimento_produzione_linea"),
            models.Index(fields=["esecuzione"], name="movimento_produzione_esec"),
            models.Index(fields=["creato_il"], name="movimento_produzione_data"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class MovimentoMagazzino(models.Model):
    """The stock ledger: ``quantita`` pieces in (+) or out (−), why, and for which order or run."""

    Causa = CausaMovimento

    id_movimento = models.BigAutoField(_("movimento"), primary_key=True)
    magazzino = models.ForeignKey(
        Magazzino,
        models.PROTECT,
        db_column="id_magazzino",
        related_name="movimenti",
        verbose_name=_("magazzino"),
    )
    quantita = models.BigIntegerField(_("quantità"))
    causa = models.CharField(_("causa"), max_length=20, choices=choices(CausaMovimento))
    ordine = models.ForeignKey(
        Ordine,
        models.PROTECT,
        db_column="id_ordine",
        null=True,
        blank=True,
        related_name="movimenti_magazzino",
        verbose_name=_("ordine"),
    )
    operazione = models.ForeignKey(
        Operazione,
        models.PROTECT,
        db_column="id_operazione",
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("operazione"),
        help_text=_("Solo se il movimento viene da una sola operazione."),
    )
    esecuzione = models.BigIntegerField(_("esecuzione"), null=True, blank=True)
    utente = models.CharField(_("utente"), max_length=150, blank=True, default="")
    motivo = models.CharField(_("motivo"), max_length=255, blank=True, default="")
    creato_il = models.DateTimeField(_("data"), null=True)

    class Meta:
        db_table = "movimento_magazzino"
        verbose_name = _("movimento di magazzino")
        verbose_name_plural = _("movimenti di magazzino")
        indexes = [
            models.Index(fields=["magazzino", "creato_il"], name="movimento_magazzino_scorta"),
            models.Index(fields=["creato_il"], name="movimento_magazzino_data"),
        ]

    def __str__(self) -> str:
        return f"{self.quantita:+d} {self.causa}"
