"""Scopes: what an endpoint asks for, and default deny."""

from types import SimpleNamespace

import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from etlportal.api.authentication import ApiClient
from etlportal.api.permissions import HasScope, scopes_of


def view(scope):
    return SimpleNamespace(scope=scope) if scope is not None else SimpleNamespace()


@pytest.mark.parametrize(
    ("scope", "method", "expected"),
    [
        ("flusso", "GET", {"flusso"}),
        (("flusso", "lettura"), "POST", {"flusso", "lettura"}),
        ({"GET": "lettura", "POST": ("flusso", "manutenzione")}, "GET", {"lettura"}),
        (
            {"GET": "lettura", "POST": ("flusso", "manutenzione")},
            "POST",
            {"flusso", "manutenzione"},
        ),
        ({"GET": "lettura"}, "HEAD", {"lettura"}),
        ({"GET": "lettura"}, "DELETE", set()),
        (None, "GET", set()),
    ],
)
def test_the_scopes_of_a_view(scope, method, expected):
    assert scopes_of(view(scope), method) == expected


def answer_to(method, permessi, scope):
    class Endpoint(APIView):
        authentication_classes = ()
        permission_classes = (HasScope,)
        throttle_classes = ()

        def initial(self, request, *args, **kwargs):
            request.user = ApiClient("prova", frozenset(permessi))
            super().initial(request, *args, **kwargs)

        def get(self, request):
            return Response({})

    if scope is not None:
        Endpoint.scope = scope
    request = getattr(APIRequestFactory(), method)("/")
    return Endpoint.as_view()(request).status_code


@pytest.mark.parametrize(
    ("method", "permessi", "scope", "status"),
    [
        ("get", {"lettura"}, "lettura", 200),
        ("head", {"lettura"}, "lettura", 200),
        ("get", {"flusso", "manutenzione"}, "lettura", 403),
        ("get", set(), "lettura", 403),
        ("get", {"flusso", "lettura", "manutenzione"}, None, 403),
        ("post", {"flusso"}, "lettura", 405),
        ("options", {"flusso"}, "lettura", 200),
    ],
)
def test_who_may_call(method, permessi, scope, status):
    assert answer_to(method, permessi, scope) == status
