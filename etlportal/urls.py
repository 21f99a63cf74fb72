from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from etlportal.api.errors import JSON_TYPE


def healthz(request: HttpRequest) -> JsonResponse:
    """Says only that the process answers; for load balancers, without a key."""
    return JsonResponse({"ok": True}, content_type=JSON_TYPE)


urlpatterns = [
    re_path(r"^healthz/?$", healthz, name="healthz"),
    path("", include("ingestion.urls")),
    path("", include("orders.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("i18n/", include("django.conf.urls.i18n")),
    re_path(r"^admin$", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]

handler400 = "etlportal.api.errors.bad_request"
handler403 = "etlportal.api.errors.permission_denied"
handler404 = "etlportal.api.errors.not_found"
handler500 = "etlportal.api.errors.server_error"
