"""Orders, production, updates, crashes and acts of staff in any order, against a model.

The model knows nothing of chunks, locks, ledgers or microseconds: it keeps fractions, and the
figures that docs/regole.md, "Ordini" says they lead to.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor

import hypothesis
import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from ingestion.models import EsecuzioneEtl
from ingestion.runs.queue import start
from ingestion.runs.running import do_work
from orders import services
from orders.counting.run import Counting, CountingOptions
from orders.invariants import CHECKS
from orders.models import (
    Magazzino,
    MovimentoMagazzino,
    MovimentoProduzione,
    Ordine,
    PezzoOrdine,
)
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione, Pezzo
from production.timestamps import utc_to_plant
from tests.builders import make_pezzo
from tests.orders.builders import (
    NO_LIMITS,
    make_cnc_pezzo,
    make_forgiature,
    make_lavorazioni,
    make_ordine_con,
    make_riga,
    make_scorta,
    make_update,
)
from tests.orders.conftest import DEAD_AFTER

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

NOON = datetime(2024, 12, 1, 12, tzinfo=UTC)
EMPTIED = (
    MovimentoMagazzino,
    MovimentoProduzione,
    AnomaliaOperazione,
    Forgiatura,
    Cnc,
    Operazione,
    Magazzino,
    PezzoOrdine,
    Ordine,
    Pezzo,
    EsecuzioneEtl,
)
FINAL_STEP = {"F": "forgiatura", "C": "cnc"}
WAITING, COMPLETED, CANCELLED = "IN ATTESA", "COMPLETATO", "ANNULLATO"


# --- The model ------------------------------------------------------------------------------


@dataclass
class Made:
    """An operation; ``pieces`` exactly."""

    order: int | None
    piece: str | None
    kind: str | None
    pieces: Fraction
    day: date


@dataclass
class ModelLine:
    total: int
    remaining: int
    drawn: int
    given: int = 0
    returned: int = 0
    made: Fraction = Fraction(0)


@dataclass
class ModelOrder:
    state: str = WAITING
    end: date | None = None
    confirmed: bool = False
    lines: dict[str, ModelLine] = field(default_factory=dict)
    last_given: date | None = None

    @property
    def is_full(self):
        return bool(self.lines) and all(not line.remaining for line in self.lines.values())

    def complete(self):
        if self.state == WAITING and self.is_full:
            self.state = COMPLETED
            self.end = self.last_given or utc_to_plant(timezone.now()).date()


@dataclass
class Model:
    blanks: bool
    stock: dict[str, int]
    orders: dict[int, ModelOrder] = field(default_factory=dict)
    fictitious: int = 0
    uncounted: dict[int, Made] = field(default_factory=dict)
    counted: int = 0
    loose: dict[str, Fraction] = field(default_factory=lambda: dict.fromkeys("FC", Fraction(0)))

    def count(self, ids):
        """These operations, in the order of the queue; returns the orders that got pieces."""
        touched = set()
        for pk in sorted(ids, key=lambda pk: (self.uncounted[pk].order or 0, pk)):
            operation = self.uncounted.pop(pk)
            self.counted += 1
            if self._count_one(operation):
                touched.add(operation.order)
        return touched

    def _count_one(self, operation):
        piece, order = operation.piece, self.orders.get(operation.order)
        if operation.order == self.fictitious or operation.kind != FINAL_STEP.get(piece, ""):
            return 0
        line = order.lines.get(piece) if order else None
        if line is None:
            before, self.loose[piece] = self.loose[piece], self.loose[piece] + operation.pieces
            pieces, given = floor(self.loose[piece]) - floor(before), 0
        else:
            before, line.made = line.made, line.made + operation.pieces
            pieces = floor(line.made) - floor(before)
            given = min(pieces, line.remaining) if order.state == WAITING else 0
            line.remaining -= given
            line.given += given
            if given:
                order.last_given = max(operation.day, order.last_given or operation.day)
        self.stock[piece] += -min(pieces, self.stock[piece]) if self.blanks else pieces - given
        return given

    def take(self, line, piece, wanted):
        got = min(wanted, self.stock[piece])
        self.stock[piece] -= got
        line.remaining -= got
        return got

    def figures(self):
        return {
            "orders": {number: (order.state, order.end) for number, order in self.orders.items()},
            "lines": {
                (number, piece): (
                    line.total,
                    line.remaining,
                    line.drawn,
                    line.given,
                    line.returned,
                )
                for number, order in self.orders.items()
                for piece, line in order.lines.items()
            },
            "stock": {piece: figure for piece, figure in self.stock.items() if figure},
            "uncounted": set(self.uncounted),
            "counted": self.counted,
        }


def stored_figures(fictitious):
    given = {}
    ledger = MovimentoProduzione.objects.values_list("ordine", "pezzo", "dati")
    for order, piece, pieces in ledger:
        given[order, piece] = given.get((order, piece), 0) + pieces
    lines = PezzoOrdine.objects.exclude(ordine=fictitious)
    return {
        "orders": {
            row.pk: (row.stato, row.data_fine) for row in Ordine.objects.exclude(pk=fictitious)
        },
        "lines": {
            (row.ordine_id, row.pezzo_id): (
                row.quantita_totale,
                row.quantita_rimanente,
                row.quantita_totale - row.quantita_rimanente
                if row.prelevati is None
                else row.prelevati,
                given.get((row.ordine_id, row.pezzo_id), 0),
                row.resi,
            )
            for row in lines
        },
        "stock": dict(
            Magazzino.objects.filter(quantita_disponibile__gt=0).values_list(
                "pezzo", "quantita_disponibile"
            )
        ),
        "uncounted": set(Operazione.objects.filter(da_contare=True).values_list("pk", flat=True)),
        "counted": len(ledger),
    }


def every_row():
    tables = [model for model in EMPTIED if model is not EsecuzioneEtl]
    return {model: list(model.objects.order_by("pk").values_list()) for model in tables}


# --- The machine ----------------------------------------------------------------------------


class Crash(Exception):
    pass


def update(chunk_size, blanks, crash_at=0):
    """Runs an update; at its ``crash_at``-th statement the program breaks."""
    seen = 0

    def execute(proceed, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == crash_at:
            raise Crash
        return proceed(sql, params, many, context)

    run = make_update()
    start(run, DEAD_AFTER, timezone.now())
    work = Counting(CountingOptions(grezzi=blanks, chunk_size=chunk_size))
    with connections["production"].execute_wrapper(execute):
        return do_work(run, work)


quantities = st.integers(0, 6)
chunk_sizes = st.sampled_from([1, 2, 3, 5, 100])
lines = st.fixed_dictionaries(
    {"F": st.tuples(quantities, quantities)}, optional={"C": st.tuples(quantities, quantities)}
)
batches = st.lists(
    st.one_of(
        st.builds(
            dict,
            kind=st.just("forgiatura"),
            piece=st.sampled_from(["F", "F", "F", "F", "C", None]),
            order=st.integers(0, 5),
            repeats=st.integers(1, 5),
            days=st.integers(0, 40),
        ),
        st.builds(
            dict,
            kind=st.just("cnc"),
            piece=st.sampled_from(["C", "C", "C", "C", "F"]),
            order=st.integers(0, 5),
            repeats=st.integers(1, 5),
            days=st.integers(0, 40),
            rate=st.sampled_from([2, 3, 7, 12, 40, 0, None]),
            minutes=st.sampled_from([10, 20, 7, 30, 0]),
        ),
    ),
    min_size=1,
    max_size=6,
)


class Plant(RuleBasedStateMachine):
    """Few orders, so that each of them lives through much."""

    orders = Bundle("orders")

    @initialize(target=orders, blanks=st.booleans(), stock=quantities, first=lines, second=lines)
    def open(self, blanks, stock, first, second):
        make_pezzo("F", **NO_LIMITS)
        make_cnc_pezzo("C")
        make_scorta("F", stock)
        self.model = Model(blanks, {"F": stock, "C": 0})
        self.model.fictitious = make_ordine_con({"F": 5, "C": 5}, fittizio=True).pk
        return multiple(*(self._order(each) for each in (first, second, {})))

    @rule(target=orders, lines=lines)
    def another_order(self, lines):
        return self._order(lines)

    def _order(self, lines):
        """As the web shop writes it: some of each line may be drawn already."""
        number = make_ordine_con({}).pk
        order = self.model.orders[number] = ModelOrder()
        for piece, (remaining, drawn) in lines.items():
            total = remaining + drawn
            make_riga(number, piece, total, quantita_rimanente=remaining)
            order.lines[piece] = ModelLine(total, remaining, drawn)
        return number

    def _produce(self, batches):
        """``order``: which one, of those there are, the fictitious one and none."""
        numbers = [*self.model.orders, self.model.fictitious, None]
        for batch in batches:
            self._produce_batch(**batch | {"order": numbers[batch["order"] % len(numbers)]})

    def _produce_batch(self, kind, piece, order, repeats, days, rate=None, minutes=0):
        end = NOON + timedelta(days=days)
        common = {"ordine_id": order, "pezzo_id": piece, "timestamp_fine": end}
        if kind == "cnc":
            rows = make_lavorazioni(repeats, rate, minutes, **common)
            pieces = Fraction((rate or 0) * minutes, 60)
        else:
            rows = make_forgiature(repeats, **common)
            pieces = Fraction(1)
        made = Made(order, piece, kind, pieces, end.date())
        self.model.uncounted.update({row.pk: made for row in rows})

    @rule(batches=batches, chunk_size=chunk_sizes)
    def produce_and_count(self, batches, chunk_size):
        self._produce(batches)
        assert update(chunk_size, self.model.blanks).stato == "OK"
        self._all_is_counted()
        before = every_row()
        assert update(chunk_size, self.model.blanks).letti == 0
        assert every_row() == before

    @rule(batches=batches, chunk_size=chunk_sizes, crash_at=st.integers(1, 60))
    def produce_and_crash(self, batches, chunk_size, crash_at):
        self._produce(batches)
        run = update(chunk_size, self.model.blanks, crash_at)
        if run.stato == "OK":  # it ended before
            self._all_is_counted()
            return
        assert run.stato == "ERRORE"
        present = set(MovimentoProduzione.objects.values_list("pk", flat=True))
        for number in self.model.count(present & set(self.model.uncounted)):
            self.model.orders[number].complete()

    def _all_is_counted(self):
        self.model.count(list(self.model.uncounted))
        for order in self.model.orders.values():
            order.complete()

    @rule(order=orders, act=st.sampled_from(["confirm", "cancel", "cancel", "reopen", "reopen"]))
    def staff(self, order, act):
        getattr(self, f"_{act}")(order, self.model.orders[order])

    def _confirm(self, number, order):
        allowed = order.state == WAITING and not order.confirmed
        draws = not self.model.blanks
        if self._act(services.confirm_order, allowed, number, draws_stock=draws):
            order.confirmed = True
            for piece, line in order.lines.items():
                line.drawn += self.model.take(line, piece, line.remaining if draws else 0)

    def _cancel(self, number, order):
        returns = not self.model.blanks
        if self._act(
            services.cancel_order,
            order.state == WAITING,
            number,
            reason="prova",
            returns_stock=returns,
        ):
            order.state = CANCELLED
            for piece, line in order.lines.items():
                had = line.total - line.remaining if returns else 0
                self.model.stock[piece] += had
                line.returned += had
                line.remaining += had

    def _reopen(self, number, order):
        if self._act(services.reopen_order, order.state == CANCELLED, number, reason="prova"):
            order.state = WAITING
            for piece, line in order.lines.items():
                wanted = min(line.returned, line.remaining)
                line.returned -= self.model.take(line, piece, wanted)

    def _act(self, act, allowed, number, **options):
        if allowed:
            act(number, user="anna", now=NOON, **options)
        else:
            with pytest.raises(services.RefusedAct):
                act(number, user="anna", now=NOON, **options)
        return allowed

    @rule(counted=quantities)
    def correct(self, counted):
        scorta = Magazzino.objects.get(pezzo="F")
        services.correct_stock(scorta.pk, counted=counted, reason="prova", user="anna", now=NOON)
        self.model.stock["F"] = counted

    @invariant()
    def the_database_is_as_the_model_says(self):
        stored = stored_figures(self.model.fictitious)
        assert stored == self.model.figures()
        for total, remaining, drawn, given, returned in stored["lines"].values():
            assert total - remaining == drawn + given - returned
            assert 0 <= remaining <= total

    @invariant()
    def all_is_well(self):
        assert [problem for check in CHECKS for problem in check()] == []

    def teardown(self):
        for model in EMPTIED:
            model.objects.all()._raw_delete(model.objects.db)


def test_any_history_leaves_the_figures_of_the_model(catalogue):
    on_servers = connections["production"].vendor == "mysql"
    run_state_machine_as_test(
        Plant,
        settings=hypothesis.settings(
            max_examples=12 if on_servers else 25,
            stateful_step_count=15,
            deadline=None,
            phases=set(hypothesis.Phase) - {hypothesis.Phase.shrink},  # takes minutes, for 15 steps
        ),
    )
