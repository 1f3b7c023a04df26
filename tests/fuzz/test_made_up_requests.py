"""Whatever is sent to any operation of the OpenAPI document, the answer is one that the document knows."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from fastier.app import FEATURES
from tests.api import PREFIX, Person

# `make fuzz` asks for more; what runs with every test keeps to what finds a slip of the pen.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.ignored_auth,
)


@dataclass
class World:
    """Two people who can see nothing of each other, and the ids of what one of them has."""

    alice: Person
    bob: Person
    ids: dict[str, str]

    def asks(self, case: Case) -> Person:
        """Every third request comes from the one who may see nothing of what the ids name."""
        return self.bob if hash(str(case.path_parameters)) % 3 == 0 else self.alice


@pytest.fixture
def world(settle: Callable[[str], Person]) -> World:
    alice, bob = settle("alice"), settle("bob")
    workspace = alice.post("/workspaces", {"name": "fuzzed"}).json["id"]
    list_id = alice.post(f"/workspaces/{workspace}/lists", {"name": "list"}).json["id"]
    item = alice.item("item", list_id, tags=["tag"])["id"]
    ids = {
        "workspace_id": workspace,
        "list_id": list_id,
        "item_id": item,
        "tag_id": alice.get(f"/workspaces/{workspace}/tags").json["data"][0]["id"],
        "attachment_id": alice.upload(item, b"content")["id"],
        "user_id": alice.user_id,
    }
    return World(alice, bob, ids)


OPERATIONS = [f"{route.method} {route.path}" for routes in FEATURES for route in routes.all]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_in_the_document(name: str, world: World, schema: Any) -> None:
    method, _, path = name.partition(" ")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=schema[PREFIX + path][method].as_strategy())
    def ask(case: Case) -> None:
        for parameter in case.path_parameters or {}:
            # Most ids are real ones, or nothing but 404 would ever be seen.
            if parameter in world.ids and hash(str(case.body)) % 4:
                case.path_parameters[parameter] = world.ids[parameter]
        # An address of its own: the checks send wrong credentials on purpose, and those of one address are limited.
        address = f"10.{hash(str(case.body)) % 256}.{hash(str(case.query)) % 256}.{len(name)}"
        headers = {"Authorization": f"Bearer {world.asks(case).token}", "X-Forwarded-For": address}
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()
