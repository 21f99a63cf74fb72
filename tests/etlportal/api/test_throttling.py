from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from etlportal.api import keys, throttling
from etlportal.models import ConsumoChiave
from tests.builders import ANNA

pytestmark = pytest.mark.django_db(databases=["default", "production"])


@pytest.fixture
def two_a_minute(settings):
    settings.API_RICHIESTE_MINUTO = 2


def test_above_the_rate_a_key_waits(api, two_a_minute):
    assert [api.get("/status").status_code for _ in range(2)] == [200, 200]

    answer = api.get("/status")

    assert answer.status_code == 429
    assert 5 <= int(answer["Retry-After"]) <= 60
    assert answer.json()["codice"] == "troppe_richieste"
    assert answer.json()["error"].endswith(".")


def test_one_key_does_not_use_up_another(api, anonymous, two_a_minute):
    other = keys.create("altra", ["lettura"], None, by=ANNA).text
    for _ in range(3):
        api.get("/status")

    assert api.get("/status").status_code == 429
    assert anonymous.get("/status", headers={"X-API-KEY": other}).status_code == 200


def test_what_has_no_key_is_not_counted(anonymous, two_a_minute):
    assert {anonymous.get("/healthz").status_code for _ in range(5)} == {200}
    assert {anonymous.get("/status").status_code for _ in range(5)} == {401}


def test_each_minute_begins_anew():
    start = datetime(2026, 11, 23, 12, 0, 59, tzinfo=UTC)

    counts = [throttling.count("x", start + timedelta(seconds=n)) for n in (0, 0, 1, 2, 3600)]

    assert counts == [1, 2, 1, 2, 1]
    assert ConsumoChiave.objects.count() == 1


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_calls_at_the_same_time_each_count():
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def call(_):
        try:
            return throttling.count("x", now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(call, range(160)))

    assert max(seen) == ConsumoChiave.objects.get().richieste == 160
    assert len([number for number in seen if number <= 30]) <= 30
