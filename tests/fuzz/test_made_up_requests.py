"""Whatever is sent to any operation of the OpenAPI document, the answer is one that the document knows."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import Case

from fastier.app import FEATURES
from tests.api import PREFIX, Person
from tests.fuzz.checks import CHECKS
from tests.fuzz.ledger import SAYS_NOTHING

# `make fuzz` asks for more; what runs with every test keeps to what finds a slip of the pen.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))


@dataclass
class World:
    """Two people who can see nothing of each other, and the ids of what one of them has."""

    alice: Person
    bob: Person
    ids: dict[str, str]


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
def test_every_answer_is_in_the_document(
    name: str, world: World, schema: Any, record_property: Callable[[str, object], None]
) -> None:
    method, _, path = name.partition(" ")
    sent = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=schema[PREFIX + path][method].as_strategy())
    def ask(case: Case) -> None:
        nonlocal sent
        sent += 1
        # The same in every process, which hash() is not, so that what fails fails again.
        choice = crc32(repr((case.path_parameters, case.query, case.body)).encode())
        # Most ids are real ones, or nothing but 404 would ever be seen.
        real = world.ids.keys() & case.path_parameters.keys() if choice % 4 else set()
        case.path_parameters |= {parameter: world.ids[parameter] for parameter in real}
        # Every third request comes from the one who may see nothing of what the ids name.
        asker = world.alice if choice // 4 % 3 else world.bob
        # An address of its own: the checks send wrong credentials on purpose, and those of one address are limited.
        address = f"10.{choice % 256}.{choice // 256 % 256}.{len(name)}"
        headers = {"Authorization": f"Bearer {asker.token}", "X-Forwarded-For": address}
        response = case.call_and_validate(headers=headers, checks=CHECKS)
        assert asker is world.alice or not real or response.status_code in SAYS_NOTHING

    ask()
    record_property("cases", sent)
