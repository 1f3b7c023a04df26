"""Two people edit the same workspace at the same moment, over and over, and what must hold still does."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text
from werkzeug.test import TestResponse

from fastier.database import Database
from tests.api import Person
from tests.joining import shared_workspace

# `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
STEPS = 15
# What any of these may be answered when the other one came first.
EXPECTED = {200, 201, 204, 404, 409, 412, 422}

Act = Callable[[Person], TestResponse]

_JOIN = text("INSERT INTO members (workspace_id, user_id, role) VALUES (:workspace, :user, 'editor')")

# Each names what is wrong; none may find anything.
WRONG = {
    "two items of a list in the same place": """SELECT list_id, position FROM items
        WHERE workspace_id = :workspace GROUP BY list_id, position HAVING count(*) > 1""",
    "something newer than its workspace": """SELECT w.id FROM workspaces w WHERE w.id = :workspace AND w.revision <
        greatest((SELECT max(revision) FROM items WHERE workspace_id = w.id),
            (SELECT max(revision) FROM lists WHERE workspace_id = w.id),
            (SELECT max(revision) FROM tags WHERE workspace_id = w.id))""",
    "a list that counts its items wrongly": """SELECT l.id FROM lists l LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE completed_at IS NULL) AS opened,
                count(*) FILTER (WHERE completed_at IS NOT NULL) AS done
            FROM items i WHERE i.list_id = l.id AND i.deleted_at IS NULL) c ON true
        WHERE l.workspace_id = :workspace AND (l.open_count, l.done_count) <> (c.opened, c.done)""",
    "two tags of the same name": """SELECT folded FROM tags WHERE workspace_id = :workspace AND deleted_at IS NULL
        GROUP BY folded HAVING count(*) > 1""",
}


def test_what_must_hold_holds_whoever_edits_at_once(settle: Callable[[str], Person], database: Database) -> None:
    alice, bob = settle("alice"), settle("bob")
    pool = ThreadPoolExecutor(2)

    class Edits(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.workspace = shared_workspace(alice)
            # Not by invitation: those of one address are throttled.
            with database.transaction() as connection:
                connection.execute(_JOIN, {"workspace": self.workspace, "user": bob.user_id})
            self.lists = [
                str(alice.post(f"/workspaces/{self.workspace}/lists", {"name": name}).json["id"]) for name in "ab"
            ]
            self.items = [str(alice.item(f"item {number}", self.lists[number % 2])["id"]) for number in range(4)]

        def pick(self, number: int) -> str:
            return self.items[number % len(self.items)]

        def act(self, kind: str, first: int, second: int) -> Act:
            item, other, place = self.pick(first), self.pick(second), self.lists[second % 2]
            acts: dict[str, Act] = {
                "create": lambda who: who.post(f"/lists/{place}/items", {"title": "new", "tags": [f"t{first % 3}"]}),
                "rename": lambda who: who.patch(f"/items/{item}", {"title": f"renamed {second}"}),
                "retag": lambda who: who.patch(f"/items/{item}", {"tags": [f"t{second % 3}", f"T{first % 3}"]}),
                "move before": lambda who: who.post(f"/items/{item}/move", {"list_id": place, "before": other}),
                "move after": lambda who: who.post(f"/items/{item}/move", {"after": other}),
                "move away": lambda who: who.post(f"/items/{item}/move", {"list_id": place}),
                "complete": lambda who: who.post(f"/items/{item}/complete"),
                "reopen": lambda who: who.post(f"/items/{item}/reopen"),
                "delete": lambda who: who.delete(f"/items/{item}"),
                "restore": lambda who: who.post(f"/items/{item}/restore"),
            }
            return acts[kind]

        @rule(
            kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
            numbers=st.tuples(*[st.integers(0, 11)] * 4),
        )
        def both_at_once(self, kinds: tuple[str, str], numbers: tuple[int, int, int, int]) -> None:
            acts = self.act(kinds[0], *numbers[:2]), self.act(kinds[1], *numbers[2:])
            asked = [pool.submit(act, who) for act, who in zip(acts, (alice, bob), strict=True)]
            for answer in (each.result(30) for each in asked):
                assert answer.status_code in EXPECTED, answer.text
                if answer.status_code == 201:
                    self.items.append(str(answer.json["id"]))

        @invariant()
        def nothing_is_wrong(self) -> None:
            with database.reading() as connection:
                for name, statement in WRONG.items():
                    found: list[Any] = list(connection.execute(text(statement), {"workspace": self.workspace}).all())
                    assert not found, (name, found)

    try:
        run_state_machine_as_test(
            Edits,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                # Two threads decide the order anew each time, so there is nothing to replay or to shrink.
                derandomize=True,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        pool.shutdown()


KINDS = (
    "create", "rename", "retag", "move before", "move after", "move away", "complete", "reopen", "delete", "restore",
)  # fmt: skip
