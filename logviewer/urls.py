from django.urls import re_path

from logviewer import views

TAILS = {
    "logs": "etl",
    "mysql-logs": "mysql",
    "postgresql-logs": "postgresql",
    "log-cron": "periodic",
}

# /x, /x/ and /api/v1/x are one view (docs/contratto.md, "HTTP in generale").
urlpatterns = [
    re_path(rf"^(?:api/v1/)?{path}/?$", views.LogTail.as_view(log=log), name=path)
    for path, log in TAILS.items()
] + [re_path(r"^(?:api/v1/)?clear-logs/?$", views.ClearLogs.as_view(), name="clear-logs")]
