"""What every list of the admin shares, so that it stays fast with millions of rows.

A list counts at most ``COUNT_LIMIT`` rows, sorts and filters by indexed columns only, and never
renders the options of a big table. Used by the ``admin`` modules of all apps.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import IntegerField, Model, Q, QuerySet, UUIDField
from django.http import HttpRequest
from django.utils.functional import cached_property

from etlportal.lists.columns import Column
from etlportal.lists.exports import ExportMixin
from etlportal.lists.filters import (
    DateRangeFilter,
    FormFilter,
    matching,
    read_uuid,
    row_number,
)
from etlportal.lists.panels import PanelsMixin

COUNT_LIMIT = 2_000


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
        page: Any = self.result_list
        if not self.paginator.more:
            page = self.queryset.filter(pk__in=self.paginator.found)
            if self.multi_page and not self.show_all:
                first = (self.page_num - 1) * self.list_per_page
                page = page[first : first + self.list_per_page]
        self.result_list = self.rows(list(page.values_list("pk", flat=True)))

    def rows(self, keys: Sequence[Any]) -> list[Any]:
        """The rows with these keys, in their order, as the list shows them."""
        heavy = getattr(self.model_admin, "list_defer", ())
        found = self.apply_select_related(self.root_queryset).defer(*heavy).in_bulk(keys)
        rows = [found[key] for key in keys if key in found]
        admin_of_list: Any = self.model_admin
        admin_of_list.note_rows(rows)
        return rows

    @property
    def forms(self) -> list[FormFilter]:
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


class FastListAdmin(PanelsMixin, ExportMixin):
    """``list_defer``: columns that the list does not need and the detail page does.

    A list is sorted by the fields that ``sortable_by`` names and by each ``Column`` that says so.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    ordering: ClassVar[Any] = ("-pk",)
    sortable_by: ClassVar[Any] = ()
    list_defer: ClassVar[Sequence[str]] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FastChangeList

    def get_sortable_by(self, request: HttpRequest) -> tuple[Any, ...]:
        columns = [entry for entry in self.get_list_display(request) if isinstance(entry, Column)]
        return (*super().get_sortable_by(request), *(column for column in columns if column.sort))


class ReadOnlyMixin:
    """Rows that only the portal itself writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class ReadOnlyAdmin(ReadOnlyMixin, FastListAdmin):
    pass


class ExactSearchMixin:
    """A search box that takes the whole value of one of ``search_fields``, each with an index."""

    opts: Any
    search_fields: ClassVar[Any] = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        found = Q(pk__in=())
        for name in self.search_fields:
            value: Any = text
            match self.opts.pk if name == "pk" else self.opts.get_field(name):
                case IntegerField():
                    value = row_number(text)
                case UUIDField():
                    value = read_uuid(text)
            if value is not None:
                found |= Q(**{name: value})
        return queryset.filter(found), False


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
