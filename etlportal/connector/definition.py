"""The connector's Swagger 2.0 file, made from ``openapi.yaml``, whose head says how.

Power Automate takes only Swagger 2.0, and only a part of it: one type a field, one success an
operation, no alternatives. So what it is told of a schema is what ``SAID`` names, and no more.
"""

import json
from typing import Any

from etlportal.api.schema import target, written

Node = dict[str, Any]

BASE = "/api/v1"
PLACEHOLDER = "https://portale.example"  # in openapi.yaml, wherever it means this portal
SAID = {"$ref", "type", "format", "default", "description", "properties", "items"}
FORMATS = {"integer": "int32", "number": "double"}  # where openapi.yaml says none


def definition(scheme: str, host: str) -> Node:
    """The file for the portal at this address."""
    paths: Node = {}
    for path, methods in written()["paths"].items():
        for method, operation in methods.items():
            if operation.get("x-connector"):
                paths.setdefault(path.removeprefix(BASE), {})[method] = _operation(operation)
    tags = [tag for methods in paths.values() for each in methods.values() for tag in each["tags"]]
    document = {
        "swagger": "2.0",
        **written()["x-connector"],
        "host": host,
        "basePath": BASE,
        "schemes": [scheme],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"api_key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"}},
        "security": [{"api_key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(tags)],
        "paths": paths,
        "definitions": _definitions(paths),
    }
    text = json.dumps(document).replace(PLACEHOLDER, f"{scheme}://{host}")
    text = text.replace("#/components/schemas/", "#/definitions/")
    answer: Node = json.loads(text)
    return answer


def _operation(operation: Node) -> Node:
    said = operation | operation["x-connector"]
    parameters = [target(each) for each in operation.get("parameters", [])]
    shown = [
        # A parameter has its type beside its name, where OpenAPI 3 has a schema.
        {"name": each["name"], "in": each["in"], "required": False}
        | _schema({**each["schema"], **each})
        for each in parameters
        if "x-ms-visibility" in each
    ]
    if "requestBody" in operation:
        shown.append({"required": True, **target(operation["requestBody"])["x-connector"]})
    success = target(said["responses"]["200"])
    schema = success.get("schema") or success["content"]["application/json"]["schema"]
    return {
        **{name: said[name] for name in ("operationId", "tags", "summary", "description")},
        **{name: value for name, value in said.items() if name.startswith("x-ms-")},
        "parameters": shown,
        "responses": {
            "200": {"description": success["description"], "schema": _schema(schema)},
            "default": {"description": "Operazione non riuscita."},
        },
    }


def _schema(node: Node) -> Node:
    said = {
        name: value for name, value in node.items() if name in SAID or name.startswith("x-ms-")
    } | node.get("x-connector", {})
    if "$ref" in said:
        return {"$ref": said["$ref"]}
    if "description" in said:
        said["description"] = " ".join(said["description"].split())  # without its line ends
    said.setdefault("type", "string")  # what is taken as any type is sent as a text
    if said["type"] in FORMATS:
        said.setdefault("format", FORMATS[said["type"]])
    if said.get("format") == "uuid":  # unknown there
        del said["format"]
    if "items" in said:
        said["items"] = _schema(said["items"])
    if "properties" in said:
        said["properties"] = {name: _schema(each) for name, each in said["properties"].items()}
    return said


def _definitions(paths: Node) -> Node:
    """The schemas that the paths name, and those that these name in turn."""
    found: Node = {}
    waiting: list[Any] = [paths]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            waiting += node if isinstance(node, list) else []
            continue
        name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
        if name and name not in found:
            found[name] = _schema(target(node))
            waiting.append(found[name])
        waiting += node.values()
    return found
