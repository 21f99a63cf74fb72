"""What makes two requests one: the rules by which a retry is known (docs/contratto.md,
"Ripetizioni").

A batch carries at most one mark, unique for its API key: the index that keeps it unique is also
what a second request waits on while the first is being stored.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from etlportal.api.errors import ReusedIdempotencyKey, UselessIdempotencyKey
from ingestion.models import LottoRicevuto

KEY_HEADER = "Idempotency-Key"
ACTION_HEADER = "x-ms-action-tracking-id"
MAX_KEY = 255
# An answer is repeated for so long. A batch must be kept at least as long (see ``purge``).
KEPT_FOR = timedelta(days=30)


class Mark(NamedTuple):
    """By what a request is known again.

    ``valore`` is what the batch keeps, with its kind in front. ``valida``: for how long after
    the reception. ``per_corpo``: nothing but its bytes identifies it.
    """

    valore: str
    valida: timedelta
    per_corpo: bool = False


class Answer(NamedTuple):
    """An answer as it left, to be given again byte for byte, and the run that it names.

    ``trasferisce``: the request also asked for a transfer.
    """

    stato: int
    intestazioni: dict[str, str]
    corpo: str
    esecuzione: int | None = None
    trasferisce: bool = False


def mark_of(headers: Mapping[str, str], sha256: str, dedup: timedelta) -> Mark | None:
    """How this request will be known again; None if it is not to be.

    ``dedup``: for how long the same bytes alone make a replay; zero for never. Raises
    ``UselessIdempotencyKey`` for one that identifies nothing.
    """
    if (key := headers.get(KEY_HEADER)) is not None:
        key = key.strip()
        if not key or not _is_sane(key):
            raise UselessIdempotencyKey(header=KEY_HEADER, most=MAX_KEY)
        return Mark(f"chiave:{key}", KEPT_FOR)
    action = headers.get(ACTION_HEADER, "").strip()
    if action and _is_sane(action):
        return Mark(f"azione:{action}:{sha256}", KEPT_FOR)
    return Mark(f"corpo:{sha256}", dedup, per_corpo=True) if dedup else None


def _is_sane(text: str) -> bool:
    """Other characters arrive changed, by some proxies or engines and not by others."""
    return len(text) <= MAX_KEY and text.isascii() and text.isprintable()


def first_of(nome_chiave: str, mark: Mark, sha256: str, now: datetime) -> LottoRicevuto | None:
    """The batch that this request repeats, if there is one (without its body).

    Bytes alone are known again however they came the first time. Raises ``ReusedIdempotencyKey``
    when another body came with the same key.
    """
    lotti = LottoRicevuto.objects.filter(
        nome_chiave=nome_chiave, ricevuto_il__gt=now - mark.valida
    ).defer("corpo")
    if mark.per_corpo:
        return lotti.filter(sha256=sha256).order_by("ricevuto_il").first()
    first = lotti.filter(chiave_idempotenza=mark.valore).first()
    if first and first.sha256 != sha256:
        raise ReusedIdempotencyKey(header=KEY_HEADER)
    return first


def forget_expired(nome_chiave: str, mark: Mark, now: datetime) -> None:
    """Frees the mark of a batch that is too old to be repeated."""
    LottoRicevuto.objects.filter(
        nome_chiave=nome_chiave,
        chiave_idempotenza=mark.valore,
        ricevuto_il__lte=now - mark.valida,
    ).update(chiave_idempotenza=None)
