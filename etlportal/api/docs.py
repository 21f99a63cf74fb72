"""The page on which the API is read and tried, offline: Swagger UI with our schema."""

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@staff_member_required
def docs(request: HttpRequest) -> HttpResponse:
    """For who is logged in to the admin; anybody else is sent there."""
    return render(request, "api_docs.html")
