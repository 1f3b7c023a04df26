"""SQL about members and invitations; writes go to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access
from fastier.workspaces.deeds import Deed
from fastier.workspaces.queries import TOLD, told

INVITED_DAYS = 7

_MEMBER = "CAST(m.user_id AS text), u.name, u.email, m.role, m.created_at AS joined_at"
_PAGE = text(
    f"""SELECT {_MEMBER} FROM members m JOIN users u ON u.id = m.user_id
    WHERE m.workspace_id = :workspace AND (CAST(:after AS uuid) IS NULL OR m.user_id > CAST(:after AS uuid))
    ORDER BY m.user_id LIMIT :limit"""
)
_COUNT = text("SELECT count(*) FROM (SELECT FROM members m WHERE m.workspace_id = :workspace LIMIT :cap) counted")
_PAIR = text(
    """SELECT (SELECT role FROM members WHERE workspace_id = w.id AND user_id = :viewer) AS viewer_role,
        (SELECT role FROM members WHERE workspace_id = w.id AND user_id = :user) AS role,
        (SELECT count(*) FROM members WHERE workspace_id = w.id AND role = 'owner') AS owners, w.is_personal
    FROM workspaces w WHERE w.id = :workspace"""
)
_CHANGE = text(
    f"""UPDATE members m SET role = :role FROM users u
    WHERE m.workspace_id = :workspace AND m.user_id = :user AND u.id = m.user_id RETURNING {_MEMBER}"""
)
# Whoever goes leaves their items to nobody and is reminded of none; a kept invitation must not let them in again.
_REMOVE = text(
    """WITH unassigned AS (
        UPDATE items SET assignee_id = NULL, revision = :revision, updated_at = now()
        WHERE workspace_id = :workspace AND assignee_id = :user),
    unreminded AS (DELETE FROM reminders WHERE user_id = :user AND workspace_id = :workspace),
    uninvited AS (
        DELETE FROM invitations i USING users u
        WHERE u.id = :user AND i.workspace_id = :workspace AND i.email = u.email)
    DELETE FROM members WHERE workspace_id = :workspace AND user_id = :user"""
)

_INVITATION = """CAST(i.id AS text), CAST(i.workspace_id AS text), i.email, i.role, CAST(i.invited_by AS text),
    i.created_at, i.expires_at"""
_BELONGS = """EXISTS (SELECT FROM users u JOIN members m ON m.user_id = u.id AND m.workspace_id = {workspace}
        WHERE u.email = {email})"""
_OPEN = f"""i.workspace_id = :workspace AND i.expires_at > now()
      AND NOT {_BELONGS.format(workspace="i.workspace_id", email="i.email")}"""
_INVITATIONS = text(
    f"""SELECT {_INVITATION} FROM invitations i
    WHERE {_OPEN} AND (CAST(:after AS uuid) IS NULL OR i.id > CAST(:after AS uuid)) ORDER BY i.id LIMIT :limit"""
)
_COUNT_INVITATIONS = text(f"SELECT count(*) FROM (SELECT FROM invitations i WHERE {_OPEN} LIMIT :cap) counted")
_INVITE = text(
    f"""INSERT INTO invitations AS i (id, workspace_id, email, role, digest, invited_by, expires_at)
    SELECT :id, w.id, :email, :role, :digest, :viewer, now() + interval '{INVITED_DAYS} days' FROM workspaces w
    WHERE w.id = :workspace AND NOT w.is_personal AND NOT {_BELONGS.format(workspace="w.id", email=":email")}
    ON CONFLICT (workspace_id, email) DO UPDATE SET role = excluded.role, invited_by = excluded.invited_by,
        created_at = now(), expires_at = excluded.expires_at
    RETURNING {_INVITATION}"""
)
_WITHDRAW = text("DELETE FROM invitations WHERE id = :id RETURNING id")
_SET_DIGEST = text(
    """UPDATE invitations i SET digest = :digest FROM workspaces w
    WHERE i.id = :id AND i.expires_at > now() AND w.id = i.workspace_id AND w.deleted_at IS NULL
    RETURNING i.email, i.role, w.name AS workspace, (SELECT name FROM users u WHERE u.id = i.invited_by) AS inviter"""
)
_BY_DIGEST = text(
    """SELECT i.id, i.workspace_id, i.expires_at <= now() AS is_expired, i.email = u.email AS is_for_viewer,
        EXISTS (SELECT FROM members m WHERE m.workspace_id = w.id AND m.user_id = u.id) AS is_member
    FROM invitations i JOIN workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
    JOIN users u ON u.id = :viewer WHERE i.digest = :digest"""
)
_HOLD = text(
    f"""WITH held AS (
        UPDATE workspaces SET revision = revision + 1 WHERE id = :workspace AND deleted_at IS NULL
        RETURNING id AS workspace_id, revision, CAST(NULL AS uuid) AS item_id),
    {TOLD}
    SELECT 1 FROM held"""
)
_JOIN = text(
    """INSERT INTO members (workspace_id, user_id, role)
    SELECT workspace_id, :viewer, role FROM invitations WHERE id = :id AND expires_at > now()
    ON CONFLICT DO NOTHING RETURNING role"""
)
# For a while the answer to an old token is that it has expired.
_PURGE = text(
    f"""DELETE FROM invitations WHERE id IN (
        SELECT id FROM invitations WHERE expires_at < now() - interval '{INVITED_DAYS} days'
        ORDER BY expires_at LIMIT :limit)"""
)


def page(connection: Connection, seen: Access, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The workspace's members, the oldest accounts first."""
    parameters = {"workspace": str(seen.workspace_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_PAGE, parameters).mappings()]


def count(connection: Connection, seen: Access, cap: int) -> int:
    return int(connection.execute(_COUNT, {"workspace": str(seen.workspace_id), "cap": cap}).scalar_one())


def pair(connection: Connection, viewer: Viewer, held: Access, user_id: UUID) -> RowMapping:
    """As it is once the lock is held: viewer_role, the user's role, both None for who is none; owners, is_personal."""
    parameters = {"workspace": str(held.workspace_id), "viewer": str(viewer.user_id), "user": str(user_id)}
    return connection.execute(_PAIR, parameters).mappings().one()


def change(connection: Connection, held: Access, user_id: UUID, role: str) -> dict[str, Any]:
    parameters = {"workspace": str(held.workspace_id), "user": str(user_id), "role": role}
    return dict(connection.execute(_CHANGE, parameters).mappings().one())


def remove(connection: Connection, held: Access, user_id: UUID) -> None:
    """End a membership with all that hangs on it; the items that change are stamped."""
    parameters = {"workspace": str(held.workspace_id), "user": str(user_id), "revision": held.revision}
    connection.execute(_REMOVE, parameters)


def invitations(connection: Connection, seen: Access, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The workspace's open invitations, oldest first."""
    parameters = {"workspace": str(seen.workspace_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_INVITATIONS, parameters).mappings()]


def count_invitations(connection: Connection, seen: Access, cap: int) -> int:
    parameters = {"workspace": str(seen.workspace_id), "cap": cap}
    return int(connection.execute(_COUNT_INVITATIONS, parameters).scalar_one())


def invite(connection: Connection, held: Access, fields: dict[str, Any]) -> dict[str, Any] | None:
    """The open invitation, new or renewed; None for a personal workspace and for the address of a member."""
    row = connection.execute(_INVITE, {**fields, "workspace": str(held.workspace_id)}).mappings().one_or_none()
    return dict(row) if row else None


def withdraw(connection: Connection, id: UUID) -> bool:
    return connection.execute(_WITHDRAW, {"id": str(id)}).one_or_none() is not None


def set_digest(connection: Connection, id: str, digest: bytes) -> RowMapping | None:
    """Make this the token's digest: email, role, workspace, inviter; None when nothing is open any more."""
    return connection.execute(_SET_DIGEST, {"id": id, "digest": digest}).mappings().one_or_none()


def by_digest(connection: Connection, viewer: Viewer, digest: bytes) -> RowMapping | None:
    """An invitation to a live workspace: id, workspace_id, is_expired, is_for_viewer, is_member."""
    return connection.execute(_BY_DIGEST, {"digest": digest, "viewer": str(viewer.user_id)}).mappings().one_or_none()


def hold(connection: Connection, viewer: Viewer, workspace_id: UUID, deed: Deed) -> None:
    """Take the next revision of a workspace that the viewer does not belong to yet."""
    parameters = {"workspace": str(workspace_id), "viewer": str(viewer.user_id), **told(deed, workspace_id)}
    connection.execute(_HOLD, parameters)


def join(connection: Connection, viewer: Viewer, invitation_id: UUID) -> bool:
    """Make the viewer a member; False when the invitation has gone or they are one already."""
    parameters = {"id": str(invitation_id), "viewer": str(viewer.user_id)}
    return connection.execute(_JOIN, parameters).one_or_none() is not None


def purge(connection: Connection, limit: int) -> int:
    """Delete up to `limit` invitations that expired a week ago; how many were deleted."""
    return int(connection.execute(_PURGE, {"limit": limit}).rowcount)
