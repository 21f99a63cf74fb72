"""The one error shape, and what every answer carries, whoever makes it."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.urls import path, resolve

from etlportal.urls import handler400, handler403, handler404, handler500  # noqa: F401
from etlportal.urls import urlpatterns as portal_urls
from tests.builders import make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"])

SECRET = "password=segreta SELECT * FROM utenti at db.interno:5432"
PATHS = ("insert-postgres", "run-etl", "process-transfer", "status")


def _view_raising(error):
    def view(request):
        raise error

    return view


# The portal with some broken views that are not DRF's: ROOT_URLCONF of the tests that ask so.
urlpatterns = [
    path("guasto/500", _view_raising(RuntimeError(SECRET))),
    path("guasto/400", _view_raising(SuspiciousOperation(SECRET))),
    path("guasto/403", _view_raising(PermissionDenied(SECRET))),
    path("guasto/404", _view_raising(Http404(SECRET))),
    *portal_urls,
]


def assert_error(answer, status, codice):
    assert answer.status_code == status
    assert answer["Content-Type"] in {"application/json", "application/json; charset=utf-8"}
    body = answer.json()
    assert set(body) == {"error", "codice", "dettagli", "request_id"}
    assert body["codice"] == codice
    assert body["error"].endswith(".")
    assert isinstance(body["dettagli"], list)
    assert body["request_id"] == answer["X-Request-ID"]
    assert answer["Cache-Control"] == "no-store"
    assert "segreta" not in answer.text


def make_fail(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("ingestion.services.store_lotto", fail)


@pytest.mark.parametrize("url", ["/nulla", "/api/v1/nulla", "/status/nulla", "/insert-postgres//"])
def test_an_unknown_address(api, url):
    assert_error(api.get(url), 404, "non_trovato")


@pytest.mark.parametrize(
    ("method", "url"), [("GET", "/insert-postgres"), ("PUT", "/run-etl"), ("POST", "/status")]
)
def test_a_wrong_method(api, method, url):
    answer = api.generic(method, url)

    assert_error(answer, 405, "metodo_non_ammesso")
    assert answer["Allow"]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("url", "status", "codice"),
    [
        ("/guasto/500", 500, "errore_interno"),
        ("/guasto/400", 400, "richiesta_non_valida"),
        ("/guasto/403", 403, "permesso_negato"),
        ("/guasto/404", 404, "non_trovato"),
    ],
)
def test_an_error_outside_the_api_views(anonymous, url, status, codice):
    assert_error(anonymous.get(url), status, codice)


def test_a_host_that_is_not_ours(api):
    assert_error(
        api.get("/status", headers={"Host": "altrove.example"}), 400, "richiesta_non_valida"
    )


def test_an_unexpected_error_in_an_api_view(api, monkeypatch):
    make_fail(monkeypatch, RuntimeError(SECRET))

    answer = api.post("/insert-postgres", [make_posted()], content_type="application/json")

    assert_error(answer, 500, "errore_interno")


@pytest.mark.parametrize("error", [OperationalError(SECRET), InterfaceError(SECRET)])
def test_a_database_that_is_away(api, monkeypatch, error):
    make_fail(monkeypatch, error)

    answer = api.post("/insert-postgres", [make_posted()], content_type="application/json")

    assert_error(answer, 503, "database_non_disponibile")
    assert int(answer["Retry-After"]) >= 5


def test_the_admin_answers_people_in_html(anonymous, settings):
    answer = anonymous.get("/admin/login/", headers={"Host": "altrove.example"})

    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")


# --- What every answer carries --------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["/status", "/healthz", "/nulla", "/insert-postgres", "/esecuzioni/x:y:z"]
)
class TestEveryAnswer:
    def test_may_not_be_stored(self, api, url):
        assert api.get(url)["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("sane", ["12345678", "08586-aB_c.d", "x" * 64])
    def test_keeps_the_callers_request_id(self, api, url, sane):
        assert api.get(url, headers={"X-Request-ID": sane})["X-Request-ID"] == sane

    @pytest.mark.parametrize("odd", ["", "corto", "x" * 65, "due parole", "a;drop table", "è" * 10])
    def test_mints_one_for_a_missing_or_odd_id(self, api, url, odd):
        minted = api.get(url, headers={"X-Request-ID": odd})["X-Request-ID"]

        assert minted != odd
        assert len(minted) == 32

    def test_mints_a_new_one_each_time(self, api, url):
        assert api.get(url)["X-Request-ID"] != api.get(url)["X-Request-ID"]


# --- Three spellings of each path -----------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_three_spellings_are_one_view(name):
    spellings = [f"/{name}", f"/{name}/", f"/api/v1/{name}", f"/api/v1/{name}/"]

    views = {resolve(spelling).func.view_class for spelling in spellings}

    assert len(views) == 1


@pytest.mark.parametrize(
    "url", ["/insert-postgres/", "/api/v1/insert-postgres", "/api/v1/run-etl/"]
)
def test_no_spelling_redirects(api, url):
    answer = api.post(url, [make_posted()], content_type="application/json")

    assert answer.status_code in {200, 202}


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "*/*", "garbage"])
def test_the_answer_is_json_whatever_is_accepted(api, accept):
    answer = api.get("/status", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json; charset=utf-8"
