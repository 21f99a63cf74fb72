"""What the page of a row tells beside its fields (templates/admin/change_form.html)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

from etlportal.lists.columns import Column


class Step(NamedTuple):
    """One step of where a row comes from: texts or links; without any, ``empty`` is said."""

    label: Any
    items: Sequence[Any] = ()
    empty: Any = ""


def step(label: Any, *items: Any, empty: Any = "") -> Step:
    """Of the items that are something."""
    return Step(label, [item for item in items if item], empty)


class PanelsMixin:
    def panels(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the page's template shows: ``acts`` that this user may do with the row as it is
        now, as (address, title); ``provenance``, a list of steps; ``chart``; ``tables``.
        """
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **others: Any
    ) -> HttpResponse:
        if row := others.get("obj"):
            context |= self.panels(request, row)
        return super().render_change_form(request, context, *args, **others)  # type: ignore[misc]


def table(
    title: Any, columns: Sequence[Column], rows: Iterable[Any], url: str = "", empty: Any = ""
) -> dict[str, Any]:
    """What templates/admin/table.html shows; ``url`` leads to all rows."""
    return {
        "title": title,
        "headers": [column.label for column in columns],
        "rows": [[column(row) for column in columns] for row in rows],
        "url": url,
        "empty": empty,
    }
