"""SQL for pages of items: of a list, of one of its sections or of none, and the subtasks of an item."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.items.queries import ITEM_COLUMNS, ITEM_TAGS, item_body

# Of a list: all its items, those of one section, or those of none; the last orders by the section too, since that is
# what lets PostgreSQL read its rows from the index in their order.
_PLACES = {
    "list": ("", ""),
    "section": ("AND section_id = CAST(:section AS uuid)", ""),
    "none": ("AND section_id IS NULL", "section_id {direction}, "),
}
# Which of them, in which order, and those after a key.
_KINDS = {
    "false": (
        "AND completed_at IS NULL",
        ("position", "id"),
        "ASC",
        "AND (position, id) > (:key, CAST(:id AS uuid))",
    ),
    "true": (
        "AND completed_at IS NOT NULL",
        ("completed_at", "id"),
        "DESC",
        "AND (completed_at, id) < (CAST(:key AS timestamptz), CAST(:id AS uuid))",
    ),
    "any": ("", ("position", "id"), "ASC", "AND (position, id) > (:key, CAST(:id AS uuid))"),
}


def _page(where: str, order: str) -> TextClause:
    return text(
        f"""SELECT {ITEM_COLUMNS} FROM (SELECT * FROM items
            WHERE {where} ORDER BY {order} LIMIT :limit) i {ITEM_TAGS}
        ORDER BY {order}"""
    )


def _of_list(place: str, kind: str, *, is_continued: bool) -> TextClause:
    here, prefix = _PLACES[place]
    state, keys, direction, after = _KINDS[kind]
    order = prefix.format(direction=direction) + ", ".join(f"{key} {direction}" for key in keys)
    where = f"list_id = :list {here} AND deleted_at IS NULL {state} {after if is_continued else ''}"
    return _page(where, order)


_PAGES = {
    (place, kind, is_continued): _of_list(place, kind, is_continued=is_continued)
    for place in _PLACES
    for kind in _KINDS
    for is_continued in (False, True)
}
_COUNTS = {
    (place, kind): text(
        f"""SELECT count(*) FROM (SELECT FROM items WHERE list_id = :list {here} AND deleted_at IS NULL {state}
        LIMIT :cap) counted"""
    )
    for place, (here, _) in _PLACES.items()
    for kind, (state, *_) in _KINDS.items()
}
_OF_PARENT = "parent_id = :parent AND deleted_at IS NULL"
_SUBTASKS = {
    False: _page(_OF_PARENT, "position, id"),
    True: _page(f"{_OF_PARENT} AND (position, id) > (:key, CAST(:id AS uuid))", "position, id"),
}
_COUNT_SUBTASKS = text(f"SELECT count(*) FROM (SELECT FROM items WHERE {_OF_PARENT} LIMIT :cap) counted")


def _place(section: str | None) -> str:
    return "list" if section is None else "none" if section == "none" else "section"


def page(
    connection: Connection, list_id: UUID, section: str | None, completed: str, after: list[Any] | None, limit: int
) -> list[dict[str, Any]]:
    """Items of a list to which the viewer's access has been checked, after the given sort key.

    section: the id of one, `none` for items of no section, None for all.
    """
    parameters: dict[str, Any] = {"list": str(list_id), "section": section, "limit": limit}
    statement = _PAGES[_place(section), completed, after is not None]
    return _rows(connection, statement, parameters, after)


def count(connection: Connection, list_id: UUID, section: str | None, completed: str, cap: int) -> int:
    parameters = {"list": str(list_id), "section": section, "cap": cap}
    return int(connection.execute(_COUNTS[_place(section), completed], parameters).scalar_one())


def subtasks(connection: Connection, item_id: UUID, after: list[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The subtasks, completed ones too, of an item to which the viewer's access has been checked."""
    parameters: dict[str, Any] = {"parent": str(item_id), "limit": limit}
    return _rows(connection, _SUBTASKS[after is not None], parameters, after)


def count_subtasks(connection: Connection, item_id: UUID, cap: int) -> int:
    return int(connection.execute(_COUNT_SUBTASKS, {"parent": str(item_id), "cap": cap}).scalar_one())


def _rows(
    connection: Connection, statement: TextClause, parameters: dict[str, Any], after: list[Any] | None
) -> list[dict[str, Any]]:
    if after:
        parameters |= {"key": after[0], "id": after[1]}
    return [item_body(row) for row in connection.execute(statement, parameters).all()]
