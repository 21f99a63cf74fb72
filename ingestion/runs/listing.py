"""The list of runs, newest first, in pages."""

from typing import Any, NamedTuple

from ingestion import runs
from ingestion.models import EsecuzioneEtl
from ingestion.watch.status import FAILED


class Page(NamedTuple):
    """Runs as answers show them, and the id before which the next page begins; None = no more."""

    runs: list[dict[str, Any]]
    next_before: int | None


def page(*, before: int | None, limit: int, failed: bool) -> Page:
    """At most ``limit`` runs, those with an id below ``before`` if given.

    ``failed``: only those that ended badly or left records behind.
    """
    rows = EsecuzioneEtl.objects.order_by("-pk")
    if failed:
        rows = rows.filter(FAILED)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: limit + 1])
    shown = found[:limit]
    next_before = shown[-1].pk if len(found) > limit else None
    return Page([runs.as_json(run) for run in shown], next_before)
