"""Columns of lists, and how values are shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

EMPTY = "—"  # also the site's empty_value_display

Value = Callable[[Any], Any]  # of a row


def as_it_is(value: Any) -> Any:
    return value


# For mypy a column is a name: as entries of ``fields`` and ``readonly_fields`` django-stubs knows
# no callables, though Django does.
if TYPE_CHECKING:
    Name = str
else:
    Name = object


@dataclass(frozen=True, eq=False)
class Column(Name):
    """What is told of a row under one label: by a list, a page, a table, a file.

    It stands in ``list_display``, ``fields`` and ``readonly_fields`` of an admin as a name would.
    ``value`` reads it from the row, and is what a file gets. ``shown`` makes of a value what pages
    show. ``sort``: the indexed field by which a list may be sorted here. ``in_files``: what a file
    has in place of this column, as (label, value); nothing, where it is empty.
    """

    name: str
    label: Any
    value: Value
    shown: Callable[[Any], Any] = as_it_is
    sort: str | None = None
    in_files: Sequence[tuple[Any, Value]] | None = None

    @classmethod
    def of(
        cls,
        model: type[Model],
        name: str,
        shown: Callable[[Any], Any] = as_it_is,
        *,
        sort: bool = False,
        **others: Any,
    ) -> Self:
        """The column of a field. A choice is told in words; of another row, its key."""
        field: Any = model._meta.get_field(name)
        value = methodcaller(f"get_{name}_display") if field.choices else attrgetter(field.attname)
        own = {"label": field.verbose_name, "value": value, "sort": name if sort else None}
        return cls(name, shown=shown, **own | others)

    do_not_call_in_templates = True  # where the admin asks for its name

    def __str__(self) -> str:
        return self.name

    def __call__(self, row: Any) -> Any:
        """As pages show it."""
        value = self.value(row)
        return EMPTY if value is None or value == "" else self.shown(value)

    def file_columns(self) -> Sequence[tuple[Any, Value]]:
        return ((self.label, self.value),) if self.in_files is None else self.in_files

    # The names by which Django's admin asks a callable for the same.
    __name__ = property(attrgetter("name"))
    short_description = property(attrgetter("label"))
    admin_order_field = property(attrgetter("sort"))


# --- How values are shown -------------------------------------------------------------------


def plant_time(moment: datetime | None) -> str:
    """22/11/2026 06:10:00 in plant time, in every language of the portal."""
    return date_format(timezone.localtime(moment), "d/m/Y H:i:s") if moment else EMPTY


def plant_day(day: date) -> str:
    """22/11/2026, as the date-times beside it."""
    return date_format(day, "d/m/Y")


def readable_duration(seconds: Any) -> str:
    """12,3 s under a minute, else 1:05:00 (hours, minutes, seconds)."""
    if seconds is None:
        return EMPTY
    if abs(seconds) < 60:
        return f"{number_format(round(seconds, 1))} s"
    return str(timedelta(seconds=round(seconds)))


def cut_to(length: int) -> Callable[[Any], str]:
    """The beginning of a text without limit."""
    return lambda text: Truncator(text).chars(length)


def link(url: str, words: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, words)


def row_link(page: str, key: Any, words: Any = None) -> SafeString:
    """The page of a row, which is not read: ``row_link("orders_ordine", 8)``."""
    return link(reverse(f"admin:{page}_change", args=[key]), key if words is None else words)


def link_to(page: str) -> Callable[[Any], SafeString]:
    """A key as a link to the page of its row."""
    return partial(row_link, page)


def badge(kind: str, label: Any) -> SafeString:
    """A coloured label. ``kind``: ok, warning, error, running or waiting (portal.css)."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, label)


def breakable(name: Any) -> SafeString:
    """A name such as TEMPERATURA_FUORI_SPECIFICA, which a narrow column may break at each _."""
    return format_html_join(SafeString("_<wbr>"), "{}", ((word,) for word in str(name).split("_")))
