"""Which keys an endpoint takes. Default deny: a view that names no scope opens to nobody."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

Scope = str | tuple[str, ...]


def scopes_of(view: Any, method: str) -> frozenset[str]:
    """The scopes of which a key needs one: the view's ``scope``, for all methods or by method.

    HEAD is a GET. Empty for a method that the view does not name.
    """
    scope: Scope | dict[str, Scope] = getattr(view, "scope", ())
    if isinstance(scope, dict):
        scope = scope.get("GET" if method == "HEAD" else method, ())
    return frozenset([scope] if isinstance(scope, str) else scope)


class HasScope(BasePermission):
    """The caller's key has a scope that the view takes. OPTIONS, which does nothing, and a
    method that the view does not have (405) need any valid key.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        method = request.method or ""
        client: Any = request.user
        if not client:
            return False
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True
        return bool(scopes_of(view, method) & client.permessi)
