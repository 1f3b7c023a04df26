"""The rules of membership: who invites, changes, removes and leaves, and that no workspace loses its last owner."""

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier import jobs, throttle
from fastier.errors import Conflict, Forbidden, Gone, NotFound, TooMany
from fastier.members import queries
from fastier.members.schemas import NewInvitation
from fastier.web.call import AnswerInstead, Reply
from fastier.web.credentials import digest_of
from fastier.web.viewer import Viewer
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import ADMINS, Access
from fastier.workspaces.deeds import Deed
from fastier.workspaces.service import etag, get_workspace

SEND_INVITATION = "members.send_invitation"
# A person may fill a team's workspace, and nobody may fill a stranger's mailbox.
INVITATIONS_OF_USER = 100
INVITATIONS_TO_ADDRESS = 10
PER = timedelta(hours=1)


def change_role(connection: Connection, viewer: Viewer, held: Access, user_id: UUID, role: str) -> dict[str, Any]:
    """Give a member another role."""
    there = _changeable(connection, viewer, held, user_id)
    if "owner" in (role, there["role"]):
        _require_owner(there)
    if role != "owner":
        _keep_an_owner(there)
    return queries.change(connection, held, user_id, role)


def remove_member(connection: Connection, viewer: Viewer, held: Access, user_id: UUID) -> None:
    """End somebody's membership, or the viewer's own, which every role may."""
    there = _changeable(connection, viewer, held, user_id)
    if user_id != viewer.user_id and there["role"] == "owner":
        _require_owner(there)
    _keep_an_owner(there)
    queries.remove(connection, held, user_id)


def _changeable(connection: Connection, viewer: Viewer, held: Access, user_id: UUID) -> Any:
    """The member, read again now that the lock is held: the viewer's role may have changed while it was waited for."""
    there = queries.pair(connection, viewer, held, user_id)
    if there["viewer_role"] is None or there["role"] is None:
        raise NotFound
    if user_id != viewer.user_id and there["viewer_role"] not in ADMINS:
        raise Forbidden("Your role has just changed.", code="role")
    if there["is_personal"]:
        raise Conflict("A personal workspace has one member, its owner.", code="personal_workspace")
    return there


def _require_owner(there: Any) -> None:
    if there["viewer_role"] != "owner":
        raise Forbidden("Only an owner makes, changes and removes owners.", code="role")


def _keep_an_owner(there: Any) -> None:
    if there["role"] == "owner" and there["owners"] == 1:
        raise Conflict("This is the only owner; make somebody else one first.", code="last_owner")


def invite(connection: Connection, viewer: Viewer, held: Access, new: NewInvitation) -> dict[str, Any]:
    """An open invitation, mailed by a job; one that is there is renewed and mailed again."""
    _allow(connection, f"invite:user:{viewer.user_id}", INVITATIONS_OF_USER)
    _allow(connection, f"invite:address:{new.email}", INVITATIONS_TO_ADDRESS)
    fields = {
        "id": str(uuid7()),
        "email": new.email,
        "role": new.role,
        # Nobody knows this one: the job makes the token when it mails it, so that none waits in the queue.
        "digest": digest_of(secrets.token_urlsafe(32)),
        "viewer": str(viewer.user_id),
    }
    made = queries.invite(connection, held, fields)
    if made is None:
        if get_workspace(connection, viewer, held.workspace_id)["is_personal"]:
            raise Conflict("A personal workspace is nobody else's; create one to share.", code="personal_workspace")
        raise Conflict("Whoever has this address is a member already.", code="already_member")
    jobs.enqueue(connection, SEND_INVITATION, {"id": made["id"]}, key=f"{SEND_INVITATION} {made['id']}")
    return made


def _allow(connection: Connection, key: str, burst: int) -> None:
    """Count one invitation; it counts only if this transaction commits, and so if a mail is sent."""
    if wait := throttle.allow(connection, key, burst=burst, per=PER):
        raise TooMany("Too many invitations; try again later.", retry_after=wait, code="throttled")


def accept(connection: Connection, viewer: Viewer, token: str) -> dict[str, Any]:
    """The workspace that the viewer now belongs to; again is success."""
    there = queries.by_digest(connection, viewer, digest_of(token))
    if there is None:
        raise NotFound
    if not there["is_for_viewer"]:
        raise Forbidden("This invitation was sent to another address.", code="other_address")
    if not viewer.is_verified:
        raise Forbidden("Verify your address first; the mail with the link was sent to it.", code="unverified")
    if there["is_member"]:
        return get_workspace(connection, viewer, there["workspace_id"])
    if there["is_expired"]:
        raise Gone("This invitation has expired; ask for a new one.", code="invitation_expired")
    deed = Deed("member.joined", subject_id=viewer.user_id)
    queries.hold(connection, viewer, there["workspace_id"], deed)
    if not queries.join(connection, viewer, there["id"]):
        _answer_as_member(connection, viewer, there["workspace_id"])
    return get_workspace(connection, viewer, there["workspace_id"])


def _answer_as_member(connection: Connection, viewer: Viewer, workspace_id: UUID) -> None:
    """Two requests accepted at once, or the invitation was withdrawn meanwhile: nothing is to be written."""
    workspace = workspaces.one(connection, viewer, workspace_id)
    if workspace is None:
        raise NotFound
    raise AnswerInstead(Reply(workspace, etag=etag(workspace)))
