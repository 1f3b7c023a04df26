"""The documentation page: the OpenAPI document as HTML, from this origin, without scripts."""

from typing import Any

import orjson
from flask import Flask, render_template
from werkzeug.wrappers import Response

from fastier.web.codes import CODES

DOCUMENT_PATH = "/api/v1/openapi.json"
PAGE_PATH = "/api/docs"
_CACHED = "public, max-age=300"
_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def install(app: Flask, document: dict[str, Any]) -> None:
    """Serve the document and its page; both are made once, before the workers are forked."""
    as_json = orjson.dumps(document)
    with app.app_context():
        page = render_template("docs.html", document=document, operations=_by_feature(document), codes=CODES)
        style = render_template("docs.css")

    @app.get(DOCUMENT_PATH)
    def openapi_document() -> Response:
        return Response(as_json, mimetype="application/json", headers={"Cache-Control": _CACHED})

    @app.get(PAGE_PATH)
    def documentation_page() -> Response:
        headers = {"Cache-Control": _CACHED, "Content-Security-Policy": _POLICY}
        return Response(page, mimetype="text/html", headers=headers)

    @app.get(f"{PAGE_PATH}/style.css")
    def documentation_style() -> Response:
        return Response(style, mimetype="text/css", headers={"Cache-Control": _CACHED})


def _by_feature(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each feature's operations with their path, method, parameters and fields, ready for the page."""
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(
                {
                    "path": path,
                    "method": method.upper(),
                    "summary": operation["summary"],
                    "id": operation["operationId"],
                    "open": not operation["security"],
                    "parameters": [_resolved(document, each) for each in operation["parameters"]],
                    "body": _fields(document, operation.get("requestBody", {})),
                    "request": _example(operation.get("requestBody", {})),
                    "answer": _example(_success(operation)),
                    "responses": {
                        status: {**answer, "fields": _fields(document, answer) if status < "300" else []}
                        for status, answer in operation["responses"].items()
                    },
                }
            )
    return found


def _success(operation: dict[str, Any]) -> dict[str, Any]:
    return next((answer for status, answer in operation["responses"].items() if status.startswith("2")), {})


def _example(node: dict[str, Any]) -> str:
    """A body's example as people read JSON; empty where there is no body."""
    media: dict[str, Any] = next(iter(node.get("content", {}).values()), {})
    return orjson.dumps(media["example"], option=orjson.OPT_INDENT_2).decode() if "example" in media else ""


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _fields(document: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a body's schema: name, type, whether required, and description."""
    media: dict[str, Any] = next(iter(node.get("content", {}).values()), {})
    schema = media.get("schema")
    if not schema:
        return []
    resolved = _resolved(document, schema)
    required = resolved.get("required", [])
    return [
        {
            "name": name,
            "type": _type(field),
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in resolved.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: `string (uuid)`, `Due or null`, `array of string`."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}"
    kind = str(schema.get("type", "any"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind
