"""The ``X-API-KEY`` header. Named, scoped keys get their place here."""

import secrets
from dataclasses import dataclass

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


@dataclass(frozen=True)
class ApiClient:
    """Who calls: the name of the key, never the key itself."""

    nome: str
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Refuses with 401 whatever has no valid key; it reads headers only, never the body."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None]:
        sent = request.headers.get("X-API-KEY", "").strip()
        if not sent:
            raise AuthenticationFailed("Manca l'intestazione X-API-KEY.", code="chiave_mancante")
        if not secrets.compare_digest(sent.encode(), settings.API_KEY.encode()):
            raise AuthenticationFailed("La chiave X-API-KEY non vale.", code="chiave_non_valida")
        return ApiClient(nome="API_KEY"), None

    def authenticate_header(self, request: Request) -> str:
        return 'ApiKey realm="etlportal", header="X-API-KEY"'
