"""Whose work a log line belongs to, when its event does not say: the request and the run.

A statement's line (queries.py) knows neither. The request is in ``current_request``. A run names
itself by its lines in ``etl.log``, and the job's one line in ``periodic.log`` is its last.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse

NONE = "-"
current_run: ContextVar[Any] = ContextVar("current_run", default=NONE)


class LogContextMiddleware:
    """What a thread did before belongs to no run of the request that it serves now."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        run = current_run.set(NONE)
        try:
            return self.get_response(request)
        finally:
            current_run.reset(run)


class RunContext(logging.Filter):
    """Lets every record pass, and remembers its run; ``ends``: the record is the run's last."""

    def __init__(self, *, ends: bool = False) -> None:
        super().__init__()
        self.ends = ends

    def filter(self, record: logging.LogRecord) -> bool:
        run = getattr(record, "esecuzione", None)
        if run is not None:
            current_run.set(NONE if self.ends else run)
        return True
