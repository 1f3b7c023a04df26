"""SQL about users and their credentials."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from fastier.web.viewer import Viewer

# A session that nobody used for this long has ended, whatever its expiry says.
IDLE_DAYS = 14
TOUCHED_EVERY = "5 minutes"

_AUTHENTICATE = text(
    f"""SELECT t.id AS token_id, t.user_id, t.scope, u.timezone, u.verified_at IS NOT NULL AS is_verified,
        t.last_used_at < now() - interval '{TOUCHED_EVERY}' AS is_stale
    FROM tokens t JOIN users u ON u.id = t.user_id
    WHERE t.digest = :digest AND t.expires_at > now()
      AND (t.kind = 'personal' OR t.last_used_at > now() - interval '{IDLE_DAYS} days')"""
)
# Whoever else is using the same token meanwhile has written the same: nobody waits for this.
_TOUCH = text(
    """UPDATE tokens SET last_used_at = now()
    WHERE id = (SELECT id FROM tokens WHERE id = :id FOR UPDATE SKIP LOCKED)"""
)
_USER_COLUMNS = "u.id, u.email, u.name, u.timezone, u.verified_at IS NOT NULL AS is_verified, u.created_at"
_BY_EMAIL = text(f"SELECT {_USER_COLUMNS}, u.password_hash FROM users u WHERE u.email = :email")
_BY_ID = text(f"SELECT {_USER_COLUMNS} FROM users u WHERE u.id = :id")
_INSERT_USER = text(
    f"""INSERT INTO users AS u (id, email, name, password_hash, timezone)
    VALUES (:id, :email, :name, :password_hash, :timezone) ON CONFLICT (email) DO NOTHING RETURNING {_USER_COLUMNS}"""
)
_CHANGE_USER = text(
    f"""UPDATE users u SET name = coalesce(:name, name), timezone = coalesce(:timezone, timezone), updated_at = now()
    WHERE u.id = :id RETURNING {_USER_COLUMNS}"""
)
_SET_PASSWORD = text("UPDATE users SET password_hash = :password_hash, updated_at = now() WHERE id = :id")
_VERIFY = text("UPDATE users SET verified_at = coalesce(verified_at, now()), updated_at = now() WHERE id = :id")
_CREDENTIALS = text("SELECT email, name, password_hash FROM users WHERE id = :viewer")
_MEMBERSHIPS = text(
    """SELECT w.id, w.name, w.is_personal, count(o.user_id) AS others,
        m.role = 'owner' AND count(*) FILTER (WHERE o.role = 'owner') = 0 AS is_only_owner
    FROM members m JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
    LEFT JOIN members o ON o.workspace_id = w.id AND o.user_id <> m.user_id
    WHERE m.user_id = :viewer GROUP BY w.id, m.role ORDER BY w.id"""
)
# Whoever adds a row about a user holds that user's row meanwhile, and so has finished or not begun.
_LOCK_USER = text("SELECT FROM users WHERE id = :viewer FOR UPDATE")
_FORGET_ACTIVITY = text(
    """UPDATE activities SET actor_id = NULL WHERE id IN (
        SELECT id FROM activities WHERE actor_id = :viewer LIMIT :limit)"""
)
_DELETE_USER = text("DELETE FROM users WHERE id = :viewer")
_TOKEN_COLUMNS = "id, name, scope, hint, created_at, expires_at, last_used_at"
_INSERT_TOKEN = text(
    f"""INSERT INTO tokens (id, user_id, kind, digest, scope, name, hint, expires_at)
    VALUES (:id, :user_id, :kind, :digest, :scope, :name, :hint,
        coalesce(CAST(:expires_at AS timestamptz), now() + make_interval(days => :days)))
    RETURNING {_TOKEN_COLUMNS}"""
)
_TOKENS = text(
    f"""SELECT {_TOKEN_COLUMNS} FROM tokens WHERE user_id = :viewer AND kind = :kind AND expires_at > now()
      AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid))
    ORDER BY id DESC LIMIT :limit"""
)
_COUNT_TOKENS = text(
    """SELECT count(*) FROM (SELECT FROM tokens WHERE user_id = :viewer AND kind = :kind AND expires_at > now()
    LIMIT :cap) counted"""
)
_DELETE_TOKEN = text("DELETE FROM tokens WHERE id = :id AND user_id = :viewer AND kind = :kind RETURNING id")
_DELETE_ALL_TOKENS = text("DELETE FROM tokens WHERE user_id = :user_id")
_INSERT_LINK = text(
    """INSERT INTO mailed_links (digest, user_id, purpose, expires_at)
    VALUES (:digest, :user_id, :purpose, now() + make_interval(hours => :hours))"""
)
_TAKE_LINK = text(
    "DELETE FROM mailed_links WHERE digest = :digest AND purpose = :purpose AND expires_at > now() RETURNING user_id"
)
_PURGE_TOKENS = text(
    """DELETE FROM tokens WHERE id IN (
        SELECT id FROM tokens WHERE expires_at < now() ORDER BY expires_at LIMIT :limit)"""
)
_PURGE_LINKS = text(
    """DELETE FROM mailed_links WHERE digest IN (
        SELECT digest FROM mailed_links WHERE expires_at < now() ORDER BY expires_at LIMIT :limit)"""
)


def authenticate(connection: Connection, digest: bytes) -> Viewer | None:
    """The user behind a token, by one statement; its last use is written at most every five minutes."""
    row = connection.execute(_AUTHENTICATE, {"digest": digest}).one_or_none()
    if row is None:
        return None
    if row.is_stale:
        connection.execute(_TOUCH, {"id": row.token_id})
    return Viewer(row.user_id, row.token_id, row.scope, row.timezone, row.is_verified)


def by_email(connection: Connection, email: str) -> RowMapping | None:
    """The user of an address, with the password's hash."""
    return connection.execute(_BY_EMAIL, {"email": email}).mappings().one_or_none()


def by_id(connection: Connection, id: UUID | str) -> RowMapping | None:
    return connection.execute(_BY_ID, {"id": str(id)}).mappings().one_or_none()


def insert_user(connection: Connection, fields: dict[str, Any]) -> RowMapping | None:
    """The new user; None when the address is taken."""
    return connection.execute(_INSERT_USER, fields).mappings().one_or_none()


def change_user(connection: Connection, viewer: Viewer, name: str | None, timezone: str | None) -> RowMapping:
    parameters = {"id": str(viewer.user_id), "name": name, "timezone": timezone}
    return connection.execute(_CHANGE_USER, parameters).mappings().one()


def credentials_of(connection: Connection, viewer: Viewer) -> RowMapping | None:
    """The viewer's email, name and password_hash."""
    return connection.execute(_CREDENTIALS, {"viewer": str(viewer.user_id)}).mappings().one_or_none()


def memberships(connection: Connection, viewer: Viewer) -> list[dict[str, Any]]:
    """The live workspaces of the viewer by id: id, name, is_personal, others (how many), is_only_owner."""
    return [dict(row) for row in connection.execute(_MEMBERSHIPS, {"viewer": str(viewer.user_id)}).mappings()]


def lock_user(connection: Connection, viewer: Viewer) -> None:
    """Keep everybody from adding rows about the viewer until the commit."""
    connection.execute(_LOCK_USER, {"viewer": str(viewer.user_id)})


def forget_activity(connection: Connection, viewer: Viewer, limit: int) -> int:
    """Take the viewer's name off up to `limit` lines of activity; how many there were."""
    return int(connection.execute(_FORGET_ACTIVITY, {"viewer": str(viewer.user_id), "limit": limit}).rowcount)


def delete_user(connection: Connection, viewer: Viewer) -> None:
    """Delete the viewer with their sessions, tokens, links, reminders and kept answers."""
    connection.execute(_DELETE_USER, {"viewer": str(viewer.user_id)})


def set_password(connection: Connection, user_id: str, password_hash: str) -> None:
    connection.execute(_SET_PASSWORD, {"id": user_id, "password_hash": password_hash})


def verify(connection: Connection, user_id: str) -> None:
    connection.execute(_VERIFY, {"id": user_id})


def insert_token(
    connection: Connection, fields: dict[str, Any], *, days: int, expires_at: datetime | None = None
) -> RowMapping:
    parameters = {**fields, "days": days, "expires_at": expires_at}
    return connection.execute(_INSERT_TOKEN, parameters).mappings().one()


def tokens(connection: Connection, viewer: Viewer, kind: str, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The viewer's credentials of a kind, newest first."""
    parameters = {"viewer": str(viewer.user_id), "kind": kind, "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_TOKENS, parameters).mappings()]


def count_tokens(connection: Connection, viewer: Viewer, kind: str, cap: int) -> int:
    parameters = {"viewer": str(viewer.user_id), "kind": kind, "cap": cap}
    return int(connection.execute(_COUNT_TOKENS, parameters).scalar_one())


def delete_token(connection: Connection, viewer: Viewer, kind: str, id: UUID) -> bool:
    parameters = {"id": str(id), "viewer": str(viewer.user_id), "kind": kind}
    return connection.execute(_DELETE_TOKEN, parameters).one_or_none() is not None


def delete_all_tokens(connection: Connection, user_id: str) -> None:
    connection.execute(_DELETE_ALL_TOKENS, {"user_id": user_id})


def insert_link(connection: Connection, user_id: str, purpose: str, digest: bytes, hours: int) -> None:
    parameters = {"user_id": user_id, "purpose": purpose, "digest": digest, "hours": hours}
    connection.execute(_INSERT_LINK, parameters)


def take_link(connection: Connection, purpose: str, digest: bytes) -> str | None:
    """The user of a mailed link, which is good this once."""
    row = connection.execute(_TAKE_LINK, {"digest": digest, "purpose": purpose}).one_or_none()
    return str(row.user_id) if row else None


def purge(connection: Connection, limit: int) -> int:
    """Delete up to `limit` expired tokens and as many expired links; how many were deleted."""
    statements = (_PURGE_TOKENS, _PURGE_LINKS)
    return sum(int(connection.execute(statement, {"limit": limit}).rowcount) for statement in statements)
