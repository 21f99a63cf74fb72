from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from etlportal.api.schema import Schema, docs


class Healthz(APIView):
    """Says only that the process answers; for load balancers, without a key."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


urlpatterns = [
    re_path(r"^healthz/?$", Healthz.as_view(), name="healthz"),
    path("", include("ingestion.urls")),
    path("", include("orders.urls")),
    path("", include("logviewer.urls")),
    path("", include("etlportal.connector.urls")),
    re_path(r"^api/schema/?$", Schema.as_view(), name="api-schema"),
    re_path(r"^api/docs/?$", docs, name="api-docs"),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("i18n/", include("django.conf.urls.i18n")),
    re_path(r"^admin$", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]

handler400 = "etlportal.api.handlers.bad_request"
handler403 = "etlportal.api.handlers.permission_denied"
handler404 = "etlportal.api.handlers.not_found"
handler500 = "etlportal.api.handlers.server_error"
