"""Every answer is JSON in UTF-8, whatever the caller says it accepts (contract.md)."""

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request


class Utf8JsonRenderer(JSONRenderer):
    charset = "utf-8"


class AlwaysJson(BaseContentNegotiation):
    """Takes the view's first parser and renderer: a flow's odd headers are no reason to fail."""

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type or ""
