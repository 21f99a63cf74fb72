"""Lists of the admin as files: the filtered list, all its pages, as CSV or for Excel.

Written over ``csv`` and openpyxl's write-only mode, and not with django-import-export: that one
gathers all rows in a tablib dataset before it writes the first (``Resource.export``), so a list of
a million rows would be held in memory twice. Here CSV streams in bounded memory; a file for Excel
is limited to ``XLSX_LIMIT`` rows, and says so.

Files speak Italian whatever the language of the page: two of the same list can be put together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from tempfile import TemporaryFile
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import override
from django.views.decorators.http import require_GET

from etlportal.audit.record import record, user_of
from etlportal.lists.columns import Column, Value
from etlportal.lists.export_files import MARK, Row, cell, csv_text, write_xlsx
from etlportal.lists.export_rows import key_batches

PERMISSION = "etlportal.export"
XLSX_LIMIT = 100_000
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LANGUAGE = "it"


class ExportMixin(admin.ModelAdmin):
    def note_rows(self, rows: list[Any]) -> None:
        """Sets on rows that were read what the columns need beside them."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        files = [
            self.own_url(f"esporta/{kind}/", self.export_view, f"esporta_{kind}", kind=kind)
            for kind in FILES
        ]
        return [*files, *super().get_urls()]

    def own_url(
        self, route: str, view: Callable[..., Any], page: str, /, **given: Any
    ) -> URLPattern:
        """A page beside Django's own, which it calls list, add, change…"""
        return path(route, self.admin_site.admin_view(view), given, self.url_name(page))

    def url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With (kind, address) of each file of the list as it is filtered now."""
        query = filters_of(request)
        links = [
            (kind, reverse(f"admin:{self.url_name(f'esporta_{kind}')}", query=query))
            for kind in FILES
            if self.has_export_permission(request)
        ]
        return super().changelist_view(request, {**(extra_context or {}), "export_links": links})

    @method_decorator(require_GET)
    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """The file; written in the audit trail before its first byte leaves."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            changelist: Any = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            address = reverse(f"admin:{self.url_name('changelist')}", query={ERROR_FLAG: 1})
            return redirect(address)
        total = changelist.queryset.order_by().values("pk").count()
        number = min(total, XLSX_LIMIT) if kind == "xlsx" else total
        details = {"formato": kind, "filtri": filters_of(request), "righe": number}
        record("elenco.esportato", user_of(request), self.opts.label_lower, details)
        return FILES[kind](FileOfList(self, request, changelist, number, total))


def filters_of(request: HttpRequest) -> dict[str, list[str]]:
    """The parameters of a list's address, without the page and what was left empty."""
    return {
        name: values
        for name, values in request.GET.lists()
        if name not in (PAGE_VAR, ERROR_FLAG) and any(values)
    }


# --- What is in a file ----------------------------------------------------------------------


@dataclass
class FileOfList:
    """The first ``number`` of the ``total`` rows of a list, for one of the writers below."""

    model_admin: ExportMixin
    request: HttpRequest
    changelist: Any
    number: int
    total: int

    def __post_init__(self) -> None:
        self.columns = list(file_columns(self.model_admin, self.request))
        self.empty = str(self.model_admin.get_empty_value_display())

    def name(self, ending: str) -> str:
        with override(LANGUAGE):
            words = str(self.changelist.opts.verbose_name_plural).replace(" ", "-")
        return f"{words}-{timezone.localtime():%Y-%m-%d-%H%M}.{ending}"

    def headings(self) -> Row:
        with override(LANGUAGE):
            return [capfirst(str(heading)) for heading, _ in self.columns]

    def batches(self) -> Iterator[list[Row]]:
        """Its rows in order, some at a time.

        The language is set for each batch anew: between two of them the thread does other work.
        """
        for keys in key_batches(self.changelist.queryset, self.number):
            with override(LANGUAGE):
                rows: list[Row] = [
                    [cell(value(row), self.empty) for _, value in self.columns]
                    for row in self.changelist.rows(keys)
                ]
            yield rows

    def about(self) -> list[tuple[str, Any]]:
        """What the file says of itself, for whoever finds it later."""
        filters = filters_of(self.request)
        lines = [
            ("Elenco", str(self.changelist.opts.verbose_name_plural)),
            ("Esportato il", timezone.now()),
            ("Da", self.request.user.get_username()),
            ("Righe", self.number),
            *((f"Filtro {name}", ", ".join(values)) for name, values in filters.items()),
        ]
        if self.number < self.total:
            lines.append(("Righe dell'elenco", self.total))
            lines.append(("Attenzione", "Non ci sono tutte: per averle tutte esporta in CSV."))
        return lines


def file_columns(model_admin: ExportMixin, request: HttpRequest) -> Iterator[tuple[Any, Value]]:
    """(label, value) of each column of the list; of a mere name, what the row holds under it."""
    for entry in model_admin.get_list_display(request):
        if isinstance(entry, Column):
            yield from entry.file_columns()
        else:
            label = label_for_field(entry, model_admin.model, model_admin)
            yield label, partial(_named_value, model_admin, entry)


def _named_value(model_admin: ExportMixin, name: Any, row: Any) -> Any:
    """Of a field, or of a method of the admin; a choice in words."""
    field, _attribute, value = lookup_field(name, row, model_admin)
    return getattr(row, f"get_{name}_display")() if field and field.choices else value


# --- The two kinds of file ------------------------------------------------------------------


def csv_file(content: FileOfList) -> HttpResponseBase:
    disposition = {"Content-Disposition": f'attachment; filename="{content.name("csv")}"'}
    kind = "text/csv; charset=utf-8"
    texts = chain([MARK + csv_text([content.headings()])], map(csv_text, content.batches()))
    parts = (text.encode("utf-8", "replace") for text in texts)
    return StreamingHttpResponse(parts, content_type=kind, headers=disposition)


def xlsx_file(content: FileOfList) -> HttpResponseBase:
    target = TemporaryFile()  # noqa: SIM115 - the response closes it, and so removes it
    title = "Elenco"
    with override(LANGUAGE):
        about = content.about()
        if content.number < content.total:  # said at once
            number = number_format(content.number, force_grouping=True)
            total = number_format(content.total, force_grouping=True)
            title = f"Prime {number} di {total}"[:31]
    rows = chain([content.headings()], chain.from_iterable(content.batches()))
    write_xlsx(target, title, rows, about)
    target.seek(0)
    return FileResponse(
        target, as_attachment=True, filename=content.name("xlsx"), content_type=XLSX_TYPE
    )


FILES: dict[str, Callable[[FileOfList], HttpResponseBase]] = {"csv": csv_file, "xlsx": xlsx_file}
