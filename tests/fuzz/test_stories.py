"""Stories made up along the document's links: what one request makes, the next ones use; told by two people."""

import os
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.specs.openapi import checks

from tests.api import PREFIX, Person

# `make fuzz` asks for more.
STORIES = int(os.environ.get("FUZZ_STORIES", "15"))
STEPS = 30
# Accounts, tokens and sessions end a story for whoever tells it; each of their operations is asked by itself elsewhere.
ELSEWHERE = rf"^{PREFIX}/(auth|me|tokens|sessions|invitations)\b"
OF_EVERYBODY = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# Nothing that the owner made is gone before it is deleted, or there afterwards.
OF_OWNERS = [*OF_EVERYBODY, checks.ensure_resource_availability, checks.use_after_free]


class NotTheirs(AssertionError):
    """Somebody reached what another one made, or nobody reached anything."""


class Teller:
    """Two people, who made what, and how often each operation was asked; one for all stories."""

    def __init__(self, settle: Callable[[str], Person]) -> None:
        self.settle = settle
        self.makers: dict[str, str] = {}
        self.answers: Counter[tuple[str, int]] = Counter()
        self.strangers = 0
        self.numbers = count()

    def begin(self) -> None:
        """People who have nothing yet: what happens must not depend on the stories before."""
        self.people = (self.settle("alice"), self.settle("bob"))
        self.steps = 0

    def asks(self) -> Person | None:
        """Every fifth request comes from the other one, and some from nobody at all."""
        self.steps += 1
        return None if self.steps % 11 == 0 else self.people[self.steps % 5 == 0]

    def heard(self, case: Case, asker: Person | None, response: Response) -> bool:
        """Note the answer; whether a stranger asked. NotTheirs when a stranger was let in."""
        self.answers[case.operation.label, response.status_code] += 1
        if asker is None:
            if response.status_code != 401:
                raise NotTheirs(f"{case.operation.label} answered {response.status_code} to nobody")
            return True
        body = response.json() if response.status_code == 201 else {}
        made = body.get("id") or body.get("attachment", {}).get("id")
        if made:
            self.makers.setdefault(str(made), asker.user_id)
        named = [str(value) for value in (case.path_parameters or {}).values()]
        is_stranger = any(self.makers.get(one, asker.user_id) != asker.user_id for one in named)
        self.strangers += is_stranger
        if is_stranger and response.status_code < 400:
            raise NotTheirs(f"{case.operation.label} {named} answered {response.status_code}")
        return is_stranger


@pytest.fixture
def teller(settle: Callable[[str], Person]) -> Teller:
    return Teller(settle)


def machine(schema: Any, teller: Teller) -> Any:
    """A state machine whose steps are the operations, and whose ways from one to the next are the document's links."""

    class Story(schema.exclude(path_regex=ELSEWHERE).as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            teller.begin()

        def before_call(self, case: Case) -> None:
            # An id of the client's own would be somebody else's in the next story.
            if isinstance(case.body, dict):
                case.body.pop("id", None)
            # Made-up credentials would be refused, or look as if they had been taken beside the real ones.
            case.cookies.clear()
            self.asker = teller.asks()

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            address = f"10.1.{teller.steps % 256}.{next(teller.numbers) % 256}"
            credential = {"Authorization": f"Bearer {self.asker.token}"} if self.asker else {}
            return {"headers": {"X-Forwarded-For": address, **credential}}

        def validate_response(self, response: Response, case: Case, *_: Any, **kwargs: Any) -> None:
            is_stranger = teller.heard(case, self.asker, response)
            wanted = OF_EVERYBODY if is_stranger else OF_OWNERS
            case.validate_response(response, checks=wanted, transport_kwargs=kwargs, recorder=self.recorder)

    return Story


def test_no_story_ends_in_an_answer_that_the_document_does_not_know(schema: Any, teller: Teller) -> None:
    chosen = settings(
        max_examples=STORIES,
        stateful_step_count=STEPS,
        phases=[Phase.generate],
        deadline=None,
        derandomize="FUZZ_STORIES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(machine(schema, teller), settings=chosen)
    told = sum(teller.answers.values())
    print(f"{told} requests, {teller.strangers} of them for what somebody else had made")
    assert told >= STORIES * 3
    assert teller.strangers > 0
