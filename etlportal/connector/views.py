"""The custom connector for Power Automate, ready to import (docs/power-automate.md)."""

import json
from pathlib import Path

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.connector.definition import definition


class ApiDefinition(APIView):
    """Swagger 2.0 with the host by which the caller reached us."""

    scope = "lettura"

    def get(self, request: Request) -> Response:
        return Response(definition(str(request.scheme), request.get_host()))


class ApiProperties(APIView):
    scope = "lettura"

    def get(self, request: Request) -> Response:
        file = Path(__file__).with_name("apiProperties.json")
        return Response(json.loads(file.read_text(encoding="utf-8")))
