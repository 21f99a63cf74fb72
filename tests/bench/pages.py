"""The start page and every list of the admin, with a million operations: time on the server.

Each list is asked for as it opens, with the first choice of each of its filters, and with a
search; the lists and their filters are those that the site has, so a new one is measured too.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from production.models import AnomaliaOperazione, Operazione
from tests.bench import plant_rows
from tests.bench.report import Measure, say, show

OPERATIONS = 1_000_000
ANOMALIES = 200_000
ORDERS, WAITING = 50_000, 2_000
RECORDS, LOTS = 200_000, 20_000
CALLS = 5
MOST_MS = 400.0

# What is written into a filter that takes text, by its parameter; days get a date of their own.
TEXTS = {"pezzo": "P01", "macchinario": "M01", "cliente": "Cliente 12", "tipo": "102"}


def run() -> bool:
    say("· 1.000.000 di operazioni, 200.000 anomalie, 50.000 ordini")
    plant_rows.make_plant()
    plant_rows.make_all_orders(ORDERS - WAITING, WAITING)
    plant_rows.make_operations(OPERATIONS, ORDERS)
    plant_rows.make_anomalies(ANOMALIES, OPERATIONS)
    plant_rows.make_staging(RECORDS, LOTS)
    plant_rows.analyse()
    assert Operazione.objects.count() == OPERATIONS
    assert AnomaliaOperazione.objects.count() == ANOMALIES
    user = get_user_model().objects.create_superuser("bench")
    client = client_of(user)
    yesterday = _days_ago(1)
    pages = [("Oggi", "/admin/"), ("Oggi, ieri", f"/admin/?giorno={yesterday}")]
    pages += [("Ordine", f"/admin/orders/ordine/{ORDERS}/change/")]
    pages += [("Scorta", "/admin/orders/magazzino/1/change/")]
    measures = [_measure(client, name, path) for name, path in [*pages, *list_pages(user)]]
    return show("pages", measures)


def client_of(user: Any) -> Client:
    client = Client(headers={"Host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def list_pages(user: Any) -> Iterator[tuple[str, str]]:
    """(name, path) of each list: as it is, with each filter, with a search."""
    for model, admin in site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        path = reverse(f"admin:{name}_changelist")
        yield name, path
        if not model._meta.managed:
            continue  # a page of its own in the list's place
        request = RequestFactory().get(path)
        request.user = user
        changelist = admin.get_changelist_instance(request)
        for spec in changelist.filter_specs:
            if query := _query_of(spec, changelist):
                yield f"{name}{query}"[:57], f"{path}{query}"
        if changelist.search_fields:
            yield f"{name}?q=12", f"{path}?q=12"


def _query_of(spec: Any, changelist: Any) -> str:
    """A filter in force: a value in its inputs, or the first choice that is not "all"."""
    if names := getattr(spec, "names", ()):
        days = len(names) == 2
        values = [_days_ago(7), ""] if days else [TEXTS.get(names[0], "1")]
        return "?" + urlencode(dict(zip(names, values, strict=True)))
    choices = [choice["query_string"] for choice in spec.choices(changelist)]
    return next((query for query in choices if query != "?"), "")


def _days_ago(days: int) -> str:
    return (timezone.localdate() - timedelta(days=days)).isoformat()


def _measure(client: Client, name: str, path: str) -> Measure:
    """Milliseconds of the median call; the first one, which opens connections, is not counted."""
    times = []
    for _ in range(CALLS + 1):
        started = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return Measure(name, median(times[1:]), "ms", ("<", MOST_MS))
