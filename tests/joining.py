"""Brings people into a workspace as the API does: an invitation, its mail, and the token from it."""

import re
from email import message_from_bytes, policy

from sqlalchemy import text

from fastier.members import mails
from fastier.services import Services
from tests.api import Person


def mailed_tokens(services: Services, email: str) -> list[str]:
    """Do what the job runner does with invitations; the tokens that were mailed to the address, oldest first."""
    with services.database.transaction() as connection:
        rows = connection.execute(text("DELETE FROM jobs WHERE kind LIKE 'members.%' RETURNING kind, payload")).all()
    for kind, payload in rows:
        mails.HANDLERS[kind](services, payload)
    paths = sorted(services.settings.mail_path.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    found = [message_from_bytes(path.read_bytes(), policy=policy.SMTP) for path in paths]
    contents = [mail.get_content() for mail in found if mail["To"] == email]
    return [match.group(1) for content in contents if (match := re.search(r"/invitation#([\w-]+)", content))]


def verify(services: Services, person: Person) -> None:
    with services.database.transaction() as connection:
        connection.execute(text("UPDATE users SET verified_at = now() WHERE id = :id"), {"id": person.user_id})


def shared_workspace(owner: Person, name: str = "Team") -> str:
    response = owner.post("/workspaces", {"name": name})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def join(services: Services, owner: Person, workspace: str, person: Person, role: str = "editor") -> None:
    """Invite somebody, and accept with the token that was mailed to them."""
    invited = owner.post(f"/workspaces/{workspace}/invitations", {"email": person.email, "role": role})
    assert invited.status_code == 201, invited.text
    verify(services, person)
    token = mailed_tokens(services, person.email)[-1]
    accepted = person.post("/invitations/accept", {"token": token})
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json["id"], accepted.json["role"]) == (workspace, role)
