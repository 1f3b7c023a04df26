"""SQL about what has changed: every kind of thing by revision, in one statement a page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.attachments.schemas import Attachment
from fastier.comments.schemas import Comment
from fastier.items.queries import ITEM_COLUMNS, ITEM_TAGS, item_body
from fastier.lists.schemas import List
from fastier.members.schemas import Member
from fastier.search.lookup import BOUNDED
from fastier.sections.schemas import Section
from fastier.tags.schemas import Tag
from fastier.web.viewer import Viewer
from fastier.workspaces.schemas import Workspace

# How long those who left are remembered: as long as the trash keeps what else was deleted.
KEPT_DAYS = 30
_LOWEST, _HIGHEST = str(UUID(int=0)), str(UUID(int=2**128 - 1))
_NOWHERE = """CAST('' AS text) COLLATE "C\""""


@dataclass(frozen=True, slots=True)
class Window:
    """Which changes are wanted: those after `base` up to `target`, and of them those behind `place`."""

    base: int
    target: int
    place: tuple[int, int, str, str, str] | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of thing: its columns as its own feature shows them, and the joins that they need."""

    name: str
    columns: tuple[str, ...]
    joins: str
    body: Callable[[Any], dict[str, Any]]


def _kind(name: str, schema: Any, alias: str, joins: str, /, **other: str) -> _Kind:
    fields = tuple(schema.model_fields)
    columns = tuple(other.get(field, f"{alias}.{field}") for field in fields)
    return _Kind(name, columns, joins, lambda row: dict(zip(fields, row, strict=True)))


def _of(name: str) -> str:
    """The id of an event, if it is about such a thing: else nothing is looked up."""
    return f"CASE WHEN e.kind = '{name}' THEN e.id END"


_KINDS = {
    kind.name: kind
    for kind in (
        _kind(
            "workspace",
            Workspace,
            "w",
            f"""LEFT JOIN workspaces w ON w.id = {_of("workspace")}
            LEFT JOIN members v ON v.workspace_id = w.id AND v.user_id = :viewer""",
            role="v.role",
        ),
        _kind(
            "member",
            Member,
            "m",
            f"""LEFT JOIN members m ON m.workspace_id = :workspace AND m.user_id = {_of("member")}
            LEFT JOIN users u ON u.id = m.user_id""",
            name="u.name",
            email="u.email",
            joined_at="m.created_at",
        ),
        _kind("list", List, "l", f"LEFT JOIN lists l ON l.id = {_of('list')}"),
        _kind("section", Section, "s", f"LEFT JOIN sections s ON s.id = {_of('section')}"),
        _kind("tag", Tag, "t", f"LEFT JOIN tags t ON t.id = {_of('tag')}"),
        _kind(
            "comment",
            Comment,
            "c",
            f"""LEFT JOIN comments c ON c.id = {_of("comment")}
            LEFT JOIN users a ON a.id = c.author_id""",
            author_name="a.name",
        ),
        _kind("attachment", Attachment, "f", f"LEFT JOIN attachments f ON f.id = {_of('attachment')}"),
        # The last, since only its own feature knows how many columns it has.
        _Kind("item", (ITEM_COLUMNS,), f"LEFT JOIN items i ON i.id = {_of('item')} {ITEM_TAGS}", item_body),
    )
}


def _changed(rank: int, kind: str, table: str, *, id: str = "id", revision: str = "revision", gone: str) -> str:
    """Things that were written themselves, in the order of their revisions."""
    return f"""(SELECT x.{revision} AS revision, {rank} AS rank, CAST('{_LOWEST}' AS uuid) AS parent,
            {_NOWHERE} AS place, x.{id} AS id, '{kind}' AS kind, {gone} AS is_gone
        FROM {table} WHERE x.{"id" if table.startswith("workspaces") else "workspace_id"} = :workspace
          AND (x.{revision}, x.{id}) > (:revision, CAST(:id_{rank} AS uuid)) AND x.{revision} <= :target
          AND (:base > 0 OR NOT {gone})
        ORDER BY x.{revision}, x.{id} LIMIT :limit)"""


_IN_LIVE_LIST = "EXISTS (SELECT FROM lists h WHERE h.id = x.list_id AND h.deleted_at IS NULL)"
_ITEM_GONE = f"(x.deleted_at IS NOT NULL OR NOT {_IN_LIVE_LIST})"
_DELETED = "(x.deleted_at IS NOT NULL)"


def _touched(rank: int, outer: str, revision: str, inner: str, place: str, id: str) -> str:
    """Items that look different though nobody wrote to them: their list went or came back, or a tag has changed.

    Those that were written since `base` themselves are told by that.
    """
    is_resumed = f"(o.{revision}, o.id) = (:revision, CAST(:parent_{rank} AS uuid))"
    return f"""(SELECT o.{revision}, {rank}, o.id, x.place, x.id, 'item', {_ITEM_GONE}
        FROM {outer} o CROSS JOIN LATERAL (
            SELECT x.id, x.list_id, x.deleted_at, {place} AS place FROM {inner}
              AND x.deleted_at IS NULL AND x.revision <= :base
              AND ({place}, {id}) > (CASE WHEN {is_resumed} THEN :place ELSE '' END,
                CASE WHEN {is_resumed} THEN CAST(:id_{rank} AS uuid) ELSE CAST('{_LOWEST}' AS uuid) END)
            ORDER BY {place}, {id} LIMIT :limit) x
        WHERE :base > 0 AND o.workspace_id = :workspace AND o.{revision} <= :target
          AND (o.{revision}, o.id) >= (:revision, CAST(:parent_{rank} AS uuid)) AND o.{revision} > :base
        ORDER BY 1, 3, 4, 5 LIMIT :limit)"""


_BRANCHES = (
    _changed(0, "workspace", "workspaces x", revision="changed_at_revision", gone="false"),
    _changed(1, "member", "members x", id="user_id", gone="false"),
    _changed(2, "member", "former_members x", id="user_id", gone="true"),
    _changed(3, "list", "lists x", gone=_DELETED),
    _changed(4, "section", "sections x", gone=_DELETED),
    _changed(5, "tag", "tags x", gone=_DELETED),
    _changed(6, "item", "items x", gone=_ITEM_GONE),
    _touched(7, "lists", "hidden_or_shown_at", "items x WHERE x.list_id = o.id", "x.position", "x.id"),
    _touched(
        8,
        "tags",
        "revision",
        "item_tags y JOIN items x ON x.id = y.item_id WHERE y.tag_id = o.id",
        _NOWHERE,
        "y.item_id",
    ),
    _changed(9, "comment", "comments x", gone=_DELETED),
    _changed(10, "attachment", "attachments x", gone="(x.deleted_at IS NOT NULL OR x.status <> 'ready')"),
)


def _statement() -> TextClause:
    columns = ", ".join(column for kind in _KINDS.values() for column in kind.columns)
    joins = "\n    ".join(kind.joins for kind in _KINDS.values())
    branches = "\n    UNION ALL ".join(_BRANCHES)
    return text(
        f"""{BOUNDED}WITH e AS MATERIALIZED (
        SELECT * FROM ({branches}) found ORDER BY revision, rank, parent, place COLLATE "C", id LIMIT :limit)
    SELECT e.kind, e.is_gone, e.revision, e.rank, CAST(e.parent AS text), e.place, CAST(e.id AS text), {columns}
    FROM e {joins} ORDER BY e.revision, e.rank, e.parent, e.place COLLATE "C", e.id"""
    )


_CHANGES = _statement()
# What stands before the columns of the kinds: whether it is gone, and its place.
_HEAD = 7
_PURGE = text(
    f"""DELETE FROM former_members WHERE (workspace_id, user_id) IN (
        SELECT workspace_id, user_id FROM former_members WHERE left_at < now() - interval '{KEPT_DAYS} days'
        LIMIT :limit)"""
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something of a kind that changed, or `body` None for one that is gone; `place` is where it stands."""

    kind: str
    id: str
    body: dict[str, Any] | None
    place: tuple[int, int, str, str, str]


def changes(connection: Connection, viewer: Viewer, workspace_id: UUID, window: Window, limit: int) -> list[Event]:
    """The changes of a workspace to which the viewer's access has been checked, the oldest first."""
    revision, rank, parent, place, id = window.place or (window.base, len(_BRANCHES), _HIGHEST, "", _HIGHEST)
    parameters: dict[str, Any] = {
        "viewer": str(viewer.user_id),
        "workspace": str(workspace_id),
        "base": window.base,
        "target": window.target,
        "revision": revision,
        "place": place,
        "limit": limit,
    }
    for branch in range(len(_BRANCHES)):
        # Of the same revision, what comes before the place has been told, and what comes behind it has not.
        beyond = _HIGHEST if branch < rank else _LOWEST
        parameters[f"id_{branch}"] = id if branch == rank else beyond
        parameters[f"parent_{branch}"] = parent if branch == rank else beyond
    return [_event(tuple(row)) for row in connection.execute(_CHANGES, parameters).all()]


def _event(row: tuple[Any, ...]) -> Event:
    kind, is_gone, revision, rank, parent, place, id = row[:_HEAD]
    begin = _HEAD
    for name, other in _KINDS.items():
        if name == kind:
            end = begin + len(other.columns) if name != "item" else len(row)
            body = None if is_gone else {"type": kind, **other.body(row[begin:end])}
            return Event(kind, id, body, (revision, rank, parent, place, id))
        begin += len(other.columns)
    raise AssertionError("every branch has a kind")


def purge(connection: Connection, limit: int) -> int:
    """Forget who left more than a month ago; how many that were."""
    return connection.execute(_PURGE, {"limit": limit}).rowcount
