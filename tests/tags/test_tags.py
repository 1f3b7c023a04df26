"""Tags: create, read, rename, delete and restore; names are unique whatever their case."""

from uuid_utils.compat import uuid7

from tests.api import Person, problem


def _tag(person: Person, name: str, **more: str) -> str:
    response = person.post(f"/workspaces/{person.workspace}/tags", {"name": name, **more})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def test_tags_are_in_the_order_of_their_names_in_pages(alice: Person) -> None:
    for name in ("b", "C", "a"):
        _tag(alice, name)
    path = f"/workspaces/{alice.workspace}/tags"
    first = alice.get(f"{path}?limit=2").json
    second = alice.get(f"{path}?limit=2&cursor={first['next_cursor']}").json
    assert [each["name"] for each in first["data"] + second["data"]] == ["a", "b", "C"]


def test_a_name_that_is_taken_is_refused(alice: Person) -> None:
    home, other = _tag(alice, "Home"), _tag(alice, "other")
    path = f"/workspaces/{alice.workspace}/tags"
    problem(alice.post(path, {"name": "HOME"}), 409, "tag_exists")
    problem(alice.patch(f"/tags/{other}", {"name": "hOME"}), 409, "tag_exists")
    assert alice.patch(f"/tags/{home}", {"name": "home"}).json["name"] == "home"


def test_a_deleted_tags_name_is_free_and_restoring_it_then_is_refused(alice: Person) -> None:
    first = _tag(alice, "a")
    alice.delete(f"/tags/{first}")
    _tag(alice, "A")
    problem(alice.post(f"/tags/{first}/restore"), 409, "tag_exists")


def test_the_same_name_in_another_workspace_is_another_tag(alice: Person, bob: Person) -> None:
    assert _tag(alice, "shared") != _tag(bob, "shared")


def test_the_same_id_again_returns_the_first_result(alice: Person, bob: Person) -> None:
    id = str(uuid7())
    assert _tag(alice, "a", id=id) == _tag(alice, "b", id=id) == id
    problem(bob.post(f"/workspaces/{bob.workspace}/tags", {"name": "c", "id": id}), 409)


def test_etags_guard_a_tag(alice: Person) -> None:
    id = _tag(alice, "a")
    etag = alice.get(f"/tags/{id}").headers["ETag"]
    assert alice.get(f"/tags/{id}", headers={"If-None-Match": etag}).status_code == 304
    assert alice.patch(f"/tags/{id}", {"name": "b"}, headers={"If-Match": etag}).status_code == 200
    problem(alice.delete(f"/tags/{id}", headers={"If-Match": etag}), 412)
