"""Workspaces: create, read, rename and delete."""

from uuid_utils.compat import uuid7

from tests.api import Person, pointers, problem


def test_a_workspace_is_made_and_owned(alice: Person) -> None:
    made = alice.post("/workspaces", {"name": "Team"})
    assert (made.json["name"], made.json["role"], made.json["is_personal"]) == ("Team", "owner", False)
    assert alice.get(f"/workspaces/{made.json['id']}").json == made.json


def test_workspaces_come_in_pages(alice: Person) -> None:
    for name in "ab":
        alice.post("/workspaces", {"name": name})
    first = alice.get("/workspaces?limit=2&include=total").json
    second = alice.get(f"/workspaces?limit=2&cursor={first['next_cursor']}").json
    assert [each["name"] for each in first["data"] + second["data"]] == ["Personal", "a", "b"]
    assert first["total"] == 3


def test_a_workspace_is_renamed_with_its_etag(alice: Person) -> None:
    id = alice.post("/workspaces", {"name": "a"}).json["id"]
    etag = alice.get(f"/workspaces/{id}").headers["ETag"]
    assert alice.get(f"/workspaces/{id}", headers={"If-None-Match": etag}).status_code == 304
    assert alice.patch(f"/workspaces/{id}", {"name": "b"}, headers={"If-Match": etag}).json["name"] == "b"
    problem(alice.patch(f"/workspaces/{id}", {"name": "c"}, headers={"If-Match": etag}), 412)
    assert pointers(alice.patch(f"/workspaces/{id}", {"name": ""})) == ["/name"]


def test_a_deleted_workspace_hides_all_that_is_in_it(alice: Person) -> None:
    id = alice.post("/workspaces", {"name": "a"}).json["id"]
    held = alice.post(f"/workspaces/{id}/lists", {"name": "l"}).json["id"]
    item = alice.item("x", held, tags=["t"])["id"]
    assert alice.delete(f"/workspaces/{id}").status_code == 204
    for path in (f"/workspaces/{id}", f"/lists/{held}", f"/lists/{held}/items", f"/items/{item}"):
        problem(alice.get(path), 404)
    assert [each["name"] for each in alice.get("/workspaces").json["data"]] == ["Personal"]


def test_the_personal_workspace_stays(alice: Person) -> None:
    problem(alice.delete(f"/workspaces/{alice.workspace}"), 409, "personal_workspace")


def test_the_same_id_again_returns_the_first_result_and_a_foreign_one_is_refused(alice: Person, bob: Person) -> None:
    id = str(uuid7())
    first = alice.post("/workspaces", {"name": "a", "id": id})
    again = alice.post("/workspaces", {"name": "b", "id": id})
    assert (again.json, again.headers["ETag"]) == (first.json, first.headers["ETag"])
    problem(bob.post("/workspaces", {"name": "c", "id": id}), 409, "id_in_use")
