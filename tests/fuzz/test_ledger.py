"""The ledger finds what it is there to find."""

from typing import Any

import pytest

from tests.fuzz.ledger import Ledger

LIST, ITEM = "01939b1e-7f3a-7c2e-9d4b-2f1e5a6b7c8d", "01939b1e-7f3a-7c2e-9d4b-2f1e5a6b7c8e"


@pytest.fixture
def ledger() -> Ledger:
    """Alice has a list with an item."""
    known = Ledger({LIST: "alice"})
    known.take("alice", "POST", "/lists/{list_id}/items", [LIST], 201, {"id": ITEM, "list_id": LIST})
    return known


@pytest.mark.parametrize(
    ("person", "method", "path", "id", "status", "body", "fault"),
    [
        ("bob", "GET", "/items/{item_id}", ITEM, 200, {}, "another's"),
        ("bob", "DELETE", "/items/{item_id}", ITEM, 403, {}, "another's"),
        ("bob", "GET", "/me/items", None, 200, {"data": [{"id": ITEM}]}, "tells of another's"),
        ("alice", "GET", "/items/{item_id}", ITEM, 404, {}, "it is there"),
    ],
)
def test_what_is_there_is_there_for_one_and_not_for_the_other(
    ledger: Ledger, person: str, method: str, path: str, id: str | None, status: int, body: Any, fault: str
) -> None:
    with pytest.raises(AssertionError, match=fault):
        ledger.take(person, method, path, [id] if id else [], status, body)


def test_what_lies_in_something_deleted_is_gone_until_that_is_restored(ledger: Ledger) -> None:
    ledger.take("alice", "DELETE", "/lists/{list_id}", [LIST], 204, None)
    with pytest.raises(AssertionError, match="it was deleted"):
        ledger.take("alice", "GET", "/items/{item_id}", [ITEM], 200, {})
    with pytest.raises(AssertionError, match="though they were deleted"):
        ledger.take("alice", "GET", "/me/items", [], 200, {"data": [{"id": ITEM}]})
    with pytest.raises(AssertionError, match="can be restored"):
        ledger.take("alice", "POST", "/lists/{list_id}/restore", [LIST], 404, {})
    ledger.take("alice", "POST", "/lists/{list_id}/restore", [LIST], 200, {"id": LIST})
    ledger.take("alice", "GET", "/items/{item_id}", [ITEM], 200, {"id": ITEM, "list_id": LIST})


def test_the_trash_shows_what_was_deleted_and_nothing_else(ledger: Ledger) -> None:
    shown = {"data": [{"id": ITEM}]}
    with pytest.raises(AssertionError, match="though they were not deleted"):
        ledger.take("alice", "GET", "/workspaces/{workspace_id}/trash", [], 200, shown)
    ledger.take("alice", "DELETE", "/items/{item_id}", [ITEM], 204, None)
    ledger.take("alice", "GET", "/workspaces/{workspace_id}/trash", [], 200, shown)
