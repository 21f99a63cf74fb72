"""The simulation's queries: the plant as it stands, orders coming in, what became of records."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.db import transaction

from etlportal.simulation.evaluation import Anomaly, Row
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


class NoPlant(LookupError):
    """Pieces, machines or operators are missing: there is nothing to simulate with."""


class NumbersTaken(Exception):
    """The numbers of a simulation's orders belong to other orders already."""


def load_plant(limits: Limits) -> SimulatedPlant:
    """The plant of the database; machines whose code begins with CNC are CNC.

    ``limits``: what the portal holds for plausible. Raises ``NoPlant``.
    """
    master = load_master_data()
    final_steps = dict(Pezzo.objects.values_list("pk", "fase_finale"))
    machines = sorted(master.macchinari)
    plant = SimulatedPlant(
        pezzi=[
            SimulatedPiece(code, limits_of_piece, final_steps[code])
            for code, limits_of_piece in sorted(master.pezzi.items())
        ],
        forge=[code for code in machines if not code.startswith(CNC_PREFIX)],
        cnc=[code for code in machines if code.startswith(CNC_PREFIX)],
        operatori=sorted(master.operatori),
        fermi=sorted(_stop_types()),
        nessun_fermo=NO_STOP if NO_STOP in master.tipi_fermo else "",
        limiti=limits,
    )
    if not (plant.pezzi and plant.forge and plant.cnc and plant.operatori):
        raise NoPlant
    return plant


def _stop_types() -> Iterable[str]:
    return TipoFermo.objects.exclude(classe=ClasseFermo.NESSUNO).values_list("pk", flat=True)


# --- Orders -------------------------------------------------------------------------------


def free_seed() -> int:
    """The first seed whose order numbers nobody has used."""
    seed = 1
    while Ordine.objects.filter(
        pk__range=(first_number(seed), first_number(seed) + MOST_ORDERS)
    ).exists():
        seed += 1
    return seed


def check_numbers(orders: Sequence[SimulatedOrder]) -> None:
    """Raises ``NumbersTaken`` unless each number is free, or is this very order already."""
    wanted = {order.id_ordine: order for order in orders}
    dates = dict(Ordine.objects.filter(pk__in=wanted).values_list("pk", "data_inizio"))
    lines: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for order, piece, quantity in PezzoOrdine.objects.filter(ordine__in=wanted).values_list(
        "ordine_id", "pezzo_id", "quantita_totale"
    ):
        lines[order].add((piece, quantity))
    for pk, day in dates.items():
        if (day, lines[pk]) != (wanted[pk].data_inizio, set(wanted[pk].linee)):
            raise NumbersTaken


def take_in_orders(orders: Sequence[SimulatedOrder]) -> None:
    """Writes the orders as the web shop does; those that are there already stay as they are."""
    present = set(
        Ordine.objects.filter(pk__in=[order.id_ordine for order in orders]).values_list(
            "pk", flat=True
        )
    )
    for order in orders:
        if order.id_ordine not in present:
            _create(order)


def _create(order: SimulatedOrder) -> None:
    name, vat_number = order.cliente
    with transaction.atomic(using="production"):
        # The names are not unique in the table: two simulations at once may make one twice.
        customer = Cliente.objects.filter(nome=name, partita_iva=vat_number).order_by("pk").first()
        if customer is None:
            customer = Cliente.objects.create(nome=name, partita_iva=vat_number)
        row = Ordine.objects.create(
            pk=order.id_ordine,
            cliente=customer,
            data_inizio=order.data_inizio,
            totale_pezzi=sum(quantity for _, quantity in order.linee),
        )
        PezzoOrdine.objects.bulk_create(
            PezzoOrdine(
                ordine=row, pezzo_id=piece, quantita_totale=quantity, quantita_rimanente=quantity
            )
            for piece, quantity in order.linee
        )


# --- What became of the records -----------------------------------------------------------


def find_received(truth: Truth) -> dict[str, list[dict[int, Row]]]:
    """The receptions of each body of the truth, by SHA-256: its records by place."""
    receptions: dict[str, list[dict[int, Row]]] = defaultdict(list)
    for hashes in _chunks(body.invio for body in truth.invii):
        lotti = LottoRicevuto.objects.filter(sha256__in=hashes).order_by("uuid")
        for uuid, sha256 in lotti.values_list("uuid", "sha256"):
            staged = dict(RawOperazione.objects.filter(lotto=uuid).values_list("indice", "uid"))
            ids = ids_by_uid(list(staged.values()))
            anomalies = _anomalies_of(list(ids.values()))
            receptions[sha256].append(
                {
                    indice: Row(uid in ids, tuple(anomalies[ids[uid]]) if uid in ids else ())
                    for indice, uid in staged.items()
                    if indice is not None
                }
            )
    return receptions


def _anomalies_of(operations: list[int]) -> dict[int, list[Anomaly]]:
    """Anomalies of what the records say, by operation; not those that orders raise."""
    found: dict[int, list[Anomaly]] = defaultdict(list)
    for ids in _chunks(operations):
        rows = AnomaliaOperazione.objects.filter(operazione__in=ids).exclude(
            origine=OrigineAnomalia.ORDINI
        )
        for operation, kind, campo in rows.values_list("operazione_id", "anomalia_id", "campo"):
            found[operation].append((kind, campo))
    return found


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
