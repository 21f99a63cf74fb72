"""The custom connector for Power Automate, ready to import (docs/power-automate.md).

Power Automate takes only Swagger 2.0, and only a part of it: the two files beside this module
are kept by hand, and tests hold them to Microsoft's rules and to what the endpoints answer.
"""

import json
from pathlib import Path
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

FOLDER = Path(__file__).parent
PLACEHOLDER = "https://portale.example"  # in the file, wherever it means this portal


def template(name: str, address: str = PLACEHOLDER) -> dict[str, Any]:
    """The file of that name, with the portal's address (``https://host[:port]``) filled in."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text.replace(PLACEHOLDER, address))
    return content


class ApiDefinition(APIView):
    """Swagger 2.0 with the host by which the caller reached us."""

    scope = "lettura"

    def get(self, request: Request) -> Response:
        host, scheme = request.get_host(), request.scheme
        definition = template("apiDefinition.swagger.json", f"{scheme}://{host}")
        return Response(definition | {"host": host, "schemes": [scheme]})


class ApiProperties(APIView):
    scope = "lettura"

    def get(self, request: Request) -> Response:
        return Response(template("apiProperties.json"))
