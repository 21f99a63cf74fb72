"""System checks: what must be right before records may flow, said in words.

The first of them run with ``manage.py check`` and whenever the web or the worker starts; those
that ask a server with ``manage.py check --database production`` and ``migrate``.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, connections

MIN_KEY_LENGTH = 20
MIN_SECRET_LENGTH = 32
# Words of examples: whoever reads the documentation knows a secret that holds one.
PLACEHOLDERS = (
    *("django-insecure", "solo-per-le-prove", "changeme"),
    *("cambiami", "example", "esempio"),
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
        told = "DEBUG è acceso: mostrerebbe a chiunque codice e impostazioni."
        hint = "Togliere DEBUG dall'ambiente, o provare senza https con HTTPS=no."
        errors.append(Error(told, hint=hint, id="etlportal.E005"))
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
        told = "ALLOWED_HOSTS vale *: chi chiama sceglierebbe l'indirizzo che gli viene dato."
        hint = "Indicare i nomi con cui il portale è raggiunto."
        errors.append(Error(told, hint=hint, id="etlportal.E008"))
    return errors


@register(Tags.database)
def check_mysql(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A lax MySQL truncates and clamps in silence; another charset loses characters."""
    errors: list[CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor != "mysql":
            continue
        told = f"Il database MySQL «{alias}»"
        try:
            with connections[alias].cursor() as cursor:
                charset_names = "@@character_set_database, @@character_set_connection"
                cursor.execute(f"SELECT @@SESSION.sql_mode, {charset_names}")
                modes, *charsets = cursor.fetchone()
        except OperationalError:
            hint = "Controllare PRODUCTION_DATABASE_URL, e che il server sia acceso."
            errors.append(Error(f"{told} non risponde.", hint=hint, id="etlportal.E004"))
            continue
        if not STRICT_MODES & set(modes.split(",")):
            lax = "non è in modalità stretta: accetterebbe valori troncati senza dirlo."
            hint = "Aggiungere STRICT_TRANS_TABLES a sql_mode nella configurazione del server."
            errors.append(Error(f"{told} {lax}", hint=hint, id="etlportal.E002"))
        if set(charsets) != {"utf8mb4"}:
            used = f"usa il set di caratteri {', '.join(sorted(set(charsets)))}: serve utf8mb4."
            hint = "ALTER DATABASE … CHARACTER SET utf8mb4;"
            errors.append(Error(f"{told} {used}", hint=hint, id="etlportal.E003"))
    return errors
