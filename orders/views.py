"""What to make next, and bringing the orders up to date."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.jobs import transfer_options
from ingestion.models import EsecuzioneEtl
from ingestion.runs import answers
from orders.next_lines import next_lines


class WhatToMake(APIView):
    """GET /ordine: a bare list, as the flows expect it."""

    scope = ("flusso", "lettura")

    def get(self, request: Request) -> Response:
        limits = transfer_options().limits
        return Response(next_lines(limits, fictitious=settings.ORDINI_FITTIZI == "crea"))


class UpdateOrders(APIView):
    scope = "flusso"

    def post(self, request: Request) -> Response:
        return answers.start_and_answer(request, EsecuzioneEtl.Tipo.ORDINI)
