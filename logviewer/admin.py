"""The logs in the admin: to read, to follow, to download, to clear. Files, not rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from etlportal.audit.record import user_of
from etlportal.lists.acts import ask
from etlportal.lists.pages import ReadOnlyMixin
from logviewer import clearing, files, options, reader
from logviewer.folder import log_folder
from logviewer.models import Registro
from logviewer.pages import LEVEL_LABELS, moment_text, run_url, shown_line

SHOWN_LINES = 200
LINES_CHOICES = (SHOWN_LINES, 1000, reader.MAX_LINES)
BLOCK = 256 * 1024

HOLDS = {
    "etl": _("Esecuzioni, record ricevuti e record rifiutati"),
    "periodic": _("Lavori pianificati"),
    "postgresql": _(
        "Database dei record ricevuti: collegamenti, errori, istruzioni lente, carichi"
    ),
    "mysql": _("Database di produzione: collegamenti, errori, istruzioni lente, carichi"),
}
AGES = (
    ("", _("Sempre")),
    ("1h", _("Ultima ora")),
    ("24h", _("Ultime 24 ore")),
    ("7d", _("Ultimi 7 giorni")),
)
FILTERS = ("level", "since", "dal", "esecuzione", "q", "lines")


class StoredFile(NamedTuple):
    """A log or a backup, as the first page lists it."""

    file: str
    holds: Any
    bytes: int
    modified: str
    name: str = ""  # of a log


class ClearForm(forms.Form):
    backup = forms.BooleanField(
        label=_("Conserva una copia compressa"), initial=True, required=False
    )


@admin.register(Registro)
class RegistroAdmin(ReadOnlyMixin, admin.ModelAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("logviewer.view_logs")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_clear_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("logviewer.clear_logs")

    def get_urls(self) -> list[URLPattern]:
        return [
            self._page_url("", self.overview, "registro_changelist"),
            self._page_url("file/", self.file_page, "file"),
            self._page_url("righe/", self.lines_json, "lines"),
            self._page_url("scarica/", self.download, "download"),
            self._page_url("copia/<str:name>/", self.download_backup, "backup"),
            self._page_url("svuota/", self.clear_page, "clear"),
        ]

    def _page_url(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        @wraps(view)
        def guarded(request: HttpRequest, **given: Any) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, **given)

        return path(route, self.admin_site.admin_view(guarded), name=f"logviewer_{name}")

    def page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "may_clear": self.has_clear_permission(request),
        }
        return TemplateResponse(request, f"admin/logviewer/{template}.html", shared | context)

    # --- Reading ----------------------------------------------------------------------------

    def overview(self, request: HttpRequest) -> HttpResponse:
        """The four logs and their backups."""
        return self.page(
            request,
            "overview",
            title=gettext("Registri"),
            logs=[_stored_log(name) for name in files.LOGS],
            backups=[
                StoredFile(path.name, "", path.stat().st_size, moment_text(path.stat().st_mtime))
                for path in clearing.backups(log_folder())
            ],
        )

    def file_page(self, request: HttpRequest) -> HttpResponse:
        """One log, filtered: ``?file=etl&esecuzione=12&level=ERROR&since=2h&q=…&lines=1000``."""
        name = _name_in(request)
        wanted, wrong = _wanted_in(request)
        tail = reader.tail(files.log_path(log_folder(), name), wanted)
        query = request.GET.urlencode()
        return self.page(
            request,
            "file",
            title=f"{name}.log",
            name=name,
            holds=HOLDS[name],
            names=files.LOGS,
            lines=[shown_line(line, name, request.user) for line in tail.lines],
            truncated=tail.truncated,
            wrong=wrong,
            wanted=wanted,
            given={name: request.GET.get(name, "") for name in FILTERS},
            levels=LEVEL_LABELS,
            ages=AGES,
            lines_choices=LINES_CHOICES,
            filtered=any(request.GET.get(name) for name in FILTERS),
            lines_url=f"{reverse('admin:logviewer_lines')}?{query}",
            run_url=run_url(wanted.run, request.user),
        )

    def lines_json(self, request: HttpRequest) -> HttpResponse:
        """The same lines for the page that follows the log."""
        name = _name_in(request)
        tail = reader.tail(files.log_path(log_folder(), name), _wanted_in(request)[0])
        lines = [shown_line(line, name, request.user)._asdict() for line in tail.lines]
        return JsonResponse({"righe": lines, "troncato": tail.truncated})

    # --- Downloads --------------------------------------------------------------------------

    def download(self, request: HttpRequest) -> StreamingHttpResponse:
        """A log with its rotated pieces, the oldest line first, as one text file."""
        path = files.log_path(log_folder(), _name_in(request))
        disposition = {"Content-Disposition": f'attachment; filename="{path.name}"'}
        kind = "text/plain; charset=utf-8"
        return StreamingHttpResponse(blocks_of(path), content_type=kind, headers=disposition)

    def download_backup(self, request: HttpRequest, name: str) -> FileResponse:
        for backup in clearing.backups(log_folder()):
            if backup.name == name:
                return FileResponse(backup.open("rb"), as_attachment=True, filename=name)
        raise Http404

    # --- Clearing ---------------------------------------------------------------------------

    def clear_page(self, request: HttpRequest) -> HttpResponse:
        """Asks first; clears on POST."""
        if not self.has_clear_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        try:
            names = options.read_names(given.getlist("file"))
        except options.BadOption as bad:
            raise Http404 from bad
        if request.method == "POST":
            self.clear_and_tell(request, names)
            return redirect("admin:logviewer_registro_changelist")
        return ask(
            self,
            request,
            ClearForm(),
            title=gettext("Svuota i registri"),
            explanation=gettext(
                "Questi registri verranno svuotati; chi lo fa resta scritto nel registro di audit."
            ),
            chosen=map(told_when_asked, names),
            hidden=[("file", name) for name in names],
            button=gettext("Svuota"),
            back=reverse("admin:logviewer_registro_changelist"),
            template="admin/logviewer/clear.html",
        )

    def clear_and_tell(self, request: HttpRequest, names: list[str]) -> None:
        backup, by = "backup" in request.POST, user_of(request)
        try:
            cleared = clearing.clear_logs(log_folder(), names, backup=backup, by=by)
        except clearing.AuditRefused:
            sentence = gettext("Il registro di audit non si può scrivere: nulla è stato svuotato.")
            messages.error(request, sentence)
            return
        except clearing.ClearFailed as failure:
            cleared = failure.cleared
            sentence = gettext(
                "Non svuotati, e rimasti com'erano: %(names)s. Controllare spazio e permessi "
                "della cartella dei registri."
            )
            messages.error(request, sentence % {"names": ", ".join(failure.failed)})
        if cleared:
            sentence = ngettext(
                "Svuotato il registro %(names)s.", "Svuotati i registri %(names)s.", len(cleared)
            )
            messages.success(request, sentence % {"names": ", ".join(c.file for c in cleared)})


def _name_in(request: HttpRequest) -> str:
    name = request.GET.get("file", files.LOGS[0])
    if name not in files.LOGS:
        raise Http404
    return name


def _wanted_in(request: HttpRequest) -> tuple[reader.Wanted, str]:
    """The filters, and the name of one that is wrong and was left out ("" when all are right).

    ``dal``, a date-time of plant time as a browser writes it, goes before ``since``.
    """
    given = {name: request.GET.get(name, "") for name in FILTERS}
    given["since"] = given.pop("dal") or given["since"]
    given["lines"] = given["lines"] or str(SHOWN_LINES)
    try:
        return options.read_wanted(given), ""
    except options.BadOption as bad:
        return replace(reader.Wanted(), lines=SHOWN_LINES), bad.name


def _stored_log(name: str) -> StoredFile:
    path = files.log_path(log_folder(), name)
    modified = moment_text(path.stat().st_mtime) if path.is_file() else ""
    return StoredFile(path.name, HOLDS[name], clearing.size(path), modified, name)


def told_when_asked(name: str) -> SafeString:
    """A log, on the page that asks before it is cleared."""
    log = _stored_log(name)
    size = filesizeformat(log.bytes) if log.bytes else gettext("vuoto")
    return format_html("<strong>{}</strong> ({}) · {}", log.file, size, log.holds)


def blocks_of(path: Path) -> Iterator[bytes]:
    for piece in (*reversed(files.rotated_pieces(path)), path):
        try:
            file = piece.open("rb")
        except FileNotFoundError:
            continue
        with file:
            while block := file.read(BLOCK):
                yield block
