"""How values are shown in lists and pages."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

EMPTY = "—"  # also the site's empty_value_display

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
