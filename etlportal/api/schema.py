"""OpenAPI 3 at ``/api/schema``: the routes from the code, the words from ``openapi.yaml``.

drf-spectacular walks the routes; for each, this module takes what the file says and adds what
follows from the view: the scope of the key, and the errors that every endpoint has. A route that
the file does not describe, or one that it describes and does not exist, fails.
"""

import copy
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.api.authentication import ApiClient, ApiKeyAuthentication
from etlportal.api.permissions import scopes_of
from etlportal.models import Permesso

Endpoint = tuple[str, str, str, Callable[..., Any]]  # path, its regex, method, view

WRITTEN = Path(__file__).with_name("openapi.yaml")
PREFIX = "(?:api/v1/)?"
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


class Undocumented(LookupError):
    """The routes and ``openapi.yaml`` do not say the same."""


@cache
def written() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(WRITTEN.read_text(encoding="utf-8"))
    return content


class PortalSchema(AutoSchema):
    """One operation: as written, with security, scope and common errors."""

    def get_operation(self, path: str, *_: Any) -> dict[str, Any]:
        """``_``: the path's regex and prefix, the method and the components' registry."""
        method = str(_[2])
        try:
            operation: dict[str, Any] = copy.deepcopy(written()["paths"][path][method.lower()])
        except KeyError as error:
            raise Undocumented(f"{method} {path}") from error
        keyed = bool(self.view.authentication_classes)
        operation["security"] = [{"ApiKey": []}] if keyed else []
        if keyed:
            operation["description"] += scope_sentence(self.view, method)
        errors = EVERYWHERE | WITH_KEY if keyed else EVERYWHERE
        operation["responses"] |= {code: response(name) for code, name in errors.items()}
        return operation


def scope_sentence(view: Any, method: str) -> str:
    scopes = " oppure ".join(sorted(scopes_of(view, method)))
    return f"\n\nPermesso della chiave: {scopes}."


def response(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{name}"}


def name_paths(endpoints: list[Endpoint], **_: Any) -> list[Endpoint]:
    """The routes by the one name that the file gives each, of those that it has."""
    return [(documented(regex), regex, method, view) for _, regex, method, view in endpoints]


def documented(regex: str) -> str:
    """The path of a route's regex: ``^(?:api/v1/)?status/?$`` is ``/status``."""
    bare = regex.removeprefix("^").removesuffix("/?$").replace("\\", "")
    bare = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", bare)
    name = bare.removeprefix(PREFIX)
    versioned = f"/api/v1/{name}"
    return versioned if bare != name and versioned in written()["paths"] else f"/{name}"


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What the file says of the whole. Raises ``Undocumented`` for a route that is no more."""
    if gone := written()["paths"].keys() - result["paths"].keys():
        raise Undocumented(f"no such route: {sorted(gone)}")
    parts = {name: written()[name] for name in ("info", "tags", "components")}
    return result | copy.deepcopy(parts)


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
        return Response(SchemaGenerator().get_schema(request=None, public=True))
