"""All rows of a list, in its order, few at a time: memory does not grow with the list.

Page after page by key, "those after this one" (not by number: to skip a million rows a server
reads them). Not in one statement: MySQL's client takes the whole answer into memory, of keys
alone 137 MB for 1,000,000 rows, and a statement may last no longer than its timeout.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.models import Q, QuerySet

BATCH = 1_000

Order = list[tuple[str, bool]]  # columns, the key last, and whether from the greatest down


def key_batches(rows: QuerySet[Any], limit: int) -> Iterator[list[Any]]:
    """The keys of the first ``limit`` rows in the order of ``rows``, in lists of ``BATCH``."""
    order = _own_columns(rows)
    if order is None:
        keys = list(rows.values_list("pk", flat=True)[:limit])
        yield from (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
        return
    largest = connections[rows.db].features.nulls_order_largest
    names = [name for name, _ in order]
    page = rows
    while limit > 0:
        found = list(page.values_list(*names)[: min(BATCH, limit)])
        if not found:
            return
        yield [values[-1] for values in found]
        limit -= len(found)
        page = rows.filter(_after(order, found[-1], largest))


def _own_columns(rows: QuerySet[Any]) -> Order | None:
    """By what the rows are sorted; None where it is not by their own columns alone.

    Only lists of master data can be sorted otherwise, and those have few rows.
    """
    order: Order = []
    key = rows.model._meta.pk.attname
    own = {field.attname for field in rows.model._meta.concrete_fields}
    for entry in map(str, rows.query.order_by):
        name = entry.lstrip("-")
        column = key if name == "pk" else name
        if column not in own:
            return None
        order.append((column, entry.startswith("-")))
        if column == key:
            return order
    return None


def _after(order: Order, values: tuple[Any, ...], largest: bool) -> Q:
    """The rows that come after the one with these values.

    ``largest``: whether the database sorts NULL above every value, as PostgreSQL does, or below.
    """
    condition, same = Q(), Q()
    for (name, descending), value in zip(order, values, strict=True):
        condition |= same & _beyond(name, descending, value, largest)
        same &= Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
    if values[0] is None:
        return condition
    # Says nothing new; with it a server starts in the index where the last page ended.
    return _beyond(*order[0], values[0], largest, or_equal="e") & condition


def _beyond(name: str, descending: bool, value: Any, largest: bool, or_equal: str = "") -> Q:
    null_comes_last = largest != descending
    if value is None:
        return Q(pk__in=()) if null_comes_last else Q(**{f"{name}__isnull": False})
    further = Q(**{f"{name}__{'lt' if descending else 'gt'}{or_equal}": value})
    return further | Q(**{f"{name}__isnull": True}) if null_comes_last else further
