"""SQL about workspaces: who may see and change what, and the revision that each write takes."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, RowMapping, TextClause, text

from fastier.web.viewer import Viewer
from fastier.workspaces.deeds import Deed

# What a row of each table must satisfy to be found; an item is also hidden by its list.
_IN_LIVE_LIST = "EXISTS (SELECT FROM lists l WHERE l.id = t.list_id AND l.deleted_at IS NULL)"
_OF_LIVE_ITEM = """EXISTS (SELECT FROM items i JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL
            WHERE i.id = t.item_id AND i.deleted_at IS NULL)"""
_LIVE = {
    "workspaces": "t.deleted_at IS NULL",
    "lists": "t.deleted_at IS NULL",
    "tags": "t.deleted_at IS NULL",
    "sections": f"t.deleted_at IS NULL AND {_IN_LIVE_LIST}",
    "items": f"t.deleted_at IS NULL AND {_IN_LIVE_LIST}",
    "comments": f"t.deleted_at IS NULL AND {_OF_LIVE_ITEM}",
    "invitations": "true",
}
_DELETED = {
    "lists": "t.deleted_at IS NOT NULL",
    "tags": "t.deleted_at IS NOT NULL",
    "sections": f"t.deleted_at IS NOT NULL AND {_IN_LIVE_LIST}",
    "items": f"t.deleted_at IS NOT NULL AND {_IN_LIVE_LIST}",
    "comments": f"t.deleted_at IS NOT NULL AND {_OF_LIVE_ITEM}",
}


# The item that a row is, or belongs to.
_ITEM_OF = {"items": "t.id", "comments": "t.item_id"}
# A write's line of activity, in the statement that takes its revision: it goes back with the write, and costs no
# statement of its own. `held` gives workspace_id, revision and item_id.
TOLD = """told AS (
            INSERT INTO activities (workspace_id, revision, actor_id, kind, subject_id, item_id, data)
            SELECT workspace_id, revision, :viewer, :kind, :subject, coalesce(CAST(:item AS uuid), item_id),
                CAST(:data AS jsonb)
            FROM held WHERE CAST(:kind AS text) IS NOT NULL)"""


def told(deed: Deed | None, id: UUID) -> dict[str, Any]:
    """The parameters of TOLD; `id` is the row that is locked."""
    subject = (deed and deed.subject_id) or id
    return {
        "kind": deed and deed.kind,
        "subject": str(subject),
        "item": str(deed.item_id) if deed and deed.item_id else None,
        "data": orjson.dumps(deed.data).decode() if deed and deed.data else None,
    }


def _workspace_of(table: str) -> str:
    return "t.id" if table == "workspaces" else "t.workspace_id"


def _access(table: str, condition: str) -> TextClause:
    return text(
        f"""SELECT w.id AS workspace_id, w.revision, m.role
        FROM {table} t
        JOIN workspaces w ON w.id = {_workspace_of(table)} AND w.deleted_at IS NULL
        JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
        WHERE t.id = :id AND {condition}"""
    )


def _lock(table: str, condition: str) -> TextClause:
    # Whoever writes to a workspace holds its row from here to the commit, so that commit order is revision order.
    # Before the row comes a lock for the sake of its queue: PostgreSQL hands that to whoever has waited longest. Of
    # those who wait for a row that each of them changes, each commit would wake all, and all but one find it taken.
    return text(
        f"""WITH turn AS MATERIALIZED (
            SELECT {_workspace_of(table)} AS id, m.role, {_ITEM_OF.get(table, "CAST(NULL AS uuid)")} AS item_id,
                pg_advisory_xact_lock(uuid_hash_extended({_workspace_of(table)}, 0))
            FROM {table} t JOIN members m ON m.workspace_id = {_workspace_of(table)} AND m.user_id = :viewer
            WHERE t.id = :id AND {condition} AND m.role = ANY(:roles)),
        held AS (
            UPDATE workspaces w SET revision = w.revision + 1
            FROM turn t WHERE w.id = t.id AND w.deleted_at IS NULL
            RETURNING w.id AS workspace_id, w.revision, t.role, t.item_id),
        {TOLD}
        SELECT workspace_id, revision, role FROM held"""
    )


_ACCESS = {table: _access(table, condition) for table, condition in _LIVE.items()}
_ACCESS_DELETED = {table: _access(table, condition) for table, condition in _DELETED.items()}
_LOCK = {table: _lock(table, condition) for table, condition in _LIVE.items()}
_LOCK_DELETED = {table: _lock(table, condition) for table, condition in _DELETED.items()}


def access(connection: Connection, viewer: Viewer, table: str, id: UUID, *, deleted: bool = False) -> RowMapping | None:
    """The workspace of a row that the viewer may see: workspace_id, revision, role."""
    statement = (_ACCESS_DELETED if deleted else _ACCESS)[table]
    return connection.execute(statement, {"id": str(id), "viewer": str(viewer.user_id)}).mappings().one_or_none()


def lock(
    connection: Connection,
    viewer: Viewer,
    table: str,
    id: UUID,
    roles: list[str],
    *,
    deleted: bool = False,
    deed: Deed | None = None,
) -> RowMapping | None:
    """Lock the row's workspace, take its next revision and tell the deed: workspace_id, revision, role."""
    statement = (_LOCK_DELETED if deleted else _LOCK)[table]
    parameters = {"id": str(id), "viewer": str(viewer.user_id), "roles": roles, **told(deed, id)}
    return connection.execute(statement, parameters).mappings().one_or_none()


_COLUMNS = """w.id, w.name, w.is_personal, m.role, w.storage_used, w.storage_quota, w.created_at, w.updated_at,
    w.changed_at_revision AS revision"""

_PAGE = text(
    f"""SELECT {_COLUMNS} FROM members m JOIN workspaces w ON w.id = m.workspace_id
    WHERE m.user_id = :viewer AND w.deleted_at IS NULL AND (CAST(:after AS uuid) IS NULL OR w.id > CAST(:after AS uuid))
    ORDER BY w.id LIMIT :limit"""
)
_ONE = text(
    f"""SELECT {_COLUMNS} FROM members m JOIN workspaces w ON w.id = m.workspace_id
    WHERE m.user_id = :viewer AND w.id = :id AND w.deleted_at IS NULL"""
)
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM members m JOIN workspaces w ON w.id = m.workspace_id
    WHERE m.user_id = :viewer AND w.deleted_at IS NULL LIMIT :cap) counted"""
)
_INSERT = text(
    f"""WITH made AS (INSERT INTO workspaces (id, name, is_personal, revision, changed_at_revision)
        VALUES (:id, :name, :is_personal, 1, 1) ON CONFLICT (id) DO NOTHING RETURNING id),
    held AS (SELECT id AS workspace_id, 1 AS revision, CAST(NULL AS uuid) AS item_id FROM made),
    {TOLD}
    INSERT INTO members (workspace_id, user_id, role) SELECT id, :owner, 'owner' FROM made RETURNING workspace_id"""
)
_RENAME = text(
    """UPDATE workspaces SET name = :name, changed_at_revision = revision, updated_at = now() WHERE id = :id"""
)
_DELETE = text(
    """UPDATE workspaces SET deleted_at = now(), changed_at_revision = revision, updated_at = now() WHERE id = :id"""
)
_TOUCH = text(
    """UPDATE workspaces SET revision = revision + 1 WHERE id IN (
        SELECT w.id FROM members m JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
        WHERE m.user_id = :viewer ORDER BY w.id FOR UPDATE OF w)"""
)
# A trigger stamps what is written, see migration 0004.
_TOUCH_MEMBERS = text("UPDATE members SET role = role WHERE user_id = :viewer")
_HOME = text(
    """SELECT w.id AS workspace, l.id AS inbox FROM members m JOIN workspaces w ON w.id = m.workspace_id
    JOIN lists l ON l.workspace_id = w.id AND l.is_inbox
    WHERE m.user_id = :viewer AND m.role = 'owner' AND w.is_personal"""
)


def page(connection: Connection, viewer: Viewer, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The viewer's workspaces, oldest first."""
    parameters = {"viewer": str(viewer.user_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_PAGE, parameters).mappings()]


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    row = connection.execute(_ONE, {"viewer": str(viewer.user_id), "id": str(id)}).mappings().one_or_none()
    return dict(row) if row else None


def count(connection: Connection, viewer: Viewer, cap: int) -> int:
    return int(connection.execute(_COUNT, {"viewer": str(viewer.user_id), "cap": cap}).scalar_one())


def insert(connection: Connection, owner: UUID, id: UUID, name: str, *, is_personal: bool) -> bool:
    """Insert a workspace at revision 1 with its owner; False when the id is taken."""
    parameters = {"id": str(id), "name": name, "is_personal": is_personal, "owner": str(owner), "viewer": str(owner)}
    parameters |= told(Deed("workspace.created"), id)
    return connection.execute(_INSERT, parameters).one_or_none() is not None


def rename(connection: Connection, id: UUID, name: str) -> None:
    connection.execute(_RENAME, {"id": str(id), "name": name})


def delete(connection: Connection, id: UUID) -> None:
    connection.execute(_DELETE, {"id": str(id)})


def touch(connection: Connection, viewer: Viewer) -> None:
    """Take the next revision of all the viewer's workspaces, and stamp the viewer's memberships with it."""
    for statement in (_TOUCH, _TOUCH_MEMBERS):
        connection.execute(statement, {"viewer": str(viewer.user_id)})


def home(connection: Connection, viewer: Viewer) -> RowMapping | None:
    """The ids of the viewer's personal workspace and its inbox."""
    return connection.execute(_HOME, {"viewer": str(viewer.user_id)}).mappings().one_or_none()
