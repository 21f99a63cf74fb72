from django.urls import re_path

from orders import views

# /x, /x/ and /api/v1/x are one view; a redirect would lose the body (docs/contratto.md, "HTTP in
# generale").
ENDPOINTS = {
    "ordine": views.WhatToMake,
    "aggiorna/ordine": views.UpdateOrders,
}

urlpatterns = [
    re_path(rf"^(?:api/v1/)?{path}/?$", view.as_view(), name=path)
    for path, view in ENDPOINTS.items()
]
