"""Who may do what in a workspace: the gate that every read and every write of its content passes."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from fastier.errors import Forbidden, NotFound
from fastier.web.viewer import Viewer
from fastier.workspaces import queries
from fastier.workspaces.deeds import Deed

OWNERS = ["owner"]
ADMINS = ["owner", "admin"]
EDITORS = ["owner", "admin", "editor"]
MEMBERS = ["owner", "admin", "editor", "viewer"]


@dataclass(frozen=True, slots=True)
class Access:
    """A workspace that the viewer may see; in a write, `revision` is the one that this write has taken."""

    workspace_id: UUID
    revision: int
    role: str

    @property
    def etag(self) -> str:
        """Of a list or query: it changes with any write to the workspace, and with the viewer's role."""
        return f'"{self.revision}-{self.role}"'

    def require(self, roles: list[str]) -> None:
        """Forbidden unless the viewer's role is among these."""
        if self.role not in roles:
            raise Forbidden(f"Your role here is {self.role}; this needs {' or '.join(roles)}.", code="role")


def etag_of(revision: int) -> str:
    """Of one resource: its revision."""
    return f'"{revision}"'


def to_read(connection: Connection, viewer: Viewer, table: str, id: UUID) -> Access:
    """Access to the workspace of a live row of `table`; NotFound for an unknown or foreign one."""
    row = queries.access(connection, viewer, table, id)
    if row is None:
        raise NotFound
    return Access(row["workspace_id"], row["revision"], row["role"])


def to_write(
    connection: Connection,
    viewer: Viewer,
    table: str,
    id: UUID,
    *,
    roles: list[str] = EDITORS,
    deleted: bool = False,
    deed: Deed | None = None,
) -> Access:
    """Lock the row's workspace, take its next revision and tell the deed, once in a transaction.

    NotFound for an unknown or foreign row, Forbidden for a member whose role is not among `roles`.
    """
    row = queries.lock(connection, viewer, table, id, roles, deleted=deleted, deed=deed)
    if row is None:
        seen = queries.access(connection, viewer, table, id, deleted=deleted)
        if seen is not None:
            Access(seen["workspace_id"], seen["revision"], seen["role"]).require(roles)
        raise NotFound
    return Access(row["workspace_id"], row["revision"], row["role"])
