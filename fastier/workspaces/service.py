"""The rules of workspaces."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier.errors import Conflict, NotFound
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces import access, queries
from fastier.workspaces.access import ADMINS, OWNERS
from fastier.workspaces.deeds import Deed
from fastier.workspaces.schemas import NewWorkspace, WorkspacePatch


def get_workspace(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    workspace = queries.one(connection, viewer, id)
    if workspace is None:
        raise NotFound
    return workspace


def create_workspace(connection: Connection, viewer: Viewer, new: NewWorkspace) -> dict[str, Any]:
    """A workspace owned by the viewer; an id of the viewer's own that is there already gives what is there."""
    id = new.id or uuid7()
    if not queries.insert(connection, viewer.user_id, id, new.name, is_personal=False):
        there = queries.one(connection, viewer, id)
        if there is None:
            raise id_taken()
        raise AnswerInstead(Reply(there, 201, etag(there)))
    return get_workspace(connection, viewer, id)


def rename_workspace(connection: Connection, viewer: Viewer, id: UUID, patch: WorkspacePatch) -> dict[str, Any]:
    if "name" in patch.sent():
        queries.rename(connection, id, patch.name)
    return get_workspace(connection, viewer, id)


def delete_workspace(connection: Connection, viewer: Viewer, id: UUID) -> None:
    """Hide the workspace and all that is in it; the personal one stays."""
    if get_workspace(connection, viewer, id)["is_personal"]:
        raise Conflict("Your personal workspace goes only with your account.", code="personal_workspace")
    queries.delete(connection, id)


def lock_for_admins(connection: Connection, viewer: Viewer, id: UUID, deed: Deed) -> access.Access:
    return access.to_write(connection, viewer, "workspaces", id, roles=ADMINS, deed=deed)


def lock_for_owners(connection: Connection, viewer: Viewer, id: UUID, deed: Deed) -> access.Access:
    return access.to_write(connection, viewer, "workspaces", id, roles=OWNERS, deed=deed)


def id_taken() -> Conflict:
    return Conflict("This id is in use; send another.", code="id_in_use")


def etag(workspace: dict[str, Any]) -> str:
    """Of one workspace; the viewer's role and the bytes used change without a change of the workspace itself."""
    return f'"{workspace["revision"]}-{workspace["role"]}-{workspace["storage_used"]}"'
