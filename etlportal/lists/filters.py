"""By what lists are filtered: inputs of their own in the one form of a list, without a script."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Upper
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2100, 1, 1)

Params = dict[str, list[str]]


class FormFilter(admin.ListFilter):
    """A filter with inputs of its own, ``names``, in the one form of the list; needs no script."""

    template = "admin/form_filter.html"
    inputs_template: str

    @property
    def names(self) -> Sequence[str]:
        raise NotImplementedError

    def __init__(
        self, request: HttpRequest, params: Params, model: type[Model], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.names:
            value = params.pop(name, [""])[-1].replace("\x00", "").strip()
            if value:
                self.used_parameters[name] = value

    def expected_parameters(self) -> list[str | None]:
        return [*self.names]

    @property
    def is_set(self) -> bool:
        return bool(self.used_parameters)

    def has_output(self) -> bool:
        return True

    def without(self, changelist: ChangeList) -> str:
        return changelist.get_query_string(dict.fromkeys(self.names))


class TextFilter(FormFilter):
    """A box in which one value is written."""

    inputs_template = "admin/filter_inputs/text.html"
    parameter: str
    hint: Any = ""

    @property
    def names(self) -> Sequence[str]:
        return (self.parameter,)

    @property
    def text(self) -> str:
        return str(self.used_parameters.get(self.parameter, ""))

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield {"without": self.without(changelist), "options": self.options()}

    def options(self) -> list[tuple[str, Any]]:
        """For a filter whose ``inputs_template`` is the one with a list to choose from."""
        return []


class NumberFilter(TextFilter):
    """Rows whose column ``lookup`` is the number written."""

    hint = _("numero")
    lookup: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        number = row_number(self.text)
        return queryset.none() if number is None else queryset.filter(**{self.lookup: number})


class GivenTextFilter(TextFilter):
    """Reached by links from other pages; shown only while it is in force."""

    def has_output(self) -> bool:
        return self.is_set


def matching(rows: QuerySet[Any], text: str, fields: Sequence[str]) -> QuerySet[Any]:
    """Rows of which one of ``fields`` contains ``text``, in any case.

    Not ``icontains``: MySQL leaves the case to the column's collation, and codes are binary.
    """
    condition = Q()
    for field in fields:
        condition |= Q(**{f"upper_{field}__contains": text.upper()})
    return rows.alias(**{f"upper_{field}": Upper(field) for field in fields}).filter(condition)


class NamedRowsFilter(admin.SimpleListFilter):
    """Rows that their queryset knows by a name: ``rows``, as value → (label, how to ask)."""

    rows: Mapping[str, tuple[Any, Callable[[Any], QuerySet[Any]]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [(value, label) for value, (label, _ask) in self.rows.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        chosen = self.rows.get(self.value() or "")
        return chosen[1](queryset) if chosen else queryset


class MasterDataFilter(TextFilter):
    """Rows of one piece or machine, by its code, or of all whose code or name holds the text."""

    hint = _("codice o nome")
    lookup: str
    master: type[Model]
    words: Sequence[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        known = self.master._default_manager.order_by()
        if known.filter(pk=self.text).exists():
            return queryset.filter(**{self.lookup: self.text})
        return queryset.filter(**{f"{self.lookup}__in": matching(known, self.text, self.words)})


class DateRangeFilter(FormFilter):
    """Days of plant time, both included, on an indexed date-time column ``field``."""

    inputs_template = "admin/filter_inputs/days.html"
    field: str
    recent_days = ((_("Oggi"), 1), (_("Ultimi 7 giorni"), 7), (_("Ultimi 30 giorni"), 30))

    @property
    def names(self) -> Sequence[str]:
        return (f"{self.field}_dal", f"{self.field}_al")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup, days in zip(self.names, ("gte", "lt"), (0, 1), strict=True):
            if name not in self.used_parameters:
                continue
            try:
                day = date.fromisoformat(str(self.used_parameters[name]))
            except ValueError as error:
                raise IncorrectLookupParameters from error
            if not FIRST_DAY <= day <= LAST_DAY:
                raise IncorrectLookupParameters
            moment = midnight(day + timedelta(days=days))
            queryset = queryset.filter(**{f"{self.field}__{lookup}": moment})
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        first, last = self.names
        given, today = self.used_parameters, timezone.localdate()
        since = [(label, f"{today - timedelta(days=n - 1)}") for label, n in self.recent_days]
        yield {
            "without": self.without(changelist),
            "days": [(first, _("Dal"), given.get(first, "")), (last, _("Al"), given.get(last, ""))],
            "recent": [
                {
                    "label": label,
                    "query": changelist.get_query_string({first: day, last: None}),
                    "selected": given == {first: day},
                }
                for label, day in since
            ],
        }


def midnight(day: date) -> datetime:
    """The start of a day in plant time."""
    return timezone.make_aware(datetime.combine(day, time.min))


def row_number(text: str) -> int | None:
    """The text as a row's number; None if it is none, or longer than any database's."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
