"""OpenAPI 3 at /api/schema: complete, valid, and true of what the endpoints answer."""

import json
import re
from pathlib import Path

import pytest
import schemathesis
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from jsonschema import Draft4Validator
from rest_framework.views import APIView

from etlportal.api import schema as portal_schema
from etlportal.api.errors import SENTENCES
from etlportal.api.permissions import scopes_of
from ingestion.models import EsecuzioneEtl
from production.models import AnomaliaOperazione, Operazione
from tests.builders import make_active_esecuzione, make_esecuzione, make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

ROOT = Path(__file__).parents[3]
PATH = "/api/schema"
JSON = "application/json"


@pytest.fixture
def document(api):
    answer = api.get(PATH)
    assert answer.status_code == 200
    return answer.json()


def operations(document):
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def resolved(document, node):
    """A node of the document, or what it refers to."""
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def assert_as_documented(document, path, method, answer):
    """Status, headers, content type and body are what the document says of that operation."""
    responses = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (path, method, answer.status_code)
    response = resolved(document, responses[str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        if resolved(document, header).get("required"):
            assert answer.has_header(name), (path, name)
    content_type = answer["Content-Type"].partition(";")[0]
    body_schema = response["content"][content_type]["schema"]
    if content_type == JSON:
        whole = {**body_schema, "components": document["components"]}
        problems = [error.message for error in Draft4Validator(whole).iter_errors(answer.json())]
        assert problems == [], (path, method, answer.status_code)


# --- The document ----------------------------------------------------------------------------


def test_it_is_openapi_3(document):
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.0")


def patterns(resolver):
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern)
        elif isinstance(pattern, URLPattern):
            yield pattern


def api_views():
    """View class and regex of every route of the API."""
    for pattern in patterns(get_resolver()):
        view = getattr(pattern.callback, "cls", None)
        if view and issubclass(view, APIView):
            yield str(pattern.pattern), view


def match_of(path):
    return resolve(path.replace("{token}", "x"))


def test_every_route_and_method_is_in_it_and_no_other(document):
    routes = {
        (regex, method.lower())
        for regex, view in api_views()
        for method in view().allowed_methods
        if method not in {"HEAD", "OPTIONS"}
    }
    assert len(routes) > 15
    assert routes == {(match_of(path).route, method) for path, method, _ in operations(document)}


def test_each_documented_path_is_one_that_answers(document, anonymous):
    for path in document["paths"]:
        answer = anonymous.get(path.replace("{token}", "x"))
        assert answer.status_code != 404 or "{token}" in path, path


def test_a_description_without_its_route_fails(monkeypatch):
    monkeypatch.setattr(portal_schema, "written", lambda: {"paths": {"/nuovo": {"get": {}}}})
    with pytest.raises(Resolver404):
        portal_schema.document.__wrapped__()


def test_what_the_connector_alone_says_is_not_in_it(document):
    assert "x-connector" not in json.dumps(document)


def test_each_operation_is_told_in_italian_sentences(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for path, _, operation in operations(document):
        assert operation["summary"], path
        assert not operation["summary"].endswith("."), path
        assert operation["description"].strip().endswith("."), path
        assert operation["tags"], path


def test_each_operation_names_the_scopes_that_open_it(document):
    for path, method, operation in operations(document):
        view = match_of(path).func.cls
        keyed = bool(view.authentication_classes)
        assert operation["security"] == ([{"ApiKey": []}] if keyed else [])
        for scope in scopes_of(view, method.upper()):
            assert scope in operation["description"].rpartition("\n")[2]


def test_each_operation_lists_the_errors_in_the_one_shape(document):
    for path, _, operation in operations(document):
        codes = set(operation["responses"])
        assert {"400", "403", "405", "500", "503"} <= codes, path
        assert ({"401", "429"} <= codes) == bool(operation["security"]), path
        for code in codes:
            if code >= "400":
                content = resolved(document, operation["responses"][code])["content"][JSON]
                assert content["schema"] == {"$ref": "#/components/schemas/Errore"}


def test_retry_after_stands_with_what_may_be_retried(document):
    for path, _, operation in operations(document):
        for code in {"202", "429", "503"} & set(operation["responses"]):
            headers = resolved(document, operation["responses"][code])["headers"]
            assert "Retry-After" in headers, (path, code)
            assert ("Location" in headers) == (code == "202"), (path, code)


def test_each_example_fits_its_schema(document):
    tried = 0
    for name, body in document["components"]["schemas"].items():
        if "example" in body:
            tried += 1
            whole = {**body, "components": document["components"]}
            assert not list(Draft4Validator(whole).iter_errors(body["example"])), name
    for path, _, operation in operations(document):
        bodies = [resolved(document, body) for body in operation["responses"].values()]
        for content in (body["content"] for body in bodies):
            if example := content.get(JSON, {}).get("example"):
                tried += 1
                whole = {**content[JSON]["schema"], "components": document["components"]}
                assert not list(Draft4Validator(whole).iter_errors(example)), path
    assert tried > 20


def test_the_examples_of_a_body_are_taken(api, plant, document):
    body = document["components"]["requestBodies"]["Operazioni"]["content"][JSON]
    assert len(body["examples"]) == 2
    for example in body["examples"].values():
        answer = api.post("/insert-postgres", example["value"], content_type=JSON)
        assert answer.status_code == 200
        assert answer.json()["ricevuti"] == len(example["value"])


# --- What the endpoints really answer -----------------------------------------------------------


@pytest.fixture
def busy_plant(plant):
    make_esecuzione(stato=EsecuzioneEtl.Stato.ERRORE, messaggio="Fallita.")
    operation = Operazione.objects.create(pezzo_id="PZC01")
    AnomaliaOperazione.objects.create(anomalia_id=2, operazione=operation, note="Nota.")


GETS = [
    ("/status", {}),
    ("/status", {"esecuzione": "1000000"}),
    ("/actions", {}),
    ("/actions", {"limite": "0"}),
    ("/actions/errors", {}),
    ("/api/v1/anomalie/nuove", {}),
    ("/api/v1/anomalie/nuove", {"dopo": "0-0"}),
    ("/api/v1/anomalie/nuove", {"dopo": "?"}),
    ("/ordine", {}),
    ("/logs", {}),
    ("/logs", {"level": "FORTE"}),
    ("/mysql-logs", {}),
    ("/postgresql-logs", {}),
    ("/log-cron", {}),
    ("/healthz", {}),
    (PATH, {}),
    ("/api/v1/connector/apiDefinition.swagger.json", {}),
    ("/api/v1/connector/apiProperties.json", {}),
    ("/clear-logs", {"file": "../x"}),
]


@pytest.mark.parametrize(("path", "query"), GETS)
def test_what_a_get_answers(api, anonymous, document, busy_plant, path, query):
    assert_as_documented(document, path, "get", api.get(path, query))
    assert_as_documented(document, path, "get", anonymous.get(path, query))
    assert_as_documented(document, path, "get", api.put(path))


def test_one_run_as_status_shows_it(api, document):
    run = make_esecuzione()
    answer = api.get("/status", {"esecuzione": run.pk})
    assert answer.status_code == 200
    assert_as_documented(document, "/status", "get", answer)


def test_what_clearing_answers(api, document):
    answer = api.post("/clear-logs?file=etl&backup=0", content_type=JSON)
    assert answer.status_code == 200
    assert_as_documented(document, "/clear-logs", "post", answer)


SENT = [
    ("/insert-postgres", [make_posted()], 200),
    ("/insert-postgres", [], 200),
    ("/insert-postgres", 7, 400),
    ("/run-etl", [make_posted()], 202),
    ("/run-etl", [], 200),
    ("/run-etl", "[", 400),
]


@pytest.mark.parametrize(("path", "body", "status"), SENT)
def test_what_sending_answers(api, anonymous, document, plant, path, body, status):
    answer = api.post(path, body, content_type=JSON)
    assert answer.status_code == status
    assert_as_documented(document, path, "post", answer)
    assert_as_documented(document, path, "post", anonymous.post(path, body, content_type=JSON))


def test_a_form_and_a_large_body(api, document, settings):
    answer = api.post("/insert-postgres", {"a": "1"})
    assert answer.status_code == 415
    assert_as_documented(document, "/insert-postgres", "post", answer)
    settings.MAX_RECORDS = 1
    answer = api.post("/insert-postgres", [make_posted()] * 2, content_type=JSON)
    assert answer.status_code == 413
    assert_as_documented(document, "/insert-postgres", "post", answer)


def test_a_key_sent_twice_with_another_body(api, document):
    key = {"Idempotency-Key": "run-1"}
    api.post("/insert-postgres", [make_posted()], content_type=JSON, headers=key)
    answer = api.post("/insert-postgres", [make_posted()] * 2, content_type=JSON, headers=key)
    assert answer.status_code == 422
    assert_as_documented(document, "/insert-postgres", "post", answer)


@pytest.mark.parametrize("path", ["/process-transfer", "/aggiorna/ordine"])
def test_a_run_followed_to_its_end(api, anonymous, document, plant, run_queue, settings, path):
    settings.RUN_WAIT_SECONDS = 0
    accepted = api.post(path)
    assert accepted.status_code == 202
    assert_as_documented(document, path, "post", accepted)
    follow = "/esecuzioni/{token}"
    assert_as_documented(document, follow, "get", anonymous.get(accepted["Location"]))
    run_queue()
    ended = anonymous.get(accepted["Location"])
    assert ended.status_code == 200
    assert_as_documented(document, follow, "get", ended)
    assert_as_documented(document, path, "post", ended)


def test_a_run_that_is_under_way_and_one_that_fails(api, anonymous, document, settings):
    settings.RUN_WAIT_SECONDS = 0
    run = make_active_esecuzione()
    accepted = api.post("/process-transfer")
    assert accepted.json()["gia_in_esecuzione"] is True
    assert_as_documented(document, "/process-transfer", "post", accepted)
    EsecuzioneEtl.objects.filter(pk=run.pk).update(stato=EsecuzioneEtl.Stato.ERRORE)
    failed = anonymous.get(accepted["Location"])
    assert failed.status_code == 422
    assert_as_documented(document, "/esecuzioni/{token}", "get", failed)


def test_a_run_that_is_not_there(anonymous, document):
    answer = anonymous.get("/esecuzioni/x")
    assert answer.status_code == 404
    assert_as_documented(document, "/esecuzioni/{token}", "get", answer)


@pytest.mark.parametrize("path", ["/ordine", "/api/v1/anomalie/nuove"])
def test_without_mysql(api, document, production_away, path):
    with production_away():
        answer = api.get(path)
    assert answer.status_code == 503
    assert_as_documented(document, path, "get", answer)


# --- Who may read it, and where -----------------------------------------------------------------


def test_without_a_key_it_is_refused_in_the_one_shape(anonymous):
    answer = anonymous.get(PATH)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"]
    assert answer.json()["codice"] == "chiave_mancante"


@pytest.mark.parametrize(("staff", "status"), [(True, 200), (False, 401)])
def test_the_session_of_the_staff_opens_it(client, django_user_model, staff, status):
    client.force_login(django_user_model.objects.create_user("anna", is_staff=staff))

    assert client.get(PATH).status_code == status
    assert client.get(PATH, headers={"X-API-KEY": "sbagliata"}).status_code == 401


def test_a_session_opens_nothing_else(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("anna"))

    assert client.get("/status").status_code == 401


def test_the_page_sends_strangers_to_the_login(client):
    answer = client.get("/api/docs")

    assert answer.status_code == 302
    assert answer["Location"] == "/admin/login/?next=/api/docs"


def test_the_page_has_nothing_inline_and_nothing_from_outside(admin_client):
    page = admin_client.get("/api/docs").content.decode()

    assert not re.search(r"https?://|//cdn", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)
    assert json.loads(admin_client.get(PATH).content)["openapi"]


def test_the_example_of_each_common_error_is_what_is_answered(document):
    for _, _, operation in operations(document):
        for status in {"403", "404", "405", "414", "429", "431", "500", "503"} & set(
            operation["responses"]
        ):
            answer = resolved(document, operation["responses"][status])
            example = answer["content"][JSON]["example"]
            assert (example["codice"], example["error"]) == SENTENCES[int(status)]


def test_the_guide_for_flow_authors_names_every_code():
    """Those that the sources write, whoever raises them."""
    sources = [
        path.read_text()
        for app in ("etlportal", "ingestion", "logviewer", "orders")
        for path in (ROOT / app).glob("**/*.py")
    ]
    written = r'(?:codice = |code=)"([a-z]+_[a-z_]+)"'
    codes = {code for source in sources for code in re.findall(written, source)}
    codes |= {codice for codice, _ in SENTENCES.values()}
    assert len(codes) > 20
    guide = (ROOT / "docs" / "power-automate.md").read_text()
    assert {code for code in codes if f"`{code}`" not in guide} == set()
