"""Two people make, change, delete and restore things in any order: neither meets what is the other's or was deleted."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from schemathesis import Case, GenerationMode

from fastier.accounts.service import _start_session
from fastier.database import Database
from tests.api import Person
from tests.fuzz.checks import CHECKS
from tests.fuzz.ledger import Ledger

CASES = int(os.environ.get("FUZZ_CASES", "400"))
STEPS = 40
# By then everything that a link leads to has been granted to somebody.
MANY = 5000
ENOUGH = 30
CONTENT = b"content"
# Whose ids a body's field takes, where that is not the field's own name.
KINDS = {"parent_id": "item_id", "assignee_id": "user_id"}


@pytest.fixture
def machine(schema: Any, settle: Callable[[str], Person], database: Database) -> Any:
    # Only the links of the document itself count, or nobody would see what they leave out.
    schema.config.phases.stateful.inference.algorithms = []

    class Sequence(schema.as_state_machine()):  # type: ignore[misc]
        """Requests of two people who are new, so that the same choices lead to the same answers, as shrinking needs."""

        counted: Counter[tuple[str, int]] = Counter()

        @initialize(chance=st.randoms(use_true_random=True))
        def begin(self, chance: Random) -> None:
            self.chance, self.ledger = chance, Ledger()
            self.people = {name: settle(name) for name in ("alice", "bob")}
            self.own = {
                name: {"workspace_id": person.workspace, "list_id": person.inbox, "item_id": person.item()["id"]}
                for name, person in self.people.items()
            }
            self.ledger.owner |= {id: name for name, own in self.own.items() for id in own.values()}
            self.met = defaultdict(list, user_id=[person.user_id for person in self.people.values()])

        def before_call(self, case: Case) -> None:
            ids = [str(id) for id in case.path_parameters.values()]
            owner = next((self.ledger.owner[id] for id in reversed(ids) if id in self.ledger.owner), None)
            self.name = owner if owner and self.chance.random() < 0.8 else self.chance.choice(["alice", "bob"])
            self.person = self.people[self.name]
            if case.meta.generation.mode == GenerationMode.POSITIVE:
                self.fill_in(case, is_root=owner is None)
            for name, id in case.path_parameters.items():
                self.met[name].append(str(id))

        def fill_in(self, case: Case, *, is_root: bool) -> None:
            """Make a drawn request one that is likelier to be granted, or little but refusals would be seen."""
            for part, name in ((case.query, "cursor"), (case.headers, "If-Match")):
                if self.chance.random() < 0.8:
                    part.pop(name, None)
            for name in sorted(case.path_parameters) if is_root else ():
                case.path_parameters[name] = self.own[self.name].get(name, case.path_parameters[name])
            if isinstance(case.body, dict):
                case.body = self.body_of(case, case.body)

        def body_of(self, case: Case, drawn: dict[str, Any]) -> dict[str, Any]:
            """The body with ids that are there, and now and then with the document's example for all else."""
            if self.chance.random() < 0.5:
                example = case.operation.definition.raw["requestBody"]["content"]["application/json"]["example"]
                drawn = {name: value for name, value in drawn.items() if name.endswith("id")} | example
            first = next(iter(case.path_parameters), "")
            for name in sorted(drawn):
                kind = first if name in ("before", "after") else KINDS.get(name, name)
                if name == "id":
                    drawn[name] = self.new_id(self.met[case.path.rpartition("/")[2].removesuffix("s") + "_id"])
                elif name == "email":
                    # How many mails one address gets is limited, whoever sends them.
                    drawn[name] = f"{self.person.user_id}@example.com"
                elif self.met[kind] and drawn[name] is not None:
                    drawn[name] = self.chance.choice(self.met[kind])
            if "file_name" in drawn and self.chance.random() < 0.5:
                drawn |= {"size": len(CONTENT), "checksum": None}
            return drawn

        def new_id(self, met: list[str]) -> str:
            """One of this sequence alone; or one that is there already, perhaps the other's."""
            if met and self.chance.random() < 0.3:
                return self.chance.choice(met)
            own = UUID(self.person.user_id).int >> 32 << 32
            return str(UUID(int=own | self.chance.getrandbits(32)))

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            # An address of its own: the checks send wrong credentials on purpose, and those of one address are limited.
            address = ".".join(["10", *(str(self.chance.randrange(256)) for _ in range(3))])
            return {"headers": {"Authorization": f"Bearer {self.person.token}", "X-Forwarded-For": address}}

        def validate_response(self, response: Any, case: Case, additional_checks: Any = None, **kwargs: Any) -> None:
            note(f"{self.name}: {case.method} {case.formatted_path} {case.body!r} gave {response.status_code}")
            self.counted[case.operation.label, response.status_code] += 1
            case.validate_response(
                response, CHECKS, headers=kwargs["headers"], transport_kwargs=kwargs, recorder=self.recorder
            )
            ids = [str(id) for id in case.path_parameters.values()]
            body = response.json() if response.content else None
            self.ledger.take(self.name, case.method, case.path, ids, response.status_code, body)
            if response.status_code == 201 and isinstance(body, dict) and body.get("upload", {}).get("method"):
                self.send(case, body["upload"])
            if response.status_code == 204 and "session_id" in case.path_parameters:
                self.sign_in_again()

        def _repr_step(self, *_: Any) -> str:
            return ""  # What note says of each step is more.

        def send(self, case: Case, upload: dict[str, Any]) -> None:
            if case.body["size"] == len(CONTENT) and case.body["checksum"] is None:
                assert self.person.send(upload, CONTENT).status_code == 200

        def sign_in_again(self) -> None:
            assert self.person.get("/me").status_code == 401, "the session goes on, though it was ended"
            with database.transaction() as connection:
                self.person.token = _start_session(connection, self.person.user_id, "tests")

    return Sequence


def test_whatever_two_people_do_neither_meets_what_is_the_others_or_was_deleted(
    machine: Any, record_property: Callable[[str, object], None]
) -> None:
    bounds = settings(
        max_examples=-(-CASES // STEPS),
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
    granted = {label for label, status in machine.counted if status < 400}
    if cases >= MANY:
        asked = {label for label, _ in machine.counted}
        assert asked - granted == set(), "these were never granted, so that little was tested"
    assert len(granted) > ENOUGH, "too little is granted for these sequences to say anything"
