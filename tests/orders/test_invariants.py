"""``verifica`` finds every figure of orders and stock that was altered by hand."""

import pytest
from django.db import connections

from ingestion.watch.invariants import INVARIANTS
from orders import invariants, services
from orders.models import Magazzino, MovimentoMagazzino, MovimentoProduzione, Ordine, PezzoOrdine
from production.models import Operazione
from tests.orders.builders import make_forgiature, make_ordine_con, make_riga, make_scorta
from tests.orders.shift import make_shift
from tests.orders.test_services import NOW

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"]),
    pytest.mark.usefixtures("workshop"),
]


def problems():
    return [problem for check in invariants.CHECKS for problem in check()]


def broken():
    return {problem.invariante for problem in problems()}


@pytest.fixture
def counted(update):
    """A counted shift, a cancelled order that returned pieces, a corrected stock: all well."""
    shift = make_shift()
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    make_forgiature(2)
    update()
    services.cancel_order(8, reason="prova", user="anna", now=NOW, returns_stock=True)
    scorta = Magazzino.objects.get(pezzo=shift.forgiato)
    services.correct_stock(scorta.pk, counted=60, reason="prova", user="anna", now=NOW)
    assert problems() == []
    return shift


def test_nothing_at_all_is_well():
    assert problems() == []


def test_verifica_includes_them():
    for check in invariants.CHECKS:
        assert INVARIANTS[check.__name__] is check


def first(table, **filters):
    return table.objects.filter(**filters).order_by("pk").first()


def bump(row, field, by=1):
    bump_all(row, **{field: by})


def bump_all(row, **changes):
    values = {field: getattr(row, field) + by for field, by in changes.items()}
    type(row).objects.filter(pk=row.pk).update(**values)


GIVEN = {"esito": "ORDINE", "dati__gt": 0}

ALTERED = {
    "a remaining quantity": (
        lambda: bump(first(PezzoOrdine, quantita_rimanente=0), "quantita_rimanente"),
        {"righe_quadrano", "ordini_completati_giusti"},
    ),
    "what a line drew": (
        lambda: bump(first(PezzoOrdine, prelevati__gt=0), "prelevati"),
        {"righe_quadrano"},
    ),
    "what a line returned": (
        lambda: bump(first(PezzoOrdine, resi__gt=0), "resi", -1),
        {"righe_quadrano"},
    ),
    "the carried sum of a line": (
        lambda: bump(first(PezzoOrdine, prodotti_us__gt=0), "prodotti_us", 5),
        {"somme_quadrano"},
    ),
    "the carried sum of stock": (
        lambda: bump(first(Magazzino), "prodotti_us", 5),
        {"somme_quadrano"},
    ),
    "a stock figure": (
        lambda: bump(first(Magazzino), "quantita_disponibile"),
        {"magazzino_quadra"},
    ),
    "an opening figure": (
        lambda: bump(first(Magazzino), "quantita_iniziale"),
        {"magazzino_quadra"},
    ),
    "a movement of stock": (
        lambda: bump(first(MovimentoMagazzino), "quantita"),
        {"magazzino_quadra"},
    ),
    "a movement of stock that is gone": (
        lambda: first(MovimentoMagazzino).delete(),
        {"magazzino_quadra"},
    ),
    "what the ledger gave": (
        lambda: bump(first(MovimentoProduzione, **GIVEN), "dati"),
        {"operazioni_contate_una_volta", "righe_quadrano"},
    ),
    "what the ledger gave, balanced": (
        lambda: bump_all(first(MovimentoProduzione, **GIVEN), dati=-1, eccedenza=1),
        {"righe_quadrano"},
    ),
    "whole pieces of the ledger, balanced": (
        lambda: bump_all(first(MovimentoProduzione, esito="MAGAZZINO"), pezzi=1, eccedenza=1),
        {"somme_quadrano"},
    ),
    "the exact pieces of the ledger": (
        lambda: bump(first(MovimentoProduzione, esito="MAGAZZINO"), "pezzi_us", -1),
        {"somme_quadrano"},
    ),
    "a row of the ledger that is gone": (
        lambda: first(MovimentoProduzione, **GIVEN).delete(),
        {"operazioni_contate_una_volta", "righe_quadrano", "somme_quadrano"},
    ),
    "an operation to be counted again": (
        lambda: Operazione.objects.filter(pk=first(Operazione).pk).update(da_contare=True),
        {"operazioni_contate_una_volta"},
    ),
    "an operation that will never be counted": (
        lambda: make_forgiature(1, da_contare=None),
        {"operazioni_contate_una_volta"},
    ),
    "an operation that another program hides": (
        lambda: make_forgiature(1, da_contare=False),
        {"operazioni_contate_una_volta"},
    ),
    "a completed order without end": (
        lambda: Ordine.objects.filter(stato="COMPLETATO").update(data_fine=None),
        {"ordini_completati_giusti"},
    ),
    "a completed order without lines": (
        lambda: make_ordine_con({}, stato="COMPLETATO", data_fine=NOW.date()),
        {"ordini_completati_giusti"},
    ),
    "a completed order with pieces left": (
        lambda: make_ordine_con({"PZC01": 1}, stato="COMPLETATO", data_fine=NOW.date()),
        {"ordini_completati_giusti"},
    ),
}


@pytest.mark.parametrize(("alter", "named"), list(ALTERED.values()), ids=list(ALTERED))
def test_what_was_altered_is_found(counted, alter, named):
    alter()

    assert broken() == named


@pytest.mark.servers
@pytest.mark.django_db(databases=["default", "production"], transaction=True)
def test_a_stock_below_zero_is_found(counted):
    """Whatever let it in: here the constraint is taken away, as a careless migration would."""
    name = "magazzino_disponibile"
    constraint = next(found for found in Magazzino._meta.constraints if found.name == name)
    with connections["production"].schema_editor() as editor:
        editor.remove_constraint(Magazzino, constraint)
    try:
        scorta = make_scorta("PZC09", -1)
        assert [problem.soggetto for problem in problems()] == [f"magazzino {scorta.pk} (PZC09)"]
    finally:
        Magazzino.objects.filter(pezzo="PZC09").delete()
        with connections["production"].schema_editor() as editor:
            editor.add_constraint(Magazzino, constraint)


def test_a_problem_names_the_row_and_the_figures(counted):
    Magazzino.objects.filter(pezzo="F").update(quantita_disponibile=61)
    line = PezzoOrdine.objects.get(ordine=counted.ordine, pezzo="F")
    MovimentoProduzione.objects.filter(**GIVEN, pezzo="F").delete()

    told = {problem.invariante: problem for problem in problems()}

    assert "61" in told["magazzino_quadra"].messaggio
    assert "60" in told["magazzino_quadra"].messaggio
    assert told["righe_quadrano"].soggetto == f"ordine {line.ordine_id}, pezzo F"
    assert told["somme_quadrano"].soggetto == "pezzo F"
    assert all(problem.messaggio.endswith(".") for problem in told.values())


def test_orders_that_nobody_has_counted_yet_are_well():
    make_riga(8, "PZC01", 10, quantita_rimanente=4)
    make_riga(9, "PZC01", 10)
    make_scorta("PZC01", 7)
    make_ordine_con({"PZC01": 10}, fittizio=True)
    make_forgiature(3)

    assert problems() == []
