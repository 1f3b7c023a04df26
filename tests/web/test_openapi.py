"""The OpenAPI document and its page: valid, whole, and from this origin."""

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from fastier.app import FEATURES
from fastier.web.codes import CODES
from tests.api import PREFIX, Api, Document, Person

SOURCES = Path(__file__).parents[2] / "fastier"


def test_the_document_is_valid_openapi_3_1(document: Document) -> None:
    assert document.body["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document.body).iter_errors()) == []


def test_operation_ids_are_unique_and_every_operation_says_what_it_does(document: Document) -> None:
    operations = [operation for methods in document.body["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith((".", "done.")) for operation in operations)


def test_keys_are_taken_by_every_write_but_sign_ins_and_tokens(document: Document) -> None:
    for path, methods in document.body["paths"].items():
        for method, operation in methods.items():
            names = [parameter.get("$ref", "").rsplit("/", 1)[-1] for parameter in operation["parameters"]]
            wanted = method in ("post", "patch") and not re.search(r"/auth/|/tokens", path)
            assert ("IdempotencyKey" in names) == wanted, (method, path)


def test_what_the_document_calls_conditional_has_an_etag(alice: Person, document: Document) -> None:
    item = alice.item()["id"]
    ids = {"workspace_id": alice.workspace, "list_id": alice.inbox, "item_id": item}
    asked = 0
    for path, methods in document.body["paths"].items():
        names = re.findall(r"{(\w+)}", path)
        if "get" not in methods or not set(names) <= set(ids):
            continue
        answer = alice.get(path.format(**ids) + ("?q=milk" if path.endswith("/search") else ""))
        assert ("304" in methods["get"]["responses"]) == ("ETag" in answer.headers), path
        asked += 1
    assert asked >= 9


def test_every_code_is_explained_and_used() -> None:
    source = "\n".join(path.read_text() for path in SOURCES.rglob("*.py") if path.name != "codes.py")
    used = set(re.findall(r'code="(\w+)"', source)) | set(re.findall(r'status, code, title = \d+, "(\w+)"', source))
    used.add("internal_error")
    assert used == set(CODES)


def test_every_example_is_what_its_schema_allows(document: Document) -> None:
    checked = 0
    for path, methods in document.body["paths"].items():
        for method, operation in methods.items():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for kind, media in (pair for body in bodies for pair in body.get("content", {}).items()):
                schema = {**media["schema"], "components": document.body["components"]}
                errors = list(Draft202012Validator(schema).iter_errors(media["example"]))
                assert not errors, f"{method} {path} {kind}: {errors[0].message}"
                checked += 1
    assert checked > 200


def test_every_example_of_a_request_is_taken(document: Document) -> None:
    for route in (route for routes in FEATURES for route in routes.all if route.body is not None):
        content = document.operation(route.method, PREFIX + route.path)["requestBody"]["content"]
        route.body.model_validate_json(json.dumps(content["application/json"]["example"]))


def test_the_page_works_from_this_origin_alone(anybody: Api) -> None:
    page = anybody.get("/api/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "script" not in page.text.lower().replace("description", "")
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert links
    assert all(link.startswith(("#", "/api/")) for link in links)
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    for path in {link for link in links if link.startswith("/")}:
        assert anybody.get(path).status_code == 200
    anchors = {link[1:] for link in links if link.startswith("#")}
    assert all(f'id="{anchor}"' in page.text for anchor in anchors)


def test_a_problems_type_leads_to_its_explanation(anybody: Api) -> None:
    refused = anybody.get("/me").json
    path, _, anchor = refused["type"].partition("#")
    assert f'id="{anchor}"' in anybody.get(path).text


def test_times_are_rfc_3339_in_utc(alice: Person) -> None:
    made = alice.item()
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", made[name])


def test_every_operation_on_an_id_is_reached_by_a_link_that_gives_all_its_ids(document: Document) -> None:
    operations = [operation for methods in document.body["paths"].values() for operation in methods.values()]
    answers = [answer for operation in operations for answer in operation["responses"].values()]
    links = [link for answer in answers for link in answer.get("links", {}).values()]
    given = {(link["operationId"], *sorted(link["parameters"])) for link in links}
    for path, methods in document.body["paths"].items():
        names = sorted(re.findall(r"{(\w+)}", path))
        for operation in methods.values():
            assert not names or (operation["operationId"], *names) in given, operation["operationId"]
