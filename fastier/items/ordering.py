"""Finds the order key of an item that moves: beside another one, or at the end of its list."""

from uuid import UUID

from sqlalchemy import Connection, text

from fastier import positions
from fastier.errors import FieldError, Invalid
from fastier.items.schemas import Move
from fastier.workspaces.access import Access

# How many rows are spread out when a gap between two items has been halved too often.
SPREAD_ROWS = 200

_NEIGHBOURS = {
    "after": text(
        """SELECT a.position AS low, (SELECT min(n.position) FROM items n
            WHERE n.list_id = :list AND n.position > a.position AND n.id <> :id) AS high
        FROM items a WHERE a.id = :anchor AND a.list_id = :list AND a.deleted_at IS NULL"""
    ),
    "before": text(
        """SELECT a.position AS high, (SELECT max(n.position) FROM items n
            WHERE n.list_id = :list AND n.position < a.position AND n.id <> :id) AS low
        FROM items a WHERE a.id = :anchor AND a.list_id = :list AND a.deleted_at IS NULL"""
    ),
}
_NEXT_ROWS = text(
    """SELECT id, position FROM items WHERE list_id = :list AND position > :low AND id <> :id
    ORDER BY position, id LIMIT :limit"""
)
_SPREAD = text(
    """UPDATE items i SET position = s.position, revision = :revision
    FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS text[])) AS s (id, position) WHERE i.id = s.id"""
)


def position(connection: Connection, held: Access, list_id: UUID, id: UUID, move: Move) -> str:
    """The order key that puts the item where it goes; Invalid when its neighbour is not in the list."""
    anchor = move.before or move.after
    if anchor is None:
        return positions.last(held.revision)
    side = "before" if move.before else "after"
    found = _neighbours(connection, side, list_id, anchor, id) if anchor != id else None
    if found is None:
        detail = "There is no such other item in that list."
        raise Invalid(detail, errors=[FieldError(f"/{side}", detail)])
    low, high = found
    if low is None:
        return positions.first(held.revision)
    if high is None:
        return positions.last(held.revision)
    key = positions.between(low, high)
    return key if len(key) <= positions.LONGEST else _spread(connection, held, list_id, id, low)


def _neighbours(
    connection: Connection, side: str, list_id: UUID, anchor: UUID, id: UUID
) -> tuple[str | None, str | None] | None:
    """The order keys that `id` goes between, beside `anchor`; None when the anchor is not in the list."""
    parameters = {"list": str(list_id), "anchor": str(anchor), "id": str(id)}
    row = connection.execute(_NEIGHBOURS[side], parameters).one_or_none()
    return (row.low, row.high) if row else None


def _spread(connection: Connection, held: Access, list_id: UUID, id: UUID, low: str) -> str:
    """Make room after `low` by giving the rows that follow new keys; the first of them is for the moved item."""
    parameters = {"list": str(list_id), "low": low, "id": str(id), "limit": SPREAD_ROWS + 1}
    rows = connection.execute(_NEXT_ROWS, parameters).all()
    moved, beyond = rows[:SPREAD_ROWS], rows[SPREAD_ROWS:]
    high = beyond[0].position if beyond else positions.last(held.revision)
    keys = positions.spread(low, high, len(moved) + 1)
    spread = {"ids": [str(row.id) for row in moved], "positions": keys[1:], "revision": held.revision}
    connection.execute(_SPREAD, spread)
    return keys[0]
