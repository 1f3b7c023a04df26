"""Invitations: mailed, accepted by the verified address only, renewed, withdrawn, expired."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from fastier.database import Database, Statistics
from fastier.members import queries
from fastier.services import Services
from tests.api import Person, pointers, problem
from tests.joining import join, mailed_tokens, shared_workspace, verify


def _invite(owner: Person, workspace: str, email: str, role: str = "editor") -> None:
    response = owner.post(f"/workspaces/{workspace}/invitations", {"email": email, "role": role})
    assert response.status_code == 201, response.text


def test_an_invited_person_becomes_a_member(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    made = alice.post(f"/workspaces/{team}/invitations", {"email": bob.email.upper(), "role": "admin"}).json
    assert (made["email"], made["role"], made["invited_by"]) == (bob.email, "admin", alice.user_id)
    expires = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6) < expires <= timedelta(days=7, minutes=1)
    assert alice.get(f"/workspaces/{team}/invitations").json["data"] == [made]
    verify(services, bob)
    token = mailed_tokens(services, bob.email)[-1]
    assert token not in str(made)
    accepted = bob.post("/invitations/accept", {"token": token})
    assert (accepted.status_code, accepted.json["id"], accepted.json["role"]) == (200, team, "admin")
    again = bob.post("/invitations/accept", {"token": token})
    assert (again.status_code, again.json) == (200, accepted.json)
    assert alice.get(f"/workspaces/{team}/invitations").json["data"] == []
    assert {member["user_id"] for member in bob.get(f"/workspaces/{team}/members").json["data"]} == {
        alice.user_id,
        bob.user_id,
    }


def test_only_the_verified_address_accepts(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    _invite(alice, team, bob.email)
    token = mailed_tokens(services, bob.email)[-1]
    problem(bob.post("/invitations/accept", {"token": token}), 403, "unverified")
    verify(services, alice)
    problem(alice.post("/invitations/accept", {"token": token}), 403, "other_address")
    problem(bob.get(f"/workspaces/{team}"), 404)
    verify(services, bob)
    assert bob.post("/invitations/accept", {"token": token}).status_code == 200


def test_an_answer_is_the_same_whether_or_not_the_address_has_an_account(alice: Person, bob: Person) -> None:
    team = shared_workspace(alice)
    answers = [
        alice.post(f"/workspaces/{team}/invitations", {"email": email, "role": "viewer"}).json
        for email in (bob.email, f"nobody-{bob.email}")
    ]
    of_somebody, of_nobody = ({**each, "id": "", "email": "", "created_at": "", "expires_at": ""} for each in answers)
    assert of_somebody == of_nobody


def test_a_repeated_invitation_is_renewed_and_its_old_token_ends(
    alice: Person, bob: Person, services: Services, database: Database
) -> None:
    team = shared_workspace(alice)
    _invite(alice, team, bob.email, "viewer")
    old = mailed_tokens(services, bob.email)[-1]
    with database.transaction() as connection:
        connection.execute(text("UPDATE invitations SET expires_at = now() WHERE email = :email"), {"email": bob.email})
    verify(services, bob)
    problem(bob.post("/invitations/accept", {"token": old}), 410, "invitation_expired")
    assert alice.get(f"/workspaces/{team}/invitations").json["data"] == []
    _invite(alice, team, bob.email, "editor")
    new = mailed_tokens(services, bob.email)[-1]
    assert len(alice.get(f"/workspaces/{team}/invitations").json["data"]) == 1
    problem(bob.post("/invitations/accept", {"token": old}), 404)
    assert bob.post("/invitations/accept", {"token": new}).json["role"] == "editor"


def test_a_withdrawn_invitation_is_unknown_and_not_mailed(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    _invite(alice, team, bob.email)
    token = mailed_tokens(services, bob.email)[-1]
    _invite(alice, team, f"second-{bob.email}")
    for invitation in alice.get(f"/workspaces/{team}/invitations").json["data"]:
        assert alice.delete(f"/invitations/{invitation['id']}").status_code == 204
        problem(alice.delete(f"/invitations/{invitation['id']}"), 404)
    verify(services, bob)
    problem(bob.post("/invitations/accept", {"token": token}), 404)
    assert mailed_tokens(services, f"second-{bob.email}") == []


def test_a_member_is_not_invited_again_and_a_removed_one_cannot_return_by_the_old_token(
    alice: Person, bob: Person, services: Services
) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, bob)
    token = mailed_tokens(services, bob.email)[-1]
    problem(
        alice.post(f"/workspaces/{team}/invitations", {"email": bob.email, "role": "viewer"}), 409, "already_member"
    )
    assert alice.delete(f"/workspaces/{team}/members/{bob.user_id}").status_code == 204
    problem(bob.post("/invitations/accept", {"token": token}), 404)


def test_a_personal_workspace_is_not_shared(alice: Person, bob: Person) -> None:
    new = {"email": bob.email, "role": "viewer"}
    problem(alice.post(f"/workspaces/{alice.workspace}/invitations", new), 409, "personal_workspace")


def test_bad_invitations_are_pointed_at(alice: Person) -> None:
    team = shared_workspace(alice)
    path = f"/workspaces/{team}/invitations"
    assert pointers(alice.post(path, {"email": "nobody", "role": "viewer"})) == ["/email"]
    assert pointers(alice.post(path, {"email": "a@example.com", "role": "owner"})) == ["/role"]


def test_one_address_gets_ten_invitations_an_hour(alice: Person, bob: Person) -> None:
    team = shared_workspace(alice)
    new = {"email": bob.email, "role": "viewer"}
    answers = [alice.post(f"/workspaces/{team}/invitations", new) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert problem(answers[-1], 429, "throttled")
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_only_the_digest_of_a_token_is_kept(alice: Person, bob: Person, services: Services, database: Database) -> None:
    _invite(alice, shared_workspace(alice), bob.email)
    with database.reading() as connection:
        queued = connection.execute(text("SELECT t::text FROM jobs t WHERE kind LIKE 'members.%'")).scalars().all()
    token = mailed_tokens(services, bob.email)[-1]
    with database.reading() as connection:
        kept = connection.execute(text("SELECT t::text FROM invitations t")).scalars().all()
    assert not [row for row in [*queued, *kept] if token in row]


def test_expired_invitations_are_purged_a_week_later(alice: Person, bob: Person, database: Database) -> None:
    team = shared_workspace(alice)
    _invite(alice, team, bob.email)
    _invite(alice, team, f"young-{bob.email}")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE invitations SET expires_at = now() - interval '8 days' WHERE email = :email"),
            {"email": bob.email},
        )
        assert queries.purge(connection, 1000) >= 1
        left = connection.execute(text("SELECT email FROM invitations WHERE workspace_id = :team"), {"team": team})
        assert list(left.scalars()) == [f"young-{bob.email}"]


def test_a_page_of_invitations_takes_at_most_three_statements(alice: Person, statements: Statistics) -> None:
    team = shared_workspace(alice)
    for number in range(3):
        _invite(alice, team, f"invited-{number}-{alice.email}")
    before = statements.statements
    first = alice.get(f"/workspaces/{team}/invitations?limit=2").json
    assert statements.statements - before <= 3, statements.texts
    second = alice.get(f"/workspaces/{team}/invitations?limit=2&cursor={first['next_cursor']}&include=total").json
    assert (len(first["data"]), len(second["data"]), second["total"]) == (2, 1, 3)
