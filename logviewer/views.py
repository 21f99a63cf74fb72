"""The log endpoints (docs/contratto.md, "Indirizzi"): the tail of each file, and clearing."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.api.errors import (
    AuditUnavailable,
    ClearBody,
    ClearImpossible,
    Prefetched,
    WrongLogOption,
)
from etlportal.audit.record import key_of
from logviewer import clearing, files, options, reader
from logviewer.folder import log_folder

JSON, TEXT = "application/json", "text/plain"


class LogTail(APIView):
    """The last lines of one log; as text if ``Accept`` prefers that."""

    scope = "lettura"
    log = ""  # one of files.LOGS

    def get(self, request: Request) -> HttpResponse:
        try:
            wanted = options.read_wanted(request.query_params)
        except options.BadOption as bad:
            raise WrongLogOption(sentence=bad.sentence) from bad
        path = files.log_path(log_folder(), self.log)
        tail = reader.tail(path, wanted)
        text = "".join(f"{line}\n" for line in tail.lines)
        if request._request.get_preferred_type([JSON, TEXT]) == TEXT:
            headers = {"X-Log-Troncato": "1" if tail.truncated else "0"}
            return HttpResponse(text, content_type=f"{TEXT}; charset=utf-8", headers=headers)
        righe, troncato = len(tail.lines), tail.truncated
        return Response({"logs": text, "file": path.name, "righe": righe, "troncato": troncato})


class ClearLogs(APIView):
    """Clears one, several or all logs. Only a GET or POST that somebody meant clears."""

    scope = "manutenzione"

    def get(self, request: Request) -> Response:
        if is_prefetch(request):
            raise Prefetched
        names, backup = read_clear(request)
        try:
            cleared = clearing.clear_logs(log_folder(), names, backup=backup, by=key_of(request))
        except clearing.AuditRefused as refused:
            raise AuditUnavailable from refused
        except clearing.ClearFailed as failure:
            sentence = f"Non svuotati, e rimasti com'erano: {', '.join(failure.failed)}."
            if failure.cleared:
                sentence += f" Svuotati: {', '.join(item.file for item in failure.cleared)}."
            sentence += " Controllare spazio e permessi della cartella dei registri."
            raise ClearImpossible(sentence=sentence) from failure
        body = {
            "message": f"Registri svuotati: {', '.join(names)}.",
            "svuotati": [item._asdict() for item in cleared],
        }
        return Response(body)

    def post(self, request: Request) -> Response:
        return self.get(request)

    def head(self, request: Request) -> Response:
        """What is wrong with the request, as GET would say it; clears nothing."""
        read_clear(request)
        return Response()


def is_prefetch(request: Request) -> bool:
    """A browser or a proxy that fetches ahead what nobody has asked for yet."""
    said = [request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz")]
    return any("prefetch" in text.lower() or "preview" in text.lower() for text in said)


def read_clear(request: Request) -> tuple[list[str], bool]:
    """Which logs, and whether with a backup: ``file`` and ``backup`` from the address and from a
    JSON object in the body. Any other name is refused: taken for nothing, ``files=etl`` would
    clear everything.
    """
    given = {name: request.query_params.getlist(name) for name in request.query_params}
    # A POST without a body has an empty dict.
    body = getattr(request.data, "json", {}) if request.method == "POST" else {}
    if not isinstance(body, dict):
        raise ClearBody
    for name, value in body.items():
        if name in given:
            raise WrongLogOption(sentence=f"{name} è indicato due volte.")
        items = value if value and isinstance(value, list) else [value]
        # As in an address; what is no text is no name and no answer.
        texts = [str(item).lower() if isinstance(item, bool) else item for item in items]
        given[name] = [text if isinstance(text, str) else "?" for text in texts]
    if given.keys() - {"file", "backup"}:
        raise WrongLogOption(sentence="I parametri sono: file, backup.")
    try:
        names = options.read_names(given.get("file", []))
        return names, options.read_backup(given.get("backup", [""])[-1])
    except options.BadOption as bad:
        raise WrongLogOption(sentence=bad.sentence) from bad
