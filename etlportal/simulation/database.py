"""The simulation's queries: the plant as it stands, orders coming in, what became of records."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.db import transaction

from etlportal.simulation.evaluation import Anomaly, Reception
from etlportal.simulation.plant import SimulatedPiece, SimulatedPlant
from etlportal.simulation.truth import Truth
from etlportal.simulation.work import MOST_ORDERS, SimulatedOrder, first_number
from ingestion.models import LottoRicevuto, RawOperazione
from ingestion.transfer.load import ids_by_uid
from ingestion.transfer.master_data import load_master_data
from orders.models import Cliente, Ordine, PezzoOrdine
from production.fields import Limits
from production.models import AnomaliaOperazione, Pezzo, TipoFermo
from production.vocabulary import ClasseFermo, OrigineAnomalia

T = TypeVar("T")

CHUNK = 500
CNC_PREFIX = "CNC"
NO_STOP = "nessun_fermo"


class CannotSimulate(Exception):
    """The text, in Italian, says why."""


def load_plant(limits: Limits) -> SimulatedPlant:
    """The plant of the database; machines whose code begins with CNC are CNC.

    ``limits``: what the portal holds for plausible. Raises ``CannotSimulate``
    where pieces, machines or operators are missing.
    """
    master = load_master_data()
    final_steps = dict(Pezzo.objects.values_list("pk", "fase_finale"))
    machines = sorted(master.macchinari)
    stops = TipoFermo.objects.exclude(classe=ClasseFermo.NESSUNO).values_list("pk", flat=True)
    plant = SimulatedPlant(
        pezzi=[
            SimulatedPiece(code, limits_of_piece, final_steps[code])
            for code, limits_of_piece in sorted(master.pezzi.items())
        ],
        forge=[code for code in machines if not code.startswith(CNC_PREFIX)],
        cnc=[code for code in machines if code.startswith(CNC_PREFIX)],
        operatori=sorted(master.operatori),
        fermi=sorted(stops),
        nessun_fermo=NO_STOP if NO_STOP in master.tipi_fermo else "",
        limiti=limits,
    )
    if not (plant.pezzi and plant.forge and plant.cnc and plant.operatori):
        raise CannotSimulate(
            "Mancano pezzi, macchinari o operatori: caricare le anagrafiche "
            "(per provare: manage.py loaddata --database production impianto_demo)."
        )
    return plant


# --- Orders -------------------------------------------------------------------------------


def free_seed() -> int:
    """The first seed whose order numbers nobody has used."""
    seed = 1
    while Ordine.objects.filter(
        pk__range=(first_number(seed), first_number(seed) + MOST_ORDERS)
    ).exists():
        seed += 1
    return seed


def check_numbers(orders: Sequence[SimulatedOrder], seed: int) -> None:
    """Raises ``CannotSimulate`` unless each number is free, or is this very order already."""
    wanted = {order.id_ordine: order for order in orders}
    dates = dict(Ordine.objects.filter(pk__in=wanted).values_list("pk", "data_inizio"))
    lines: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for order, piece, quantity in PezzoOrdine.objects.filter(ordine__in=wanted).values_list(
        "ordine_id", "pezzo_id", "quantita_totale"
    ):
        lines[order].add((piece, quantity))
    for pk, day in dates.items():
        if (day, lines[pk]) != (wanted[pk].data_inizio, set(wanted[pk].linee)):
            raise CannotSimulate(
                f"Gli ordini del seme {seed} ci sono già, e sono altri: indicare un altro --seed."
            )


def take_in_orders(orders: Sequence[SimulatedOrder]) -> None:
    """Writes the orders as the web shop does; those that are there already stay as they are."""
    numbers = [order.id_ordine for order in orders]
    present = set(Ordine.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    for order in orders:
        if order.id_ordine in present:
            continue
        name, vat_number = order.cliente
        with transaction.atomic(using="production"):
            # The names are not unique in the table: two simulations at once may make one twice.
            same = Cliente.objects.filter(nome=name, partita_iva=vat_number).order_by("pk")
            row = Ordine.objects.create(
                pk=order.id_ordine,
                cliente=same.first() or Cliente.objects.create(nome=name, partita_iva=vat_number),
                data_inizio=order.data_inizio,
                totale_pezzi=sum(quantity for _, quantity in order.linee),
            )
            PezzoOrdine.objects.bulk_create(
                PezzoOrdine(
                    ordine=row, pezzo_id=piece, quantita_totale=wanted, quantita_rimanente=wanted
                )
                for piece, wanted in order.linee
            )


# --- What became of the records -----------------------------------------------------------


def find_received(truth: Truth) -> dict[str, list[Reception]]:
    """The receptions of each body of the truth, by its SHA-256."""
    receptions: dict[str, list[Reception]] = defaultdict(list)
    for hashes in _chunks(truth.invii):
        lotti = LottoRicevuto.objects.filter(sha256__in=hashes).order_by("uuid")
        for uuid, sha256 in lotti.values_list("uuid", "sha256"):
            staged = dict(RawOperazione.objects.filter(lotto=uuid).values_list("indice", "uid"))
            ids = ids_by_uid(list(staged.values()))
            anomalies: dict[int, list[Anomaly]] = {pk: [] for pk in ids.values()}
            for some in _chunks(anomalies):
                # What the records say; not what orders raise.
                rows = AnomaliaOperazione.objects.filter(operazione__in=some).exclude(
                    origine=OrigineAnomalia.ORDINI
                )
                found = rows.values_list("operazione_id", "anomalia_id", "campo")
                for operation, kind, campo in found:
                    anomalies[operation].append((kind, campo))
            receptions[sha256].append(
                {
                    indice: anomalies[ids[uid]] if uid in ids else None
                    for indice, uid in staged.items()
                    if indice is not None
                }
            )
    return receptions


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
