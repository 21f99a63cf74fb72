"""The one error shape, and what every answer carries, whoever makes it."""

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.test import Client
from django.urls import path, resolve
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from etlportal.api.errors import SENTENCES
from etlportal.api.handlers import standard_body
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


class Raising(APIView):
    """An API view that raises what the test put here."""

    permission_classes = (AllowAny,)
    error: BaseException = RuntimeError()

    def get(self, request):
        raise Raising.error


# The portal with some broken views that are not DRF's: ROOT_URLCONF of the tests that ask so.
urlpatterns = [
    path("guasto/500", _view_raising(RuntimeError(SECRET))),
    path("guasto/400", _view_raising(SuspiciousOperation(SECRET))),
    path("guasto/403", _view_raising(PermissionDenied(SECRET))),
    path("guasto/404", _view_raising(Http404(SECRET))),
    path("guasto/api", Raising.as_view()),
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

    monkeypatch.setattr("ingestion.reception.payloads.records_in", fail)


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


API_ERRORS = [
    (Http404(SECRET), 404, "non_trovato"),
    (PermissionDenied(SECRET), 403, "permesso_negato"),
    (SuspiciousOperation(SECRET), 400, "richiesta_non_valida"),
    (BadRequest(SECRET), 400, "richiesta_non_valida"),
    (RequestDataTooBig(SECRET), 413, "corpo_troppo_grande"),
    (UnreadablePostError(SECRET), 400, "corpo_incompleto"),
    (RuntimeError(SECRET), 500, "errore_interno"),
    (exceptions.ParseError("english"), 400, "richiesta_non_valida"),
    (exceptions.ValidationError({"segreta": ["english"]}), 400, "richiesta_non_valida"),
    (exceptions.NotAuthenticated("english"), 401, "chiave_non_valida"),
    (exceptions.AuthenticationFailed("Manca.", code="nostro"), 401, "nostro"),
    (exceptions.NotFound("english"), 404, "non_trovato"),
    (exceptions.MethodNotAllowed("PIPPO"), 405, "metodo_non_ammesso"),
    (exceptions.NotAcceptable("english"), 406, "richiesta_non_valida"),
    (exceptions.UnsupportedMediaType("x"), 415, "tipo_contenuto_non_ammesso"),
    (exceptions.Throttled(1, "english"), 429, "troppe_richieste"),
    (exceptions.APIException("english"), 500, "errore_interno"),
]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("language", ["it", "en", "de"])
@pytest.mark.parametrize(("error", "status", "codice"), API_ERRORS, ids=lambda case: repr(case))
def test_whatever_an_api_view_raises(api, monkeypatch, error, status, codice, language):
    monkeypatch.setattr(Raising, "error", error)

    answer = api.get("/guasto/api", headers={"Accept-Language": language})

    assert_error(answer, status, codice)
    assert "english" not in answer.text


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("wait", "seconds"), [(0.2, 5), (5, 5), (5.01, 6), (59.5, 60), (None, 30), (0, 30)]
)
def test_retry_after_is_whole_seconds_and_at_least_five(api, monkeypatch, wait, seconds):
    error = exceptions.Throttled()
    error.wait = wait
    monkeypatch.setattr(Raising, "error", error)

    assert api.get("/guasto/api")["Retry-After"] == str(seconds)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 414, 415, 417, 429, 431, 500])
def test_every_status_has_a_sentence(status):
    body = standard_body(None, status)

    assert (body["codice"], body["error"]) in SENTENCES.values()
    assert body["error"].endswith(".")


@pytest.mark.parametrize("url", ["/status%00", "/status?esecuzione=%00", "/nulla?a=b%00c"])
def test_an_address_with_a_null_character(api, url):
    assert_error(api.get(url), 400, "richiesta_non_valida")


def test_in_the_admin_such_an_address_is_told_to_a_person(anonymous):
    assert anonymous.get("/admin/login/?next=%00").status_code == 400


@pytest.mark.parametrize("url", ["/%ff", "/%zz", "/%e2%28%a1", "/status/%2e%2e", "/\u202e"])
def test_an_address_that_is_no_text(api, url):
    assert_error(api.get(url), 404, "non_trovato")


def test_an_address_with_too_many_parameters(api):
    assert_error(api.get("/status?" + "a=1&" * 1001), 400, "richiesta_non_valida")


@pytest.mark.parametrize("url", ["/insert-postgres", "/run-etl", "/process-transfer"])
def test_head_of_what_only_takes_post(api, url):
    answer = api.head(url)

    assert answer.status_code == 405
    assert answer["Allow"] == "POST, OPTIONS"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("url", "methods"),
    [("/insert-postgres", ["POST", "OPTIONS"]), ("/status", ["GET", "HEAD", "OPTIONS"])],
)
def test_options_tells_the_methods_and_nothing_else(api, anonymous, url, methods):
    answer = api.options(url)

    assert answer.status_code == 200
    assert answer["Allow"] == ", ".join(methods)
    assert answer.json() == {"metodi": methods}
    assert anonymous.options(url).status_code == 401


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


@pytest.mark.parametrize("path", ["/", "/i18n/setlang/"])
@pytest.mark.django_db
def test_a_flow_that_forgot_the_path_is_told_so(path):
    answer = Client(enforce_csrf_checks=True).post(path, "[]", content_type="application/json")

    assert answer.status_code == 404
    assert answer.json()["codice"] == "non_trovato"
