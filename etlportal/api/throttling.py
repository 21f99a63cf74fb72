"""At most so many requests a minute for each key, counted in the shared cache."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class KeyRateThrottle(SimpleRateThrottle):
    """429 with ``Retry-After``; what carries no key (/healthz, a run's signed address) is free."""

    scope = "key"

    def get_rate(self) -> str:
        return f"{settings.API_RICHIESTE_MINUTO}/min"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        name = getattr(request.user, "nome", None)
        return name and self.cache_format % {"scope": self.scope, "ident": name}
