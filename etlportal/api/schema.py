"""OpenAPI 3 at ``/api/schema``: the words of ``openapi.yaml``, and what follows from the views.

``/api/docs`` is the page on which it is read and tried.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import resolve
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.api.authentication import ApiClient, ApiKeyAuthentication
from etlportal.api.permissions import scopes_of
from etlportal.models import Permesso

# Errors that any endpoint can answer, and those that need a key to be reached.
EVERYWHERE = {
    "400": "RichiestaNonValida",
    "403": "PermessoNegato",
    "405": "MetodoNonAmmesso",
    "414": "IndirizzoTroppoLungo",
    "431": "IntestazioniTroppoLunghe",
    "500": "ErroreInterno",
    "503": "NonDisponibile",
}
WITH_KEY = {"401": "ChiaveMancante", "429": "TroppeRichieste"}


@cache
def written() -> dict[str, Any]:
    """``openapi.yaml`` as it is; not to be changed."""
    path = Path(__file__).with_name("openapi.yaml")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def target(node: dict[str, Any]) -> dict[str, Any]:
    """What a node refers to (``$ref``), or the node itself."""
    found: Any = node
    while "$ref" in found:
        names = found["$ref"].removeprefix("#/").split("/")
        found = written()
        for name in names:
            found = found[name]
    return found


@cache
def document() -> dict[str, Any]:
    """What ``/api/schema`` says: of the views, security, the scopes of a key, and the errors that
    need no word in the file. Raises ``Resolver404`` for a path that has no view."""
    paths: dict[str, Any] = {}
    for path, methods in written()["paths"].items():
        view: Any = resolve(re.sub(r"{\w+}", "x", path)).func
        keyed = bool(view.cls.authentication_classes)
        errors = EVERYWHERE | WITH_KEY if keyed else EVERYWHERE
        common = {code: {"$ref": f"#/components/responses/{name}"} for code, name in errors.items()}
        paths[path] = {}
        for method, operation in methods.items():
            description = operation["description"]
            if keyed:
                scopes = " oppure ".join(sorted(scopes_of(view.cls, method.upper())))
                description += f"\n\nPermesso della chiave: {scopes}."
            paths[path][method] = operation | {
                "description": description,
                "security": [{"ApiKey": []}] if keyed else [],
                "responses": operation["responses"] | common,
            }
    return _as_told(written() | {"paths": paths})


def _as_told(node: Any) -> Any:
    """Without what is for the connector alone, and with the whole shape of an error."""
    if isinstance(node, list):
        return [_as_told(each) for each in node]
    if not isinstance(node, dict):
        return node
    told = {
        name: _as_told(value)
        for name, value in node.items()
        if name not in ("x-connector", "x-error")
    }
    if error := node.get("x-error"):
        shape = {"dettagli": [], "request_id": "6f1c2d3e4b5a69788796a5b4c3d2e1f0"}
        schema = {"$ref": "#/components/schemas/Errore"}
        told["content"] = {"application/json": {"schema": schema, "example": shape | error}}
    return told


class KeyOrStaff(ApiKeyAuthentication):
    """A key, or the session of somebody of the staff, who may read."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None]:
        user = getattr(request._request, "user", None)
        if "X-API-KEY" not in request.headers and user and user.is_active and user.is_staff:
            return ApiClient(user.get_username(), frozenset({Permesso.LETTURA.value})), None
        return super().authenticate(request)


class Schema(APIView):
    authentication_classes = (KeyOrStaff,)
    scope = ("flusso", "lettura", "manutenzione")

    def get(self, request: Request) -> Response:
        return Response(document())


@staff_member_required
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI with this schema, offline, for who is logged in to the admin."""
    return render(request, "api_docs.html")
