"""System checks: what must be right before records may flow, said in words.

The first of them run with ``manage.py check`` and whenever the web or the worker starts; those
that ask a server with ``manage.py check --database production`` and ``migrate``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, connections

MIN_KEY_LENGTH = 20
MIN_SECRET_LENGTH = 32
# Words of examples: whoever reads the documentation knows a secret that holds one.
PLACEHOLDERS = (
    "django-insecure",
    "solo-per-le-prove",
    "changeme",
    "cambiami",
    "example",
    "esempio",
)
SECRETS = ("SECRET_KEY", "API_KEY", "API_KEY_PEPPER")
STRICT_MODES = {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}


@register(Tags.security)
def check_api_key(**kwargs: Any) -> list[CheckMessage]:
    if len(settings.API_KEY) >= MIN_KEY_LENGTH:
        return []
    return [
        Error(
            f"API_KEY è troppo corta: servono almeno {MIN_KEY_LENGTH} caratteri.",
            hint='Generarla con: python3 -c "import secrets; print(secrets.token_urlsafe(32))"',
            id="etlportal.E001",
        )
    ]


@register(Tags.security)
def check_production(**kwargs: Any) -> list[CheckMessage]:
    """What no plant may run with. ``HTTPS`` is what tells a plant from a try-out."""
    if not settings.HTTPS:
        return []
    errors: list[CheckMessage] = []
    if settings.DEBUG:
        errors.append(
            Error(
                "DEBUG è acceso: mostrerebbe a chiunque codice e impostazioni.",
                hint="Togliere DEBUG dall'ambiente, o provare senza https con HTTPS=no.",
                id="etlportal.E005",
            )
        )
    errors += [
        Error(
            f"{name} è un valore di esempio, che tutti conoscono.",
            hint='Generarne uno: python3 -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="etlportal.E006",
        )
        for name in SECRETS
        if any(word in getattr(settings, name).lower() for word in PLACEHOLDERS)
    ]
    errors += [
        Error(
            f"{name} è troppo corta: servono almeno {MIN_SECRET_LENGTH} caratteri.",
            hint='Generarla con: python3 -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="etlportal.E007",
        )
        for name in ("SECRET_KEY", "API_KEY_PEPPER")
        if len(getattr(settings, name)) < MIN_SECRET_LENGTH
    ]
    if "*" in settings.ALLOWED_HOSTS:
        errors.append(
            Error(
                "ALLOWED_HOSTS vale *: chi chiama sceglierebbe l'indirizzo che gli viene dato.",
                hint="Indicare i nomi con cui il portale è raggiunto.",
                id="etlportal.E008",
            )
        )
    return errors


@register(Tags.database)
def check_mysql(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A lax MySQL truncates and clamps in silence; another charset loses characters."""
    errors: list[CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor == "mysql":
            try:
                errors += _lax(alias)
            except OperationalError:
                errors.append(
                    Error(
                        f"Il database MySQL «{alias}» non risponde.",
                        hint="Controllare PRODUCTION_DATABASE_URL, e che il server sia acceso.",
                        id="etlportal.E004",
                    )
                )
    return errors


def _lax(alias: str) -> Iterator[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT @@SESSION.sql_mode, @@character_set_database, @@character_set_connection"
        )
        modes, *charsets = cursor.fetchone()
    if not STRICT_MODES & set(modes.split(",")):
        yield Error(
            f"Il database MySQL «{alias}» non è in modalità stretta: accetterebbe valori "
            "troncati senza dirlo.",
            hint="Aggiungere STRICT_TRANS_TABLES a sql_mode nella configurazione del server.",
            id="etlportal.E002",
        )
    if set(charsets) != {"utf8mb4"}:
        yield Error(
            f"Il database MySQL «{alias}» usa il set di caratteri "
            f"{', '.join(sorted(set(charsets)))}: serve utf8mb4.",
            hint="ALTER DATABASE … CHARACTER SET utf8mb4;",
            id="etlportal.E003",
        )
