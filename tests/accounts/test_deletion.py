"""Deleting an account: what is its own goes, what it shared stays without its name, and no team is left stranded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import text

from fastier.accounts import mails
from fastier.accounts.passwords import hash_password
from fastier.attachments import sweeping
from fastier.database import Database
from fastier.services import Services
from fastier.trash import purging
from tests.api import Api, Person, pointers, problem
from tests.joining import join, mailed_tokens, shared_workspace
from tests.world import Settle

PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
# All that may name a person, and the tables that hold it.
_REFERENCES = {
    "users": "id",
    "tokens": "user_id",
    "mailed_links": "user_id",
    "members": "user_id",
    "reminders": "user_id",
    "kept_answers": "user_id",
    "comments": "author_id",
    "activities": "actor_id",
    "attachments": "created_by",
    "invitations": "invited_by",
    "items": "assignee_id",
}


@pytest.fixture
def dora(settle: Settle, database: Database) -> Person:
    """Somebody with a password."""
    person = settle("dora")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE users SET password_hash = :hash WHERE id = :id"), {"hash": _HASH, "id": person.user_id}
        )
    return person


def _delete_me(person: Person, password: str = PASSWORD) -> Any:
    return person.call("DELETE", "/me", {"password": password})


def _left(database: Database, person: Person) -> list[str]:
    """The tables that still name the person."""
    with database.reading() as connection:
        return [
            table
            for table, column in _REFERENCES.items()
            if connection.execute(
                text(f"SELECT EXISTS (SELECT FROM {table} WHERE {column} = :id)"), {"id": person.user_id}
            ).scalar_one()
        ]


def test_a_deleted_account_is_gone_at_once(dora: Person, anybody: Api, database: Database, services: Services) -> None:
    item = dora.item()["id"]
    dora.post(f"/items/{item}/comments", {"text": "mine"})
    dora.upload(item, b"file")
    dora.post("/tokens", {"name": "script"})
    dora.post(f"/lists/{dora.inbox}/items", {"title": "kept"}, headers={"Idempotency-Key": "k"})
    with database.transaction() as connection:
        connection.execute(
            text(
                """INSERT INTO mailed_links (digest, user_id, purpose, expires_at)
                VALUES (decode(md5(:id), 'hex'), :id, 'reset', now() + interval '1 hour')"""
            ),
            {"id": dora.user_id},
        )
    answer = _delete_me(dora)
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert _left(database, dora) == []
    problem(dora.get("/me"), 401, "bad_token")
    problem(anybody.post("/auth/login", {"email": dora.email, "password": PASSWORD}), 401, "bad_credentials")
    again = anybody.post("/auth/register", {"email": dora.email, "password": PASSWORD, "name": "Dora"})
    assert (again.status_code, again.json["workspace"]["id"] != dora.workspace) == (201, True)


def test_a_wrong_password_deletes_nothing_and_is_throttled_as_at_sign_in(dora: Person) -> None:
    answers = [_delete_me(dora, "wrong") for _ in range(11)]
    problem(answers[0], 403, "wrong_password")
    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    assert dora.get("/me").status_code == 200
    assert pointers(dora.call("DELETE", "/me", {"password": ""})) == ["/password"]


def test_the_only_owner_of_what_others_use_is_told_which(
    dora: Person, alice: Person, bob: Person, services: Services
) -> None:
    team, other = shared_workspace(dora, "Team"), shared_workspace(dora, "Second")
    for workspace in (team, other):
        join(services, dora, workspace, alice, "admin")
    alone, theirs = shared_workspace(dora, "Alone"), shared_workspace(bob, "Theirs")
    join(services, bob, theirs, dora, "admin")
    refused = problem(_delete_me(dora), 409, "sole_owner")
    assert '"Team"' in refused["detail"]
    assert '"Second"' in refused["detail"]
    assert "Alone" not in refused["detail"]
    assert "Theirs" not in refused["detail"]
    assert dora.get("/me").status_code == 200
    for workspace in (team, other):
        assert dora.patch(f"/workspaces/{workspace}/members/{alice.user_id}", {"role": "owner"}).status_code == 200
    assert _delete_me(dora).status_code == 204
    members = alice.get(f"/workspaces/{team}/members").json["data"]
    assert [(member["user_id"], member["role"]) for member in members] == [(alice.user_id, "owner")]
    with services.database.reading() as connection:
        deleted = connection.execute(
            text("SELECT id::text FROM workspaces WHERE deleted_at IS NOT NULL AND id = ANY(CAST(:ids AS uuid[]))"),
            {"ids": [team, other, alone, theirs, dora.workspace]},
        )
        assert set(deleted.scalars()) == {alone, dora.workspace}


def test_what_was_shared_stays_without_the_name(
    dora: Person, alice: Person, services: Services, database: Database
) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, dora)
    list_id = alice.post(f"/workspaces/{team}/lists", {"name": "l"}).json["id"]
    item = dora.item("shared", list_id)["id"]
    dora.post(f"/items/{item}/comments", {"text": "stays"})
    dora.upload(item, b"stays")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET assignee_id = :dora WHERE id = :id"), {"dora": dora.user_id, "id": item}
        )
    etags = {path: alice.get(path).headers["ETag"] for path in (f"/items/{item}", f"/items/{item}/comments")}
    assert _delete_me(dora).status_code == 204
    assert _left(database, dora) == []
    for path, etag in etags.items():
        assert alice.get(path, headers={"If-None-Match": etag}).status_code == 200
    assert alice.get(f"/items/{item}").json["assignee_id"] is None
    [comment] = alice.get(f"/items/{item}/comments").json["data"]
    assert (comment["text"], comment["author_id"], comment["author_name"]) == ("stays", None, None)
    [file] = alice.get(f"/items/{item}/attachments").json["data"]
    assert file["created_by"] is None
    latest = alice.get(f"/workspaces/{team}/activity?limit=1").json["data"][0]
    assert (latest["kind"], latest["actor_id"], latest["subject_id"]) == ("member.left", None, dora.user_id)


def test_the_personal_workspace_is_purged_with_the_trash(
    dora: Person, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = dora.item("private words")["id"]
    dora.post(f"/items/{item}/comments", {"text": "private"})
    dora.upload(item, b"private file")
    key = _object_keys(database, dora.workspace)
    assert _delete_me(dora).status_code == 204
    purging.purge(services, {})
    assert _rows_of(database, dora.workspace) > 0
    with database.transaction() as connection:
        for table in ("workspaces", "lists"):
            connection.execute(
                text(
                    f"UPDATE {table} SET deleted_at = now() - interval '31 days' WHERE deleted_at IS NOT NULL "
                    f"AND {'id' if table == 'workspaces' else 'workspace_id'} = :id"
                ),
                {"id": dora.workspace},
            )
    # A file is marked when its item is doomed, swept a day later, and then its item goes.
    purging.purge(services, {})
    monkeypatch.setattr(sweeping, "AGE", timedelta(0))
    sweeping.sweep(services, {})
    purging.purge(services, {})
    assert _rows_of(database, dora.workspace) == 0
    assert services.storage.head(key[0]) is None


def _object_keys(database: Database, workspace: str) -> list[str]:
    with database.reading() as connection:
        return list(
            connection.execute(
                text("SELECT object_key FROM attachments WHERE workspace_id = :id"), {"id": workspace}
            ).scalars()
        )


def _rows_of(database: Database, workspace: str) -> int:
    tables = ("lists", "items", "comments", "attachments", "activities", "members", "tags")
    with database.reading() as connection:
        counted = [
            connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE workspace_id = :id"), {"id": workspace}
            ).scalar_one()
            for table in tables
        ]
        return sum(counted) + int(
            connection.execute(text("SELECT count(*) FROM workspaces WHERE id = :id"), {"id": workspace}).scalar_one()
        )


def test_a_goodbye_is_mailed_and_the_queue_forgets_the_address(
    dora: Person, services: Services, database: Database
) -> None:
    assert _delete_me(dora).status_code == 204
    with database.transaction() as connection:
        rows = connection.execute(
            text("DELETE FROM jobs WHERE kind = 'accounts.send_goodbye' AND payload->>'email' = :email RETURNING *"),
            {"email": dora.email},
        ).all()
    for row in rows:
        mails.HANDLERS[row.kind](services, row.payload)
    sent = [
        message_from_bytes(path.read_bytes(), policy=policy.SMTP) for path in services.settings.mail_path.glob("*.eml")
    ]
    assert [mail["Subject"] for mail in sent if mail["To"] == dora.email] == ["Your account has been deleted"]


def test_an_accepted_invitation_lets_nobody_in_who_registers_the_address_anew(
    dora: Person, alice: Person, anybody: Api, services: Services, database: Database
) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, dora)
    token = mailed_tokens(services, dora.email)[-1]
    assert _delete_me(dora).status_code == 204
    made = anybody.post("/auth/register", {"email": dora.email, "password": PASSWORD, "name": "Other"}).json
    with database.transaction() as connection:
        connection.execute(text("UPDATE users SET verified_at = now() WHERE email = :email"), {"email": dora.email})
    bearer = {"Authorization": f"Bearer {made['token']}"}
    problem(anybody.post("/invitations/accept", {"token": token}, headers=bearer), 404)


def test_writes_that_run_while_the_account_goes_end_well(
    dora: Person, alice: Person, services: Services, database: Database
) -> None:
    """Whatever waits for a lock of the deletion finds that its user has gone, and breaks nothing."""
    team = shared_workspace(alice)
    join(services, alice, team, dora)
    list_id = alice.post(f"/workspaces/{team}/lists", {"name": "l"}).json["id"]
    statuses: list[int] = []

    def write(number: int) -> None:
        statuses.append(dora.post(f"/lists/{list_id}/items", {"title": str(number)}).status_code)

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(write, number) for number in range(24)]
        deletion = pool.submit(_delete_me, dora)
        writes += [pool.submit(write, number) for number in range(24)]
        for done in writes:
            done.result(timeout=60)
    assert deletion.result(timeout=60).status_code == 204
    assert set(statuses) <= {201, 401, 404}
    assert _left(database, dora) == []


def test_two_owners_who_go_at_once_strand_nobody(
    dora: Person, settle: Settle, alice: Person, services: Services, database: Database
) -> None:
    emil = settle("emil")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE users SET password_hash = :hash WHERE id = :id"), {"hash": _HASH, "id": emil.user_id}
        )
    team = shared_workspace(dora)
    join(services, dora, team, alice)
    join(services, dora, team, emil)
    assert dora.patch(f"/workspaces/{team}/members/{emil.user_id}", {"role": "owner"}).status_code == 200
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(_delete_me, person) for person in (dora, emil)]
        statuses = sorted(answer.result(timeout=60).status_code for answer in answers)
    assert statuses == [204, 409]
    roles = [member["role"] for member in alice.get(f"/workspaces/{team}/members").json["data"]]
    assert sorted(roles) == ["editor", "owner"]
