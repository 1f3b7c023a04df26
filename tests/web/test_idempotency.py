"""Idempotency-Key: a retry acts once and gives the first answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api import Person, problem


def _key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


def test_the_same_request_again_gives_the_first_answer_and_acts_once(alice: Person) -> None:
    path, body = f"/lists/{alice.inbox}/items", {"title": "once", "tags": ["a"]}
    first = alice.post(path, body, headers=_key("k1"))
    again = alice.post(path, body, headers=_key("k1"))
    assert (again.status_code, again.json, again.headers["ETag"]) == (201, first.json, first.headers["ETag"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert alice.titles() == ["once"]


def test_another_request_with_the_key_is_refused(alice: Person) -> None:
    path = f"/lists/{alice.inbox}/items"
    alice.post(path, {"title": "a"}, headers=_key("k"))
    problem(alice.post(path, {"title": "b"}, headers=_key("k")), 422, "key_reused")
    problem(
        alice.post(f"/workspaces/{alice.workspace}/lists", {"name": "a"}, headers=_key("k")),
        422,
        "key_reused",
    )
    assert alice.titles() == ["a"]


def test_a_key_belongs_to_its_user(alice: Person, bob: Person) -> None:
    alice.post(f"/lists/{alice.inbox}/items", {"title": "a"}, headers=_key("shared"))
    assert bob.post(f"/lists/{bob.inbox}/items", {"title": "b"}, headers=_key("shared")).json["title"] == "b"


def test_a_refusal_is_not_kept(alice: Person) -> None:
    path = f"/lists/{alice.inbox}/items"
    problem(alice.post(path, {"title": ""}, headers=_key("k")), 422)
    assert alice.post(path, {"title": "a"}, headers=_key("k")).status_code == 201


def test_a_patch_can_be_repeated_too(alice: Person) -> None:
    item = alice.item()["id"]
    first = alice.patch(f"/items/{item}", {"title": "b"}, headers=_key("p"))
    alice.patch(f"/items/{item}", {"title": "c"})
    assert alice.patch(f"/items/{item}", {"title": "b"}, headers=_key("p")).json == first.json
    assert alice.get(f"/items/{item}").json["title"] == "c"


def test_twenty_at_once_act_once(alice: Person) -> None:
    path, body = f"/lists/{alice.inbox}/items", {"title": "once"}
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(alice.post, path, body, headers=_key("same")) for _ in range(20)]
        responses = [answer.result(timeout=30) for answer in answers]
    made = {response.json["id"] for response in responses if response.status_code == 201}
    assert len(made) == 1
    assert {response.status_code for response in responses} <= {201, 409}
    assert all(response.json["code"] == "key_in_use" for response in responses if response.status_code == 409)
    assert alice.titles() == ["once"]


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
def test_what_cannot_be_a_key_is_refused(alice: Person, key: str) -> None:
    problem(alice.post(f"/lists/{alice.inbox}/items", {"title": "a"}, headers=_key(key)), 400, "bad_key")
    assert alice.titles() == []


def test_what_cannot_be_a_key_is_refused_where_a_key_is_not_needed_either(alice: Person) -> None:
    complete = f"/attachments/{alice.upload(alice.item()['id'], b'content')['id']}/complete"
    problem(alice.post(complete, headers=_key("x" * 256)), 400, "bad_key")
    assert alice.post(complete, headers=_key("k")).status_code == 200
