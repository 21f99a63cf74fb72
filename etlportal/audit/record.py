"""The audit trail: one row for each act, which says who did what, and is never changed again.

An act in PostgreSQL calls ``record`` in its own transaction: the act and its row are both there,
or neither is. An act in MySQL does its writes inside ``attempt``. Both raise what the database
raises when the row cannot be written; then the act must not be done.
"""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction

from etlportal.audit.request import current_request
from etlportal.models import VoceAudit

Attore, Esito = VoceAudit.Attore, VoceAudit.Esito


class Actor(NamedTuple):
    """Who acts: a user of the portal, an API key or a command's user, and the name."""

    kind: VoceAudit.Attore
    name: str

    def __str__(self) -> str:
        """For columns and log lines that hold one text: "anna", "chiave:flusso", "comando:root"."""
        return self.name if self.kind == Attore.UTENTE else f"{self.kind}:{self.name}"


def user_of(request: Any) -> Actor:
    """The user who is logged in."""
    return Actor(Attore.UTENTE, request.user.get_username())


def key_of(request: Any) -> Actor:
    """The API key of a request that was authenticated by one."""
    return Actor(Attore.CHIAVE, request.user.nome)


def command_user() -> Actor:
    """The operating system's user who runs this process."""
    try:
        return Actor(Attore.COMANDO, getpass.getuser())
    except (KeyError, OSError):  # a container's user may have no name
        return Actor(Attore.COMANDO, "?")


def record(what: str, by: Actor, on: str = "", details: Mapping[str, Any] | None = None) -> None:
    """Writes one row. ``what``: "chiave.revocata"; ``on``: the object, in words or ids."""
    _write(what, by, on, details, Esito.RIUSCITO)


@contextmanager
def attempt(
    what: str, by: Actor, on: str = "", details: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Around the writes of an act in MySQL, inside its transaction.

    The row is committed first, as «tentato». MySQL's commit makes it «riuscito», an exception
    inside «fallito». It stays «tentato» where nobody knows: the process died, or the connection
    was lost during the commit.
    """
    with transaction.atomic(using="default", durable=True):
        row = _write(what, by, on, details, Esito.TENTATO)
    try:
        yield
    except BaseException:
        with suppress(DatabaseError):
            _settle(row, Esito.FALLITO)
        raise
    transaction.on_commit(partial(_settle, row, Esito.RIUSCITO), using="production", robust=True)


def _write(
    what: str, by: Actor, on: str, details: Mapping[str, Any] | None, esito: VoceAudit.Esito
) -> VoceAudit:
    return VoceAudit.objects.create(
        attore=by.kind,
        chi=by.name[:150],
        azione=what[:100],
        oggetto=on[:255],
        dettagli=dict(details or {}),
        esito=esito,
        request_id=current_request.get(),
    )


def _settle(row: VoceAudit, esito: VoceAudit.Esito) -> None:
    VoceAudit.objects.filter(pk=row.pk).update(esito=esito)
