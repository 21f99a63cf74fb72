"""What the start page asks of the plant's tables: bounded questions, plain answers.

Every question is for a window of time on an indexed column, so that it costs the same on a
year of production as on a week.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from production.models import Anomalia, AnomaliaOperazione, Macchinario, Operazione, TipoFermo
from production.vocabulary import ClasseFermo, OrigineAnomalia, TipoOperazione

# An operation that lasts longer is anomaly 107 (docs/regole.md, "Convalida"): older starts are not
# looked for.
LONGEST = timedelta(hours=24)
# Columns in plant time repeat an hour in autumn: ranges are asked for wider, and cut by instants.
REPEATED_HOUR = timedelta(hours=1)
MICROSECONDS = 1_000_000


class WorkedOperation(NamedTuple):
    """A loaded operation; instants in UTC, ``fine`` None where unknown.

    ``fermo``: the code of its stop, None when the machine worked. ``anomala``: it has an open
    anomaly of its own (those that the orders raise say nothing of the machine).
    """

    id_operazione: int
    macchinario: str | None
    pezzo: str | None
    ordine: int | None
    tipo: str | None
    inizio: datetime
    fine: datetime | None
    durata: Decimal | None
    fermo: str | None
    pezzi_ora: int | None
    pezzi_prodotti: Decimal | None
    anomala: bool


class KindCount(NamedTuple):
    id_anomalia: int
    nome: str
    numero: int


class PieceKindCount(NamedTuple):
    """``pezzo`` None: the operation has no known piece."""

    pezzo: str | None
    id_anomalia: int
    numero: int


class StopCount(NamedTuple):
    """``secondi`` of the ``numero`` stops, but for ``senza_durata`` of them, which have no end."""

    codice: str
    classe: str
    numero: int
    secondi: Decimal
    senza_durata: int


def open_anomalies() -> QuerySet[AnomaliaOperazione]:
    """The anomalies that wait for somebody: the one place that says which they are."""
    return AnomaliaOperazione.objects.to_handle().order_by()


def machines() -> list[tuple[str, str]]:
    """(code, type) of every machine of the master data, by code."""
    return list(Macchinario.objects.order_by("pk").values_list("pk", "tipo"))


def work_between(start: datetime, end: datetime) -> list[WorkedOperation]:
    """Operations of which a part is, or may be, in [start, end); by start."""
    stops = _stops()
    anomalies = open_anomalies().filter(
        ~Q(origine=OrigineAnomalia.ORDINI) | Q(origine=None), operazione=OuterRef("pk")
    )
    early = start - REPEATED_HOUR
    rows = (
        Operazione.objects.filter(
            Q(timestamp_inizio__gte=early) | Q(timestamp_fine__gte=early),
            Q(timestamp_inizio__gte=early - LONGEST, timestamp_inizio__lt=end + REPEATED_HOUR)
            | Q(timestamp_inizio=None, timestamp_fine__lt=end + REPEATED_HOUR),
        )
        .order_by("timestamp_inizio")
        .values_list(
            "pk",
            "macchinario_id",
            "pezzo_id",
            "ordine_id",
            "tipo_operazione",
            "timestamp_inizio",
            "timestamp_fine",
            "durata",
            "cnc__tipo_fermo_id",
            "cnc__numero_pezzi_ora",
            "cnc__pezzi_prodotti",
            Exists(anomalies),
        )
    )
    found = []
    for pk, machine, piece, order, kind, begun, ended, lasted, stop, rate, made, anomalous in rows:
        inizio, fine = instants(begun or ended, ended, lasted)  # no start: it fills no time
        if inizio < end and (fine or inizio) >= start:
            stopped = stop if stop in stops else None
            found.append(
                WorkedOperation(pk, machine, piece, order, kind, inizio, fine, lasted, stopped,
                                rate, made, bool(anomalous))
            )  # fmt: skip
    return found


def _stops() -> dict[str, str]:
    """Class by code of the types that are stops, that is all but "none"."""
    types = TipoFermo.objects.exclude(classe=ClasseFermo.NESSUNO).order_by()
    return dict(types.values_list("codice", "classe"))


def instants(
    begun: datetime, ended: datetime | None, durata: Decimal | None
) -> tuple[datetime, datetime | None]:
    """Start and end in UTC, of columns that hold plant time and the seconds between them.

    In the hour that comes twice in autumn the columns alone do not say which one is meant;
    the duration, which was taken before, often does.
    """
    first, second = (begun.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if durata is None:
        return first, ended.astimezone(UTC) if ended else None
    lasted = timedelta(microseconds=int(durata * MICROSECONDS))
    if first != second and ended is not None:
        fits = (first + lasted).astimezone(begun.tzinfo).replace(tzinfo=None)
        if fits != ended.replace(tzinfo=None):
            return second, second + lasted
    return first, first + lasted


def anomalies_by_kind() -> list[KindCount]:
    """Open anomalies of each kind that has some; the most first."""
    counts = dict(open_anomalies().values_list("anomalia_id").annotate(Count("pk")))
    names = kind_names(counts)
    rows = [KindCount(pk, names.get(pk, str(pk)), number) for pk, number in counts.items()]
    return sorted(rows, key=lambda row: (-row.numero, row.id_anomalia))


def anomalies_since(since: datetime) -> int:
    """Open anomalies raised since then."""
    return open_anomalies().filter(creata_il__gte=since).count()


def anomalies_by_piece(since: datetime) -> list[PieceKindCount]:
    """Open anomalies raised since then, of each piece and kind that has some."""
    raised = open_anomalies().filter(creata_il__gte=since)
    rows = raised.values_list("operazione__pezzo_id", "anomalia_id").annotate(Count("pk"))
    return [PieceKindCount(*row) for row in rows]


def kind_names(ids: Iterable[int]) -> dict[int, str]:
    """The catalogue's names of these kinds of anomaly."""
    kinds = Anomalia.objects.filter(pk__in=list(ids)).order_by()
    return dict(kinds.values_list("pk", "tipo_anomalia"))


def stops_since(since: datetime) -> list[StopCount]:
    """Stops of operations begun since then, by type; the longest first."""
    classes = _stops()
    rows = (
        Operazione.objects.filter(
            timestamp_inizio__gte=since,
            tipo_operazione=TipoOperazione.CNC,  # only they have a stop: half of the rows
            cnc__tipo_fermo__in=list(classes),
        )
        .order_by()
        .values_list("cnc__tipo_fermo_id")
        .annotate(
            numero=Count("pk"),
            secondi=Sum("durata", default=Decimal(0)),
            senza_durata=Count("pk", filter=Q(durata=None)),
        )
    )
    stops = [StopCount(code, classes[code], *numbers) for code, *numbers in rows]
    return sorted(stops, key=lambda row: (-row.secondi, row.codice))
