"""What every list of the admin shares, so that it stays fast with millions of rows.

A list counts at most ``COUNT_LIMIT`` rows, sorts and filters by indexed columns only, and never
renders the options of a big table. Used by the ``admin`` modules of all apps.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Upper
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from etlportal.lists.exports import ExportMixin

COUNT_LIMIT = 2_000
EMPTY = "—"  # also the site's empty_value_display
FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2100, 1, 1)

Params = dict[str, list[str]]


class BoundedPaginator(Paginator):
    """Counts no more than ``COUNT_LIMIT`` rows; ``more`` says that there are others."""

    @cached_property
    def found(self) -> list[Any]:
        """Keys in no order, by whatever index finds them first; one above the limit if more."""
        rows: Any = self.object_list
        return list(rows.order_by().values_list("pk", flat=True)[: COUNT_LIMIT + 1])

    @cached_property
    def count(self) -> int:
        return min(len(self.found), COUNT_LIMIT)

    @property
    def more(self) -> bool:
        return len(self.found) > COUNT_LIMIT


class FastChangeList(ChangeList):
    """Finds a page's keys first, from indexes alone, and then reads those few rows.

    Reading whole rows while sorting, servers choose to sort the whole table with its joins.
    For the same reason a list is sorted by the column whose range is asked for: with the range
    on one index and the order on another, all newer rows may be read to find the first page.
    And so, where few rows match, those few alone are sorted.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = self.rows(list(self._page().values_list("pk", flat=True)))

    def _page(self) -> Any:
        """The rows of this page, of which only the keys are asked."""
        if self.paginator.more:
            return self.result_list
        few = self.queryset.filter(pk__in=self.paginator.found)
        if self.show_all or not self.multi_page:
            return few
        first = (self.page_num - 1) * self.list_per_page
        return few[first : first + self.list_per_page]

    def rows(self, keys: Sequence[Any]) -> list[Any]:
        """The rows with these keys, in their order, as the list shows them."""
        heavy = getattr(self.model_admin, "list_defer", ())
        found = self.apply_select_related(self.root_queryset).defer(*heavy).in_bulk(keys)
        rows = [found[key] for key in keys if key in found]
        admin_of_list: Any = self.model_admin
        admin_of_list.note_rows(rows)
        return rows

    @property
    def forms(self) -> list["FormFilter"]:
        return [spec for spec in self.filter_specs if isinstance(spec, FormFilter)]

    @property
    def other_parameters(self) -> list[tuple[str, str]]:
        """What the filters' form has to hand on: the list's parameters that it has no input for."""
        own = {name for spec in self.forms for name in spec.names}
        return [
            (name, value)
            for name, values in self.filter_params.items()
            if name not in own
            for value in values
        ]

    def get_filters_params(self, params: Any = None) -> Any:
        """Without the inputs that were left empty."""
        given = super().get_filters_params(params)
        return {name: values for name, values in given.items() if any(values)}

    def get_ordering_field(self, field_name: Any) -> Any:
        """None for a column that may not be sorted by, also if the address asks for it."""
        if self.sortable_by is not None and field_name not in self.sortable_by:
            return None
        return super().get_ordering_field(field_name)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        ranged = [
            spec.field for spec in self.forms if isinstance(spec, DateRangeFilter) and spec.is_set
        ]
        if ranged and not self.params.get(ORDER_VAR):
            return [f"-{ranged[0]}", "-pk"]
        return super().get_ordering(request, queryset)


class FastListAdmin(ExportMixin):
    """``list_defer``: columns that the list does not need and the detail page does."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    ordering: ClassVar[Any] = ("-pk",)
    sortable_by: ClassVar[Any] = ()
    list_defer: ClassVar[Sequence[str]] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FastChangeList


class ReadOnlyMixin:
    """Rows that only the portal itself writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, FastListAdmin):
    pass


class NumberSearchMixin:
    """A search box that takes the row's own number."""

    search_fields: ClassVar[Any] = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        number = row_number(search_term.strip())
        return (queryset.none() if number is None else queryset.filter(pk=number)), False


def row_number(text: str) -> int | None:
    """The text as a row's number; None if it is none, or longer than any database's."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


class EditableAdmin(FastListAdmin):
    """Rows that staff may edit; ``search_fields`` are text fields of the row itself.

    A row in use is never offered for deletion: the admin would gather every row that refers
    to it, which may be all operations. For the same reason there is no deletion of many.
    """

    ordering = None
    sortable_by = None
    actions = None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split():
            queryset = matching(queryset, word, self.search_fields)
        return queryset, False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_used(obj))


def is_used(row: Model) -> bool:
    """Whether any other row refers to this one; asks each table for one row at most."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: row}).exists()
        for relation in row._meta.related_objects
    )


# --- Filters ------------------------------------------------------------------------------


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
        first, last = (self._day(name) for name in self.names)
        if first:
            queryset = queryset.filter(**{f"{self.field}__gte": midnight(first)})
        if last:
            queryset = queryset.filter(**{f"{self.field}__lt": midnight(last + timedelta(days=1))})
        return queryset

    def _day(self, name: str) -> date | None:
        text = self.used_parameters.get(name)
        if text is None:
            return None
        try:
            day = date.fromisoformat(str(text))
        except ValueError as error:
            raise IncorrectLookupParameters from error
        if not FIRST_DAY <= day <= LAST_DAY:
            raise IncorrectLookupParameters
        return day

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        first_name, last_name = self.names
        yield {
            "without": self.without(changelist),
            "days": [
                (first_name, _("Dal"), self.used_parameters.get(first_name, "")),
                (last_name, _("Al"), self.used_parameters.get(last_name, "")),
            ],
            "recent": [self._recent(changelist, label, days) for label, days in self.recent_days],
        }

    def _recent(self, changelist: ChangeList, label: Any, days: int) -> dict[str, Any]:
        first_name, last_name = self.names
        first = (timezone.localdate() - timedelta(days=days - 1)).isoformat()
        return {
            "label": label,
            "query": changelist.get_query_string({first_name: first, last_name: None}),
            "selected": self.used_parameters == {first_name: first},
        }


def midnight(day: date) -> datetime:
    """The start of a day in plant time."""
    return timezone.make_aware(datetime.combine(day, time.min))


# --- How values are shown -----------------------------------------------------------------

# A function as an entry of list_display, fields or readonly_fields; django-stubs knows names only.
Column = Any


def badge(kind: str, label: Any) -> SafeString:
    """A coloured label. ``kind``: ok, warning, error, running or waiting (portal.css)."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, label)


def breakable(name: Any) -> SafeString:
    """A name such as TEMPERATURA_FUORI_SPECIFICA, which a narrow column may break at each _."""
    return format_html_join(SafeString("_<wbr>"), "{}", ((word,) for word in str(name).split("_")))


def plant_time(moment: datetime | None) -> str:
    """22/11/2026 06:10:00 in plant time, in every language of the portal."""
    return date_format(timezone.localtime(moment), "d/m/Y H:i:s") if moment else EMPTY


def readable_duration(seconds: Any) -> str:
    """12,3 s under a minute, else 1:05:00 (hours, minutes, seconds)."""
    if seconds is None:
        return EMPTY
    if abs(seconds) < 60:
        return f"{number_format(round(seconds, 1))} s"
    return str(timedelta(seconds=round(seconds)))


def label_of(model: type[Model], name: str) -> Any:
    """The (lazily translated) label of a column."""
    return model._meta.get_field(name).verbose_name  # type: ignore[union-attr]


def moment_column(model: type[Model], name: str) -> Column:
    """A list column or read-only field for a date-time, seconds included."""

    @admin.display(description=label_of(model, name), ordering=name)
    def column(row: Any) -> str:
        return plant_time(getattr(row, name))

    column.__name__ = name
    return column


def short_column(model: type[Model], name: str, length: int = 60) -> Column:
    """A list column for a text without limit."""

    @admin.display(description=label_of(model, name))
    def column(row: Any) -> str:
        text = getattr(row, name)
        return EMPTY if text is None else Truncator(text).chars(length)

    column.__name__ = name
    return column
