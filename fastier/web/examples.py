"""Makes an example of each body in the OpenAPI document, from its schema and its fields' names."""

from typing import Any

from fastier.errors import Problem
from fastier.web.problems import document as problem_document

Schema = dict[str, Any]

ID = "01939b1e-7f3a-7c2e-9d4b-2f1e5a6b7c8d"
MOMENT = "2026-12-01T09:30:00Z"
_OF_FORMAT = {"uuid": ID, "date-time": MOMENT, "date": "2026-12-01"}

# What text of a name usually holds; a test fails for a name that is missing here.
TEXTS = {
    "actor_name": "Ada",
    "author_name": "Ada",
    "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "code": "not_found",
    "content_type": "text/plain",
    "detail": "Text cannot be blank",
    "email": "ada@example.com",
    "file_name": "notes.txt",
    "hint": "4f2a",
    "instance": ID,
    "item_title": "Buy oat milk",
    "method": "PUT",
    "name": "Shopping",
    "next_cursor": "WyJuMDAwMDEiXQ.c2lnbmVk",
    "notes": "two cartons",
    "password": "correct horse battery",
    "pointer": "/title",
    "position": "n0000000012V",
    "rrule": "FREQ=WEEKLY;BYDAY=MO",
    "sniffed_type": "text/plain",
    "tags": "kitchen",
    "text": "every monday",
    "time": "18:30",
    "timezone": "Europe/Berlin",
    "title": "Buy oat milk",
    "token": "fst_the-token-is-shown-once",
    "type": "/api/docs#problem-not_found",
    "url": "https://files.example.com/signed",
}
# Fields that a request is more telling with, although it may leave them out.
_TELLING = {"tags", "due", "priority"}


class NoExampleError(Exception):
    """A field holds text, and nothing says what text of its name usually looks like."""


def of_request(schema: Schema, components: dict[str, Schema]) -> Any:
    """The smallest body that says something: what is required, else the first field, and a few telling ones."""
    schema = _resolved(schema, components)
    fields = schema.get("properties", {})
    wanted = set(schema.get("required", [])) | (_TELLING & set(fields)) or set(list(fields)[:1])
    return {name: of(field, components, name) for name, field in fields.items() if name in wanted}


def of(schema: Schema, components: dict[str, Schema], name: str = "") -> Any:
    """An example of a schema; raises NoExampleError for text of an unknown name."""
    schema = _resolved(schema, components)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return of(next(choice for choice in schema["anyOf"] if choice != {"type": "null"}), components, name)
    match schema.get("type"):
        case "object":
            return {key: of(field, components, key) for key, field in schema.get("properties", {}).items()}
        case "array":
            return [of(schema["items"], components, name)]
        case "integer":
            return schema.get("default", schema.get("minimum", 1))
        case "boolean":
            return schema.get("default", False)
        case "number":
            return schema.get("default", 0.5)
    return _text(schema, name)


def of_problem(status: int) -> dict[str, Any]:
    """A refusal with this status, as the kind of problem that has it says."""
    kind = next(each for each in Problem.__subclasses__() if each.status == status)
    problem = Problem()
    problem.status, problem.code, problem.title = kind.status, kind.code, kind.title
    problem.detail = kind.title
    return problem_document(problem, ID)


def _text(schema: Schema, name: str) -> str:
    if "format" in schema:
        return _OF_FORMAT[schema["format"]]
    if name not in TEXTS:
        raise NoExampleError(name)
    return TEXTS[name]


def _resolved(schema: Schema, components: dict[str, Schema]) -> Schema:
    return components[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
