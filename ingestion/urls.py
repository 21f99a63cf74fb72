from django.urls import re_path

from ingestion import views

# /x, /x/ and /api/v1/x are one view; a redirect would lose the body (docs/contratto.md, "HTTP in
# generale").
ENDPOINTS = {
    "insert-postgres": views.InsertPostgres,
    "run-etl": views.RunEtl,
    "process-transfer": views.ProcessTransfer,
    "status": views.Status,
    "actions": views.Actions,
    "actions/errors": views.FailedActions,
    "anomalie/nuove": views.NewAnomalies,
}

urlpatterns = [
    re_path(rf"^(?:api/v1/)?{path}/?$", view.as_view(), name=path)
    for path, view in ENDPOINTS.items()
] + [
    re_path(
        r"^(?:api/v1/)?esecuzioni/(?P<token>[\w:=-]+)/?$",
        views.RunByToken.as_view(),
        name="esecuzione",
    )
]
