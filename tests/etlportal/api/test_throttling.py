import pytest

from etlportal.api import keys

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
    other = keys.create("altra", ["lettura"], None, by="anna").text
    for _ in range(3):
        api.get("/status")

    assert api.get("/status").status_code == 429
    assert anonymous.get("/status", headers={"X-API-KEY": other}).status_code == 200


def test_what_has_no_key_is_not_counted(anonymous, two_a_minute):
    assert {anonymous.get("/healthz").status_code for _ in range(5)} == {200}
    assert {anonymous.get("/status").status_code for _ in range(5)} == {401}


def test_the_count_is_shared_between_processes(api, two_a_minute, settings):
    """It is in the database's cache, not in this process."""
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    api.get("/status")

    from django.db import connections

    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cache WHERE cache_key LIKE '%throttle_key_API_KEY%'")
        assert cursor.fetchone() == (1,)
