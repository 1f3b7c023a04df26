"""Lists: create, read, rename, delete and restore, in their order."""

from uuid_utils.compat import uuid7

from tests.api import Person, pointers, problem


def test_lists_are_in_the_order_of_their_making_in_pages(alice: Person) -> None:
    for name in "abc":
        alice.new_list(name)
    path = f"/workspaces/{alice.workspace}/lists"
    first = alice.get(f"{path}?limit=3&include=total")
    assert [each["name"] for each in first.json["data"]] == ["Inbox", "a", "b"]
    assert first.json["total"] == 4
    second = alice.get(f"{path}?limit=3&cursor={first.json['next_cursor']}").json
    assert ([each["name"] for each in second["data"]], second["next_cursor"]) == (["c"], None)


def test_a_list_is_renamed_with_its_etag(alice: Person) -> None:
    id = alice.new_list("a")
    etag = alice.get(f"/lists/{id}").headers["ETag"]
    assert alice.get(f"/lists/{id}", headers={"If-None-Match": etag}).status_code == 304
    changed = alice.patch(f"/lists/{id}", {"name": " b  c "}, headers={"If-Match": etag})
    assert (changed.json["name"], changed.headers["ETag"] != etag) == ("b c", True)
    problem(alice.patch(f"/lists/{id}", {"name": "d"}, headers={"If-Match": etag}), 412)
    problem(alice.delete(f"/lists/{id}", headers={"If-Match": etag}), 412)
    assert pointers(alice.patch(f"/lists/{id}", {"name": None})) == ["/name"]
    assert alice.patch(f"/lists/{id}", {}).json["name"] == "b c"


def test_the_inbox_stays(alice: Person) -> None:
    problem(alice.delete(f"/lists/{alice.inbox}"), 409, "inbox")


def test_a_deleted_list_comes_back_where_it_was(alice: Person) -> None:
    first, second = alice.new_list("a"), alice.new_list("b")
    alice.delete(f"/lists/{first}")
    problem(alice.get(f"/lists/{first}"), 404)
    problem(alice.delete(f"/lists/{first}"), 404)
    problem(alice.post(f"/lists/{second}/restore"), 404)
    assert alice.post(f"/lists/{first}/restore").json["name"] == "a"
    names = [each["name"] for each in alice.get(f"/workspaces/{alice.workspace}/lists").json["data"]]
    assert names == ["Inbox", "a", "b"]


def test_the_same_id_again_returns_the_first_result_and_a_foreign_one_is_refused(alice: Person, bob: Person) -> None:
    id = str(uuid7())
    path = f"/workspaces/{alice.workspace}/lists"
    first = alice.post(path, {"name": "a", "id": id})
    assert alice.post(path, {"name": "b", "id": id}).json == first.json
    problem(bob.post(f"/workspaces/{bob.workspace}/lists", {"name": "c", "id": id}), 409, "id_in_use")
