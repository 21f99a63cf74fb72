"""The custom connector: Microsoft's rules, and that it says what the endpoints do.

The rules are those of Microsoft's connector documentation (coding standards, string guidelines,
OpenAPI extensions) and of its validators for apiDefinition and apiProperties.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import resolve
from swagger_spec_validator.validator20 import validate_spec

from etlportal.api.permissions import scopes_of
from ingestion.models import EsecuzioneEtl
from ingestion.reception.payloads import KNOWN_FIELDS
from production.models import AnomaliaOperazione, Operazione
from tests.builders import make_esecuzione, make_posted

DEFINITION = "/api/v1/connector/apiDefinition.swagger.json"
PROPERTIES = "/api/v1/connector/apiProperties.json"
TRIGGER = "AnomalieNuove"
KNOWN_FORMATS = {"int32", "int64", "float", "double", "date-time", "date", "byte", "binary"}
TYPES = {"string", "integer", "number", "boolean", "array", "object"}
# Answers 202 and is then followed by the engine itself: what the flow sees is the last answer.
FOLLOWED = {"InserisciETrasferisci", "TrasferisciOperazioni", "AggiornaOrdini"}

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


@pytest.fixture
def definition(api):
    return api.get(DEFINITION).json()


@pytest.fixture
def properties(api):
    return api.get(PROPERTIES).json()["properties"]


def operations(definition) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Path, method and operation by operationId."""
    return {
        operation["operationId"]: (path, method, operation)
        for path, methods in definition["paths"].items()
        for method, operation in methods.items()
    }


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from nodes(inner)


def fields(definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every parameter, and every property of every schema, with its name."""
    for _, _, operation in operations(definition).values():
        yield from ((parameter["name"], parameter) for parameter in operation["parameters"])
    for node in nodes(definition["definitions"]):
        if isinstance(node.get("properties"), dict):
            yield from node["properties"].items()


def followed(definition, schema):
    """A schema, or the definition that it refers to."""
    name = schema.get("$ref", "").removeprefix("#/definitions/")
    return definition["definitions"][name] if name else schema


# --- Where it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secure", "host"), [(False, "localhost"), (True, "localhost:8443"), (True, "127.0.0.1")]
)
def test_the_address_is_the_one_by_which_it_was_asked(api, secure, host):
    answer = api.get(DEFINITION, secure=secure, headers={"Host": host})

    definition = answer.json()
    scheme = "https" if secure else "http"
    assert answer.status_code == 200
    assert (definition["host"], definition["schemes"]) == (host, [scheme])
    assert definition["info"]["contact"]["url"] == f"{scheme}://{host}/"
    assert "portale.example/" not in answer.content.decode()


@pytest.mark.parametrize("path", [DEFINITION, PROPERTIES])
def test_needs_a_key(anonymous, path):
    assert anonymous.get(path).status_code == 401


# --- Rules for the whole -----------------------------------------------------------------------


def test_it_is_swagger_2(definition):
    validate_spec(definition)
    assert definition["swagger"] == "2.0"


def test_it_is_below_a_megabyte(api):
    assert len(api.get(DEFINITION).content) < 1_000_000


def test_its_title_and_description(definition):
    info = definition["info"]
    assert len(info["title"]) <= 30
    assert not re.search(r"\b(api|connector|connettore|power ?automate)\b", info["title"], re.I)
    assert 30 <= len(info["description"]) <= 500
    assert info["description"].endswith(".")
    assert info["description"] != info["title"]
    assert set(info["contact"]) == {"name", "url", "email"}
    assert info["license"]["name"]
    assert {item["propertyName"] for item in definition["x-ms-connector-metadata"]} == {
        "Website",
        "Privacy policy",
        "Categories",
    }


def test_about_ten_operations(definition):
    assert 9 <= len(operations(definition)) <= 12


def test_no_word_that_power_automate_does_not_know(definition):
    for node in nodes(definition):
        assert not {"oneOf", "anyOf", "allOf", "not", "nullable"} & node.keys()


def test_the_key_is_a_header(definition):
    (scheme,) = definition["securityDefinitions"].values()
    assert scheme == {"type": "apiKey", "in": "header", "name": "X-API-KEY"}
    assert definition["security"] == [{"api_key": []}]


def test_a_connection_is_tried_on_the_status(definition):
    named = definition["x-ms-capabilities"]["testConnection"]["operationId"]
    path, method, _ = operations(definition)[named]
    assert (path, method) == ("/status", "get")


# --- Rules for each operation and field ---------------------------------------------------------


def test_each_operation_is_named_and_described(definition):
    found = operations(definition)
    assert len(found) == sum(len(methods) for methods in definition["paths"].values())
    for name, (_, _, operation) in found.items():
        assert re.fullmatch(r"([A-Z][a-z0-9]*)+", name)
        assert 0 < len(operation["summary"]) <= 80
        assert not operation["summary"].endswith(".")
        assert operation["description"].endswith(".")
        assert operation["description"].rstrip(".") != operation["summary"]
        assert operation["x-ms-visibility"] in {"important", "advanced", "internal"}


@pytest.mark.parametrize("word", ["summary", "description"])
def test_no_two_operations_say_the_same(definition, word):
    texts = [operation[word] for _, _, operation in operations(definition).values()]
    assert len(set(texts)) == len(texts)


def test_each_operation_has_one_success_with_a_schema(definition):
    for _, _, operation in operations(definition).values():
        successes = [code for code in operation["responses"] if code.startswith("2")]
        assert successes == ["200"]
        assert operation["responses"]["200"]["schema"]
        assert operation["responses"]["200"]["description"]
        assert "schema" not in operation["responses"]["default"]


def test_each_parameter_and_field_is_named_and_described(definition):
    named = dict(fields(definition))
    assert {"Idempotency-Key", "body", "peso_effettivo", "creata_il", "pending"} <= named.keys()
    for name, node in fields(definition):
        field = followed(definition, node)
        assert 0 < len(field["x-ms-summary"]) <= 80, name
        assert field["description"].endswith("."), name
        assert field["description"].rstrip(".") != field["x-ms-summary"], name


def test_each_field_has_one_type_and_a_known_format(definition):
    for name, field in fields(definition):
        schema = followed(definition, field.get("schema", field))
        assert schema["type"] in TYPES, name
        assert schema.get("format", "int32") in KNOWN_FORMATS, name
        if schema["type"] == "array":
            assert followed(definition, schema["items"])["type"] in TYPES, name


def test_optional_parameters_are_not_in_the_way(definition):
    for name, (_, _, operation) in operations(definition).items():
        for parameter in operation["parameters"]:
            visible = parameter.get("x-ms-visibility")
            assert parameter["required"] or visible in {"important", "advanced", "internal"}, name
            # What the user does not see must be optional, or have a default.
            assert visible != "internal" or not parameter["required"], name


# --- The trigger and the properties --------------------------------------------------------------


def test_the_trigger_polls(definition):
    triggers = {
        name: operation
        for name, (_, _, operation) in operations(definition).items()
        if "x-ms-trigger" in operation
    }
    assert set(triggers) == {TRIGGER}
    assert triggers[TRIGGER]["x-ms-trigger"] == "batch"
    assert triggers[TRIGGER]["x-ms-trigger-metadata"] == {"kind": "query", "mode": "polling"}
    assert triggers[TRIGGER]["x-ms-trigger-hint"].endswith(".")


def test_the_polling_policy_is_for_the_trigger(definition, properties):
    (policy,) = properties["policyTemplateInstances"]
    parameters = policy["parameters"]
    _, _, operation = operations(definition)[TRIGGER]
    answer = definition["definitions"]["AnomalieNuove"]["properties"]

    assert (policy["templateId"], policy["type"]) == ("pollingtrigger", "PollingTrigger")
    assert parameters["x-ms-apimTemplate-operationName"] == [TRIGGER]
    ((query, value),) = parameters["x-ms-apimTemplateParameter.triggerConfig"].items()
    assert [query] == [parameter["name"] for parameter in operation["parameters"]]
    assert operation["parameters"][0]["x-ms-visibility"] == "internal"
    assert re.fullmatch(r"@\{triggerBody\(\)\.(\w+)\}", value)[1] in answer
    path = parameters["x-ms-apimTemplateParameter.triggerDataPath"]
    assert answer[re.fullmatch(r"@triggerBody\(\)\.(\w+)", path)[1]]["type"] == "array"


def test_the_properties(definition, properties):
    (parameter,) = properties["connectionParameters"].items()
    assert parameter[0] == "api_key"
    assert parameter[0] in definition["securityDefinitions"]
    assert parameter[1]["type"] == "securestring"
    assert parameter[1]["uiDefinition"]["constraints"]["clearText"] is False
    assert re.fullmatch(r"#[0-9a-f]{6}", properties["iconBrandColor"])
    assert properties["iconBrandColor"] not in {"#ffffff", "#007ee5"}  # not accepted by Microsoft
    assert properties["publisher"]
    assert properties["stackOwner"]


# --- That it says what the endpoints do -----------------------------------------------------------


def test_each_operation_is_an_endpoint_for_a_flow_or_for_reading(definition):
    for name, (path, method, _) in operations(definition).items():
        view = resolve(definition["basePath"] + path).func.view_class
        assert hasattr(view, method), name
        assert scopes_of(view, method.upper()) & {"flusso", "lettura"}, name
        assert "manutenzione" not in scopes_of(view, method.upper()) or path == "/status", name


def assert_same_shape(definition, schema, value, where):
    """The value has exactly the fields that the schema has, each of its type."""
    schema = followed(definition, schema)
    python = {
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "array": list,
        "object": dict,
    }[schema["type"]]
    assert isinstance(value, python), where
    assert schema["type"] == "boolean" or not isinstance(value, bool), where
    if "properties" in schema:
        assert value.keys() == schema["properties"].keys(), where
        for name, inner in schema["properties"].items():
            assert_same_shape(definition, inner, value[name], f"{where}.{name}")
    for item in value if schema["type"] == "array" else ():
        assert_same_shape(definition, schema["items"], item, f"{where}[]")


@pytest.fixture
def busy_plant(plant):
    """A plant where each endpoint has something to tell."""
    make_esecuzione(stato=EsecuzioneEtl.Stato.ERRORE, messaggio="Fallita.")
    operation = Operazione.objects.create(pezzo_id="PZC01", macchinario_id="FORGIA1")
    cursor = {"dopo": "0-0"}
    AnomaliaOperazione.objects.create(anomalia_id=2, operazione=operation, note="Troppo pesante.")
    return {TRIGGER: cursor}


def call(api, path, method, query):
    if method == "get":
        return api.get(path, query)
    body = [make_posted()] if path.endswith(("insert-postgres", "run-etl")) else None
    return api.post(path, body, content_type="application/json")


def test_each_answer_has_the_fields_that_the_connector_promises(
    api, definition, busy_plant, run_queue, settings
):
    settings.RUN_WAIT_SECONDS = 0
    for name, (path, method, operation) in operations(definition).items():
        address = definition["basePath"] + path
        answer = call(api, address, method, busy_plant.get(name))
        if name in FOLLOWED:
            assert answer.status_code == 202, name
            run_queue()
            answer = api.get(answer["Location"])
        assert answer.status_code == 200, (name, answer.content)
        content = answer.json()
        assert content or content == [], name
        assert_same_shape(definition, operation["responses"]["200"]["schema"], content, name)


def test_no_list_was_empty_above(api, definition, busy_plant):
    """An empty list has every shape; ``/ordine`` is tried with its own data elsewhere."""
    for path in ("/actions", "/actions/errors"):
        assert api.get(path).json()
    assert api.get("/anomalie/nuove", busy_plant[TRIGGER]).json()["anomalie"]
    line = definition["definitions"]["RigaDaProdurre"]
    for item in api.get("/ordine").json() or pytest.fail("no line"):
        assert_same_shape(definition, line, item, "ordine")


def test_the_fields_to_send_are_those_that_are_known(definition):
    assert definition["definitions"]["Operazione"]["properties"].keys() == KNOWN_FIELDS
