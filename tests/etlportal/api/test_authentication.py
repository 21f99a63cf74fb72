import io
import logging

import pytest
from django.conf import settings

from ingestion.models import EsecuzioneEtl, LottoRicevuto
from tests.builders import make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"])

ENDPOINTS = [
    ("POST", "/insert-postgres"),
    ("POST", "/run-etl"),
    ("POST", "/process-transfer"),
    ("GET", "/status"),
]
WRONG_KEYS = ["", " ", "x", f"{settings.API_KEY}x", settings.API_KEY[:-1], "chiàve", "à" * 5000]


class BodyThatMustNotBeRead(io.RawIOBase):
    was_read = False

    def read(self, size=-1):
        self.was_read = True
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
class TestWithoutKey:
    def test_is_refused_in_the_one_error_shape(self, anonymous, method, path, prefix):
        answer = anonymous.generic(method, prefix + path)

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("ApiKey ")
        body = answer.json()
        assert set(body) == {"error", "codice", "dettagli", "request_id"}
        assert body["codice"] == "chiave_mancante"
        assert "X-API-KEY" in body["error"]
        assert body["request_id"] == answer["X-Request-ID"]

    def test_leaves_nothing(self, anonymous, method, path, prefix):
        anonymous.generic(
            method, prefix + path, '[{"codice_pezzo": "P"}]', content_type="application/json"
        )

        assert LottoRicevuto.objects.count() == 0
        assert EsecuzioneEtl.objects.count() == 0


@pytest.mark.parametrize("key", WRONG_KEYS)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_wrong_key_is_refused(anonymous, method, path, key):
    answer = anonymous.generic(method, path, headers={"X-API-KEY": key})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"]
    assert answer.json()["codice"] in {"chiave_mancante", "chiave_non_valida"}
    assert "chiàve" not in answer.text


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "sbagliata"}])
@pytest.mark.parametrize("path", ["/insert-postgres", "/run-etl", "/process-transfer"])
def test_the_key_is_checked_before_the_body_is_read(anonymous, path, headers):
    body = BodyThatMustNotBeRead()

    answer = anonymous.post(
        path,
        content_type="application/json",
        headers=headers,
        **{"wsgi.input": body, "CONTENT_LENGTH": "1000"},
    )

    assert answer.status_code == 401
    assert not body.was_read


def test_with_the_key_that_same_body_is_read(api):
    body = BodyThatMustNotBeRead()

    answer = api.post(
        "/insert-postgres",
        content_type="application/json",
        **{"wsgi.input": body, "CONTENT_LENGTH": "1000"},
    )

    assert body.was_read
    assert answer.status_code == 500


@pytest.mark.parametrize("blanks", ["{} ", " {}", "{}\t"])
def test_a_key_pasted_with_blanks_is_accepted(anonymous, blanks):
    answer = anonymous.get("/status", headers={"X-API-KEY": blanks.format(settings.API_KEY)})

    assert answer.status_code == 200


def test_no_key_comes_before_a_wrong_method(anonymous, api):
    assert anonymous.get("/insert-postgres").status_code == 401
    assert api.get("/insert-postgres").status_code == 405


def test_the_key_in_the_address_counts_for_nothing(anonymous):
    assert anonymous.get(f"/status?X-API-KEY={settings.API_KEY}").status_code == 401


def test_a_batch_knows_the_name_of_its_key_and_not_the_key(api):
    api.post("/insert-postgres", [make_posted()], content_type="application/json")

    assert LottoRicevuto.objects.get().nome_chiave == "API_KEY"


def test_no_log_shows_a_key(anonymous, caplog):
    caplog.set_level(logging.DEBUG)

    anonymous.get("/status", headers={"X-API-KEY": "chiave-sbagliata-segreta"})
    anonymous.get("/status", headers={"X-API-KEY": settings.API_KEY})

    assert caplog.records
    assert "chiave-sbagliata-segreta" not in caplog.text
    assert settings.API_KEY not in caplog.text


def test_health_needs_no_key_and_says_nothing_else(anonymous):
    for path in ("/healthz", "/healthz/"):
        answer = anonymous.get(path)
        assert answer.status_code == 200
        assert answer.json() == {"ok": True}
