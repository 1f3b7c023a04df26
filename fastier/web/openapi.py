"""Writes the OpenAPI 3.1 document from the declared routes and the models that check their bodies."""

import inspect
from types import NoneType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from fastier.web import examples
from fastier.web.idempotency import LONGEST_KEY
from fastier.web.links import is_model, is_page, links_of, path_names
from fastier.web.problems import MEDIA_TYPE
from fastier.web.routing import Route
from fastier.web.schemas import Patch, ProblemDocument

_REFERENCE = "#/components/schemas/{model}"
_TITLES = {
    200: "Done",
    201: "Created",
    202: "Accepted",
    204: "Done, with nothing to say",
    302: "Found elsewhere",
    304: "Your copy is still right",
    400: "The request cannot be understood",
    401: "Sign in to do this",
    403: "You may not do this",
    404: "There is no such thing here",
    408: "The request did not arrive in time",
    409: "This conflicts with what is there",
    410: "This is no longer here",
    412: "It has changed since you read it",
    413: "The request is too large",
    415: "The body's type is not understood here",
    422: "The request has faults; `errors` points at each",
    429: "Too many requests; see `Retry-After`",
    503: "Not available right now; see `Retry-After`",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {"description": "This request's id, as in the logs.", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "Requests left, and seconds until all are back.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Requests allowed, and in how many seconds.",
        "schema": {"type": "string"},
    },
    "ETag": {"description": "Send it as If-None-Match or If-Match.", "schema": {"type": "string"}},
    "Link": {"description": "The next page (RFC 8288).", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}},
    "Idempotent-Replayed": {
        "description": "`true` when this answer was kept from the first request with its key.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}},
    "Location": {"description": "Where it is.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that this address takes.", "schema": {"type": "string"}},
}
# A 409 of a request that is still running says when to ask again.
_OF_REFUSAL = {409: ["Retry-After"], 401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and request again within 24 hours give the first answer and act once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "Act only if this is still its ETag; else 412.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answer 304 if this is still its ETag.",
        "schema": {"type": "string"},
    },
}


def document(routes: list[Route], *, version: str, public_url: str, prefix: str) -> dict[str, Any]:
    """The whole document; every model that a route names is a component."""
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schemas)
        if links := links_of(route, routes):
            operation["responses"][str(route.status)]["links"] = links
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = operation
    _add_examples(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fastier",
            "version": version,
            "description": "Organise things fast: workspaces, lists, items, tags and files.",
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": feature} for feature in dict.fromkeys(route.feature for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that starts with `fst_`.",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-fastier"},
            },
        },
    }


def _schemas(routes: list[Route]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemDocument, "serialization")]
    for route in routes:
        if route.body is not None:
            wanted.append((route.body, "validation"))
        if is_model(route.returns):
            wanted.append((route.returns, "serialization"))
    wanted = list(dict.fromkeys(wanted))
    found, definitions = models_json_schema(wanted, ref_template=_REFERENCE)
    components = definitions["$defs"]
    for model, _ in wanted:
        if issubclass(model, Patch):
            _forget_defaults(components[model.__name__])
    for nested in ("DuePatch", "RecurrencePatch"):
        _forget_defaults(components.get(nested, {}))
    return dict(found), components


def _forget_defaults(schema: dict[str, Any]) -> None:
    # A field that a merge patch leaves out stays as it is; the model's default only holds its place.
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


def _operation(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    summary = inspect.getdoc(route.view) or ""
    operation: dict[str, Any] = {
        "operationId": route.view.__name__,
        "tags": [route.feature],
        "summary": summary,
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
        "security": [] if route.scope is None else [{"token": []}, {"cookie": []}],
    }
    if route.body is not None:
        media = ["application/json"] + (["application/merge-patch+json"] if route.is_patch else [])
        schema = schemas[route.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema} for kind in media}}
    return operation


def _add_examples(paths: dict[str, dict[str, Any]], components: dict[str, Any]) -> None:
    """Give each body, of requests and of answers, an example."""
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media["example"] = examples.of_request(media["schema"], components)
        for status, answer in operation["responses"].items():
            for kind, media in answer.get("content", {}).items():
                is_problem = kind == MEDIA_TYPE
                media["example"] = (
                    examples.of_problem(int(status)) if is_problem else examples.of(media["schema"], components)
                )


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in path_names(route)
    ]
    if route.query is not None:
        schema = route.query.model_json_schema()
        for name, field in schema["properties"].items():
            field = _without_null(field)
            description = field.pop("description", None)
            parameter = {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": field,
            }
            parameters.append(parameter | ({"description": description} if description else {}))
    if route.keyed:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if route.conditional:
        name = "IfNoneMatch" if route.method == "GET" else "IfMatch"
        parameters.append({"$ref": f"#/components/parameters/{name}"})
    return parameters


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A query parameter that may be left out is never null."""
    field = {name: value for name, value in field.items() if name != "title"}
    choices = [choice for choice in field.pop("anyOf", []) if choice != {"type": "null"}]
    if field.get("default", ...) is None:
        del field["default"]
    return {**field, **(choices[0] if choices else {})}


def _responses(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    headers = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    success: dict[str, Any] = {
        "description": _TITLES[route.status],
        "headers": _headers(headers + _extra(route)),
    }
    if route.returns is not NoneType and is_model(route.returns):
        success["content"] = {"application/json": {"schema": schemas[route.returns, "serialization"]}}
    responses = {str(route.status): success}
    if route.method == "GET" and route.conditional:
        responses["304"] = {"description": _TITLES[304], "headers": _headers([*headers, "ETag"])}
    for status in sorted(_refusals(route)):
        names = ["X-Request-Id", *_OF_REFUSAL.get(status, ())]
        responses[str(status)] = {
            "description": _TITLES[status],
            "headers": _headers(names),
            "content": {MEDIA_TYPE: {"schema": schemas[ProblemDocument, "serialization"]}},
        }
    return responses


def _extra(route: Route) -> list[str]:
    found = ["Link"] if is_page(route) else []
    has_revision = is_model(route.returns) and "revision" in route.returns.model_fields
    if (route.conditional or has_revision) and route.status != 204:
        found.append("ETag")
    if route.keyed:
        found.append("Idempotent-Replayed")
    if route.status == 302:
        found.append("Location")
    return found


def _refusals(route: Route) -> set[int]:
    """The statuses of problems that the route can answer with."""
    found = {400, 422, 429, 503, *route.refusals}
    if route.body is not None:
        found |= {408, 413, 415}
    if route.scope is not None:
        found |= {401, 403}
    if "{" in route.path:
        found.add(404)
    if route.keyed:
        found.add(409)
    if route.conditional and route.method != "GET":
        found.add(412)
    return found


def _headers(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
