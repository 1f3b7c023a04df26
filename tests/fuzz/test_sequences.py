"""Two people make, change, delete and restore things in any order: neither meets what is the other's or was deleted."""

import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from schemathesis import Case

from fastier.accounts.service import _start_session
from fastier.database import Database
from tests.api import PREFIX, Person
from tests.fuzz.checks import CHECKS
from tests.fuzz.pair import Pair

# `make fuzz` asks for more.
CASES = int(os.environ.get("FUZZ_CASES", "400"))
STEPS = 40
# By then everything that a link leads to has been granted to somebody; in what runs with every test, half of it.
MANY = 10_000
HALF = 30
# The only owner cannot go, and nobody else comes: that needs the token of a mail.
NEVER_GRANTED = {f"DELETE {PREFIX}/workspaces/{{workspace_id}}/members/{{user_id}}"}


@pytest.fixture
def machine(schema: Any, settle: Callable[[str], Person], database: Database) -> Any:
    # Only the links of the document itself count, or nobody would see what they leave out.
    schema.config.phases.stateful.inference.algorithms = []

    def sign_in(person: Person) -> str:
        with database.transaction() as connection:
            return _start_session(connection, person.user_id, "tests")

    class Sequence(schema.as_state_machine()):  # type: ignore[misc]
        """Requests of two people who are new: after others, the same choices would get other answers."""

        counted: Counter[tuple[str, int]] = Counter()

        @initialize(chance=st.randoms(use_true_random=True))
        def begin(self, chance: Random) -> None:
            self.pair = Pair({name: settle(name) for name in ("alice", "bob")}, chance, sign_in)

        def before_call(self, case: Case) -> None:
            self.pair.choose(case)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": self.pair.headers()}

        def validate_response(self, response: Any, case: Case, *_: Any, **sent: Any) -> None:
            # The library's own checks of what was deleted and what is there go by paths that begin alike; ours do not.
            status, asker = response.status_code, self.pair.asker
            note(f"{asker}: {case.method} {case.formatted_path} {case.query} {case.body!r} gave {status}")
            self.counted[case.operation.label, status] += 1
            case.validate_response(
                response, CHECKS, headers=sent["headers"], transport_kwargs=sent, recorder=self.recorder
            )
            # What a key repeats is the answer of then, though the thing may have been deleted since.
            if "idempotent-replayed" not in response.headers:
                self.pair.judge(case, status, response.json() if response.content else None)

        def _repr_step(self, *_: Any) -> str:
            return ""  # What is noted of each step says more.

    return Sequence


def test_whatever_two_people_do_neither_meets_what_is_the_others_or_was_deleted(
    machine: Any, record_property: Callable[[str, object], None]
) -> None:
    bounds = settings(
        # A quarter more, for some sequences are cut short.
        max_examples=5 * CASES // (4 * STEPS),
        stateful_step_count=STEPS,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        deadline=None,
        derandomize="FUZZ_CASES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    machine.run(settings=bounds)
    cases = machine.counted.total()
    record_property("cases", cases)
    assert cases >= CASES
    asked = {label for label, _ in machine.counted}
    granted = {label for label, status in machine.counted if status < 400}
    assert len(granted) >= HALF
    assert cases < MANY or asked - granted <= NEVER_GRANTED, f"never granted: {asked - granted}"
