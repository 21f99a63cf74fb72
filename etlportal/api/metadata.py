"""What OPTIONS answers: the methods of an endpoint, and nothing of how it is built."""

from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class Methods(BaseMetadata):
    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        return {"metodi": view.allowed_methods}
