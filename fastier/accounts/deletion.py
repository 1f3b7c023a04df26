"""Deletes an account with its data: what is only its own goes, what it shared stays without its name."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from fastier import jobs
from fastier.accounts import passwords, queries
from fastier.accounts.service import check_password_attempt
from fastier.comments import queries as comments
from fastier.errors import Conflict, Forbidden, NotFound, Unavailable
from fastier.members import queries as members
from fastier.services import Services
from fastier.web.viewer import Viewer
from fastier.workspaces import access
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import MEMBERS, Access
from fastier.workspaces.deeds import Deed

SEND_GOODBYE = "accounts.send_goodbye"
# An account that somebody else is busy with, such as by joining a workspace meanwhile, is looked at again.
MOST_ATTEMPTS = 3
# What somebody did may be long to forget: in batches before the locks are taken, so that nobody waits meanwhile.
FORGET_BATCH = 5000
MOST_BATCHES = 400


class _Changed(Exception):
    """The account's memberships are not those that were locked."""


def delete_account(services: Services, viewer: Viewer, address: str, password: str) -> None:
    """Delete the viewer's account; Forbidden for a wrong password, Conflict for the only owner of what others use."""
    with services.database.reading() as connection:
        user = queries.credentials_of(connection, viewer)
    if user is None:
        raise NotFound
    check_password_attempt(services, user["email"], address)
    if not passwords.verify_password(user["password_hash"], password):
        raise Forbidden("The password is wrong.", code="wrong_password")
    with services.database.reading() as connection:
        _require_successors(queries.memberships(connection, viewer))
    _forget_activity(services, viewer)
    for _ in range(MOST_ATTEMPTS):
        try:
            with services.database.transaction() as connection:
                _delete(connection, viewer)
                jobs.enqueue(connection, SEND_GOODBYE, {"email": user["email"], "name": user["name"]})
                return
        except _Changed:
            continue
    raise Unavailable("The account is changing right now; try again in a moment.")


def _forget_activity(services: Services, viewer: Viewer) -> None:
    for _ in range(MOST_BATCHES):
        with services.database.transaction() as connection:
            if queries.forget_activity(connection, viewer, FORGET_BATCH) < FORGET_BATCH:
                return


def _delete(connection: Connection, viewer: Viewer) -> None:
    """Everything in one transaction; workspaces are locked in the order of their ids, and before the user."""
    held = _lock(connection, viewer)
    queries.lock_user(connection, viewer)
    there = queries.memberships(connection, viewer)
    if {row["id"] for row in there} != set(held):
        raise _Changed
    _require_successors(there)
    for row in there:
        if row["is_personal"] or row["others"] == 0:
            workspaces.delete(connection, row["id"])
        else:
            comments.forget_author(connection, held[row["id"]], viewer.user_id)
            members.remove(connection, held[row["id"]], viewer.user_id)
    queries.delete_user(connection, viewer)


def _lock(connection: Connection, viewer: Viewer) -> dict[UUID, Access]:
    held: dict[UUID, Access] = {}
    for row in queries.memberships(connection, viewer):
        try:
            held[row["id"]] = access.to_write(
                connection, viewer, "workspaces", row["id"], roles=MEMBERS, deed=Deed("member.left", viewer.user_id)
            )
        except NotFound:
            raise _Changed from None
    return held


def _require_successors(there: list[dict[str, Any]]) -> None:
    """Conflict, naming them, for workspaces that would be left to people of whom none is an owner."""
    names = [row["name"] for row in there if row["is_only_owner"] and row["others"] and not row["is_personal"]]
    if names:
        shown = ", ".join(f'"{name}"' for name in names[:10]) + (" and more" if len(names) > 10 else "")
        raise Conflict(f"You are the only owner of {shown}; make somebody else one first.", code="sole_owner")
