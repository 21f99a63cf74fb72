"""What to make next: which lines, in which order, and never the same piece twice."""

import itertools
from collections import defaultdict
from datetime import date
from functools import partial

import pytest
from django.db import connections

from ingestion.models import RawOperazione
from orders.models import Ordine, PezzoOrdine
from orders.next_lines import FICTITIOUS_QUANTITY, FIRST_PAGE, MAX_LINES, next_lines
from production.fields import Limits
from production.models import Pezzo
from tests.builders import make_raw_operazione
from tests.orders.builders import (
    make_cnc_pezzo,
    make_forgiature,
    make_lavorazioni,
    make_operazione,
    make_ordine_con,
    make_riga,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"]),
    pytest.mark.usefixtures("workshop"),
]


@pytest.fixture
def catalogue_only(workshop):
    """The plant without its two orders, so that each test has its own alone."""
    Ordine.objects.all().delete()


def asked(**options):
    return next_lines(Limits(), **options)


def to_make():
    """What is asked for: (order, piece) → pieces."""
    return {(row["id_ordine"], row["codice_pezzo"]): row["quantita_da_produrre"] for row in asked()}


def stage(count=1, **overrides):
    return [make_raw_operazione(**overrides) for _ in range(count)]


def stage_cnc(count=1, **overrides):
    fields = {
        "codice_pezzo": "PZC20",
        "tipo_operazione": "cnc",
        "numero_pezzi_ora": "3",
        "timestamp_fine": "2024-12-20T10:10:00Z",
    }
    return stage(count, **(fields | overrides))


# --- Which lines, in which order ------------------------------------------------------------


def test_a_line_as_the_flows_read_it():
    Pezzo.objects.filter(pk="PZC01").update(nome="Flangia")
    make_riga(8, "PZC01", 10, quantita_rimanente=7)

    assert asked() == [
        {
            "id_ordine": 8,
            "id_pezzo": "PZC01",
            "codice_pezzo": "PZC01",
            "nome": "Flangia",
            "quantita_totale": 10,
            "quantita_rimanente": 7,
            "quantita_da_produrre": 7,
            "fittizio": False,
        }
    ]


def test_the_oldest_order_comes_first_then_its_number_then_the_piece():
    late = make_ordine_con({"PZC20": 1, "PZC01": 1}, data_inizio=date(2024, 3, 2)).pk
    first = make_ordine_con({"PZC09": 1}, data_inizio=date(2024, 3, 1)).pk
    second = make_ordine_con({"PZC01": 1}, data_inizio=date(2024, 3, 1)).pk

    assert list(to_make()) == [
        (first, "PZC09"),
        (second, "PZC01"),
        (late, "PZC01"),
        (late, "PZC20"),
    ]


def test_at_most_five_lines_are_asked_for():
    orders = [
        make_ordine_con({"PZC01": 1}, data_inizio=date(2024, 3, day)).pk for day in range(1, 9)
    ]

    assert [order for order, _ in to_make()] == orders[:MAX_LINES]


@pytest.mark.parametrize("stato", ["COMPLETATO", "ANNULLATO"])
def test_only_waiting_orders_are_asked_for(stato):
    make_ordine_con({"PZC01": 5}, stato=stato)
    waiting = make_ordine_con({"PZC01": 0, "PZC20": 3}).pk

    assert to_make() == {(waiting, "PZC20"): 3}


# --- Staged or loaded, and not counted ------------------------------------------------------


def test_loaded_pieces_are_not_asked_for_again(update):
    make_riga(8, "PZC01", 10)
    make_riga(8, "PZC20", 10)
    make_forgiature(3)
    make_lavorazioni(5)

    assert to_make() == {(8, "PZC01"): 7, (8, "PZC20"): 8}

    update()
    assert to_make() == {(8, "PZC01"): 7, (8, "PZC20"): 8}


@pytest.mark.parametrize(
    "written", ["8", "8.0", " 8", "8 ", "08", "+8", "8,0", "8.00", "8e0", "8,00"]
)
def test_staged_pieces_are_not_asked_for_again(written):
    make_riga(8, "PZC01", 10)
    make_riga(8, "PZC20", 10)
    stage(3, id_ordine=written)
    stage_cnc(5, id_ordine=written)

    assert to_make() == {(8, "PZC01"): 7, (8, "PZC20"): 8}


def test_fractions_staged_loaded_and_counted_add_up(update):
    make_riga(8, "PZC20", 10)
    make_lavorazioni(1)
    update()
    make_lavorazioni(1)
    assert to_make() == {(8, "PZC20"): 9}
    stage_cnc(1)
    assert to_make() == {(8, "PZC20"): 9}
    stage_cnc(1)
    assert to_make() == {(8, "PZC20"): 8}


@pytest.mark.parametrize(
    "other",
    [
        {"id_ordine": "9"},
        {"id_ordine": None},
        {"id_ordine": "80"},
        {"codice_pezzo": "PZC09"},
        {"codice_pezzo": None},
        {"tipo_operazione": "tornitura"},
        {"stato": RawOperazione.Stato.ERROR},
        {"stato": RawOperazione.Stato.PROCESSED},
        {"tipo_operazione": "cnc", "numero_pezzi_ora": "30"},  # not the last step of the piece
    ],
)
def test_what_will_not_be_counted_for_the_line_is_not_subtracted(other):
    make_riga(8, "PZC01", 10)
    stage(2, **other)

    assert to_make()[8, "PZC01"] == 10


@pytest.mark.parametrize(
    "other",
    [
        {"ordine_id": 9},
        {"ordine_id": None},
        {"pezzo_id": "PZC09"},
        {"pezzo_id": None},
        {"tipo_operazione": None},
        {"tipo_operazione": "cnc"},
        {"da_contare": None},
    ],
)
def test_what_is_loaded_for_something_else_is_not_subtracted(other):
    make_riga(8, "PZC01", 10)
    make_operazione(**other)

    assert to_make()[8, "PZC01"] == 10


def test_staged_rates_are_read_as_the_transfer_reads_them():
    make_riga(8, "PZC20", 10)
    stage_cnc(1, numero_pezzi_ora="12.0", timestamp_fine="20/12/2024 11:10")  # ten minutes
    stage_cnc(1, numero_pezzi_ora="molti")
    stage_cnc(1, numero_pezzi_ora=None)
    stage_cnc(1, timestamp_fine=None)

    assert to_make() == {(8, "PZC20"): 8}


def test_the_limits_of_the_plant_say_what_a_staged_record_counts_for():
    make_riga(8, "PZC20", 10)
    stage_cnc(1, numero_pezzi_ora="12")

    strict = next_lines(Limits(pezzi_ora_max=10))

    assert [row["quantita_da_produrre"] for row in strict] == [10]
    assert to_make() == {(8, "PZC20"): 8}


def test_a_line_whose_pieces_are_all_on_their_way_is_skipped():
    make_riga(8, "PZC01", 3)
    make_riga(9, "PZC01", 3)
    make_forgiature(2)
    stage(1)
    stage(5, id_ordine="9", tipo_operazione="cnc")

    assert to_make() == {(9, "PZC01"): 3}


def test_too_many_on_their_way_take_nothing_from_another_line():
    make_riga(8, "PZC01", 3)
    make_riga(9, "PZC01", 3)
    make_forgiature(9)

    assert to_make() == {(9, "PZC01"): 3}


def test_lines_behind_many_skipped_ones_are_found():
    """More orders than the first two pages hold, each of them with all its pieces on their way."""
    for _ in range(3 * FIRST_PAGE + 1):
        full = make_ordine_con({"PZC20": 1}, data_inizio=date(2024, 1, 1)).pk
        make_lavorazioni(1, pezzi_ora=6, ordine_id=full)
    later = make_ordine_con({"PZC01": 4}, data_inizio=date(2024, 2, 1)).pk

    assert to_make() == {(later, "PZC01"): 4}


def test_the_oldest_order_is_first_however_many_were_entered_before_it():
    for day in range(1, FIRST_PAGE + 2):
        make_ordine_con({"PZC01": 1}, data_inizio=date(2024, 2, day))
    oldest = make_ordine_con({"PZC01": 1}, data_inizio=date(2024, 1, 1)).pk

    assert asked()[0]["id_ordine"] == oldest


def test_lines_of_an_order_of_many_lines_are_found():
    pieces = [make_cnc_pezzo(f"M{number:03}") for number in range(60)]
    order = make_ordine_con(dict.fromkeys([piece.pk for piece in pieces], 1)).pk
    for piece in pieces[:-1]:
        make_lavorazioni(1, pezzi_ora=6, ordine_id=order, pezzo_id=piece.pk)

    assert to_make() == {(order, "M059"): 1}


def test_nothing_is_asked_for_when_all_lines_are_on_their_way():
    make_riga(8, "PZC01", 3)
    make_forgiature(3)

    assert asked() == []
    assert not Ordine.objects.filter(fittizio=True).exists()


def test_six_calls_an_hour_never_ask_twice_for_the_same_pieces(update):
    """Each flow makes what it is told, and posts it; the transfer loads some of it between."""
    make_riga(8, "PZC01", 4)
    make_riga(8, "PZC20", 3)
    make_riga(9, "PZC01", 2)
    made = {(8, "PZC01"): 0, (8, "PZC20"): 0, (9, "PZC01"): 0}
    wanted = {(8, "PZC01"): 4, (8, "PZC20"): 3, (9, "PZC01"): 2}
    for call in range(6):
        for (order, piece), pieces in to_make().items():
            assert pieces == wanted[order, piece] - made[order, piece]
            count = min(pieces, 2)
            made[order, piece] += count
            if piece == "PZC20":
                stage_cnc(2 * count, id_ordine=f"{order}.0")
            elif call % 2:
                stage(count, id_ordine=str(order))
            else:
                make_forgiature(count, ordine_id=order)
        if call == 3:
            update()
    assert made == wanted
    assert asked() == []


# --- While a record moves -------------------------------------------------------------------


def load(raw, **overrides):
    """What the transfer does with a staged forging."""
    make_operazione(raw_uid=raw.uid, **overrides)
    RawOperazione.objects.filter(pk=raw.pk).update(stato=RawOperazione.Stato.PROCESSED)


class Meanwhile:
    """Things happen between two statements of whoever reads, on either database."""

    def __init__(self, *happenings):
        self.happenings = dict(happenings)
        self.seen = 0
        self.busy = False

    def __call__(self, proceed, sql, params, many, context):
        if not self.busy:
            self.seen += 1
            for happen in self.happenings.pop(self.seen, ()):
                self.busy = True
                happen()
                self.busy = False
        return proceed(sql, params, many, context)


def read_while(*happenings):
    """``to_make`` and how many statements it took."""
    meanwhile = Meanwhile(*happenings)
    with (
        connections["default"].execute_wrapper(meanwhile),
        connections["production"].execute_wrapper(meanwhile),
    ):
        return to_make(), meanwhile.seen


@pytest.mark.usefixtures("catalogue_only")
def test_a_record_that_moves_while_we_read_is_never_missed(update):
    """One piece of two is on its way: asking for two would make it twice."""
    for loaded_at, counted_at in itertools.combinations_with_replacement(range(1, 12), 2):
        order = make_ordine_con({"PZC01": 2}).pk
        (raw,) = stage(1, id_ordine=str(order))
        meanwhile = defaultdict(list)
        meanwhile[loaded_at].append(partial(load, raw, ordine_id=order))
        meanwhile[counted_at].append(update)

        found, statements = read_while(*meanwhile.items())

        assert found.get((order, "PZC01"), 0) <= 1, f"{loaded_at=} {counted_at=}"
        PezzoOrdine.objects.filter(ordine=order).update(quantita_rimanente=0)
    assert 4 <= statements < 11


def test_a_record_loaded_but_not_marked_is_subtracted_once(update):
    """As after a crash between the transfer's two commits; for up to an hour."""
    make_riga(8, "PZC01", 10)
    for raw in stage(3):
        make_operazione(raw_uid=raw.uid)

    assert to_make() == {(8, "PZC01"): 7}
    update()
    assert to_make() == {(8, "PZC01"): 7}


# --- Nothing waits --------------------------------------------------------------------------


@pytest.mark.usefixtures("catalogue_only")
def test_when_no_line_waits_five_are_made_up():
    answer = asked()

    assert [row["codice_pezzo"] for row in answer] == ["008", "8", "PZC01", "PZC09", "PZC10"]
    (order,) = Ordine.objects.all()
    assert order.fittizio
    assert {row["id_ordine"] for row in answer} == {order.pk}
    for row in answer:
        assert row["fittizio"] is True
        assert row["quantita_da_produrre"] == row["quantita_rimanente"] == FICTITIOUS_QUANTITY


@pytest.mark.usefixtures("catalogue_only")
def test_the_same_order_is_made_up_every_time(update, order_tables):
    first = asked()
    before = order_tables()
    assert [asked() for _ in range(5)] == [first] * 5
    assert order_tables() == before

    make_forgiature(30, ordine_id=first[0]["id_ordine"])
    update()
    assert asked() == first


@pytest.mark.usefixtures("catalogue_only")
def test_an_order_without_lines_or_completed_does_not_wait():
    make_ordine_con({})
    make_ordine_con({"PZC01": 3}, stato="COMPLETATO")

    assert len(asked()) == MAX_LINES


@pytest.mark.usefixtures("catalogue_only")
def test_made_up_lines_give_way_to_a_real_one():
    asked()
    order = make_ordine_con({"PZC09": 2}).pk

    assert to_make() == {(order, "PZC09"): 2}


@pytest.mark.usefixtures("catalogue_only")
def test_a_small_catalogue_makes_few_lines():
    Pezzo.objects.exclude(pk__in=["PZC01", "PZC20"]).delete()

    assert [row["codice_pezzo"] for row in asked()] == ["PZC01", "PZC20"]


@pytest.mark.usefixtures("catalogue_only")
def test_an_empty_catalogue_makes_none():
    Pezzo.objects.all().delete()

    assert asked() == []
    assert not Ordine.objects.exists()


@pytest.mark.usefixtures("catalogue_only")
def test_nothing_is_made_up_where_the_plant_does_not_want_it():
    assert asked(fictitious=False) == []
    assert not Ordine.objects.exists()


@pytest.mark.usefixtures("catalogue_only")
def test_an_order_made_up_by_halves_is_not_left_behind():
    def fail(proceed, sql, params, many, context):
        if sql.startswith("INSERT") and "pezzi_ordine" in sql:
            raise ZeroDivisionError
        return proceed(sql, params, many, context)

    with connections["production"].execute_wrapper(fail), pytest.raises(ZeroDivisionError):
        asked()

    assert not Ordine.objects.exists()
    assert len(asked()) == MAX_LINES


# --- How much it reads ----------------------------------------------------------------------


def test_reading_does_not_grow_with_what_is_counted(update):
    make_riga(8, "PZC01", 1000)
    make_forgiature(2)
    _, before = read_while()
    make_forgiature(300)
    update()
    make_forgiature(2)

    _, after = read_while()

    assert after == before
