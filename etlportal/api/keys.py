"""Making, finding and revoking API keys (docs/contratto.md, "Chiavi").

A key reads ``etl_<identifier>_<secret>``. The identifier finds the row; the secret is kept only
as HMAC-SHA256 under a pepper from the environment, so that the table alone opens nothing.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from etlportal.audit.record import Actor, record
from etlportal.models import ChiaveApi, Permesso

SHAPE = re.compile(r"etl_(?P<identifier>[0-9a-f]{12})_(?P<secret>[\w-]{43})", re.ASCII)
NO_DIGEST = "0" * 64  # what an unknown identifier is compared with: no secret hashes to it
LAST_USE_STEP = timedelta(minutes=1)
FIRST_KEY = "API_KEY"  # the name of the one in the environment: batches and counts go by it


class NewKey(NamedTuple):
    """A key just made, and its text, which is never shown again."""

    row: ChiaveApi
    text: str


def digest(secret: str) -> str:
    """64 hexadecimal digits."""
    return hmac.new(settings.API_KEY_PEPPER.encode(), secret.encode(), "sha256").hexdigest()


def create(nome: str, permessi: Iterable[str], scade_il: datetime | None, by: Actor) -> NewKey:
    """A new key; raises ``IntegrityError`` if the name is taken."""
    if nome == FIRST_KEY:
        raise IntegrityError(f"{FIRST_KEY} is the key of the environment")
    identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic(using="default"):
        row = ChiaveApi.objects.create(
            identificativo=identifier,
            nome=nome,
            impronta=digest(secret),
            permessi=[permesso for permesso in Permesso.values if permesso in set(permessi)],
            scade_il=scade_il,
            creata_da=str(by),
        )
        details = {"permessi": row.permessi, "scade_il": scade_il and scade_il.isoformat()}
        record("chiave.creata", by, nome, details)
    return NewKey(row, f"etl_{identifier}_{secret}")


def revoke(rows: Iterable[ChiaveApi], now: datetime, by: Actor) -> list[str]:
    """Revokes at once and for good; the names of those that were not revoked before."""
    revoked = []
    with transaction.atomic(using="default"):
        for row in rows:
            if ChiaveApi.objects.filter(pk=row.pk, revocata_il=None).update(revocata_il=now):
                record("chiave.revocata", by, row.nome)
                revoked.append(row.nome)
    return revoked


def find(text: str, now: datetime) -> ChiaveApi | None:
    """The living key that ``text`` is; None if there is none. Unknown, revoked, expired and
    mistyped keys take the same steps, so that time tells nothing of which it was.
    """
    match = SHAPE.fullmatch(text)
    identifier, secret = match.groups() if match else ("", text)
    row = ChiaveApi.objects.filter(identificativo=identifier).first()
    expected = row.impronta if row else NO_DIGEST
    equal = hmac.compare_digest(digest(secret), expected)
    return row if row and equal and row.is_alive(now) else None


def note_use(row: ChiaveApi, now: datetime) -> None:
    """Last use, to the minute: a write for each request would cost more than it tells."""
    stale = Q(ultimo_uso=None) | Q(ultimo_uso__lt=now - LAST_USE_STEP)
    if row.ultimo_uso is None or row.ultimo_uso < now - LAST_USE_STEP:
        ChiaveApi.objects.filter(stale, pk=row.pk).update(ultimo_uso=now)
