"""The ``X-API-KEY`` header: who calls, and what the key opens (docs/contratto.md, "Chiavi")."""

import secrets
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from etlportal.api import keys
from etlportal.models import Permesso


@dataclass(frozen=True)
class ApiClient:
    """Who calls: the name of the key, never the key itself, and its scopes."""

    nome: str
    permessi: frozenset[str] = field(default_factory=frozenset)
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Refuses with 401 whatever has no valid key; it reads headers only, never the body."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None]:
        sent = request.headers.get("X-API-KEY", "").strip()
        if not sent:
            raise AuthenticationFailed("Manca l'intestazione X-API-KEY.", code="chiave_mancante")
        if secrets.compare_digest(sent.encode(), settings.API_KEY.encode()):
            return ApiClient(keys.FIRST_KEY, frozenset(Permesso.values)), None
        now = timezone.now()
        key = keys.find(sent, now)
        if key is None:
            raise AuthenticationFailed(
                "La chiave X-API-KEY non vale: è sbagliata, scaduta o revocata.",
                code="chiave_non_valida",
            )
        keys.note_use(key, now)
        return ApiClient(key.nome, frozenset(key.permessi)), None

    def authenticate_header(self, request: Request) -> str:
        return 'ApiKey realm="etlportal", header="X-API-KEY"'
