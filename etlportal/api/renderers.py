"""Every answer is JSON in UTF-8, whatever the caller says it accepts (docs/contratto.md, "HTTP in
generale").
"""

from collections.abc import Iterable
from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request


class Utf8JsonRenderer(JSONRenderer):
    charset = "utf-8"


class AlwaysJson(BaseContentNegotiation):
    """Takes the view's first parser and renderer: a flow's odd headers are no reason to fail."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


class Methods(BaseMetadata):
    """What OPTIONS answers: the methods of an endpoint, and nothing of how it is built."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        return {"metodi": view.allowed_methods}
