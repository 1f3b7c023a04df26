"""Purges what has lain in the trash for a month, from the leaves to the root, in batches that nobody waits behind."""

from typing import Any

from sqlalchemy import TextClause, text

from fastier.jobs import Handler
from fastier.services import Services

PURGE = "trash.purge"
KEPT_DAYS = 30
BATCH = 500
# A job does so many batches of each kind; what is left is for the next one.
MOST_BATCHES = 200

_OLD = f"deleted_at < now() - interval '{KEPT_DAYS} days'"
# What holds an item back: its files go before it does, and its subtasks too.
_ALONE = """NOT EXISTS (SELECT FROM attachments a WHERE a.item_id = i.id)
    AND NOT EXISTS (SELECT FROM items c WHERE c.parent_id = i.id)"""


def _delete(table: str, rows: str) -> TextClause:
    return text(f"DELETE FROM {table} WHERE id IN ({rows} LIMIT :limit)")


# In this order: a workspace's lists and tags go into the trash with its own date; files of doomed items are marked
# for the sweeper; then items without files and subtasks, sections and lists without items, tags that nothing carries,
# and empty workspaces.
_STEPS: tuple[TextClause, ...] = (
    text(
        f"""UPDATE lists SET deleted_at = w.deleted_at FROM workspaces w WHERE lists.id IN (
            SELECT l.id FROM workspaces d JOIN lists l ON l.workspace_id = d.id
            WHERE d.{_OLD} AND (l.deleted_at IS NULL OR l.deleted_at > d.deleted_at) LIMIT :limit)
        AND w.id = lists.workspace_id"""
    ),
    text(
        f"""UPDATE tags SET deleted_at = w.deleted_at FROM workspaces w WHERE tags.id IN (
            SELECT t.id FROM workspaces d JOIN tags t ON t.workspace_id = d.id
            WHERE d.{_OLD} AND (t.deleted_at IS NULL OR t.deleted_at > d.deleted_at) LIMIT :limit)
        AND w.id = tags.workspace_id"""
    ),
    text(
        f"""WITH doomed AS (
            UPDATE attachments SET deleted_at = now() WHERE id IN (
                SELECT a.id FROM attachments a JOIN items i ON i.id = a.item_id JOIN lists l ON l.id = i.list_id
                WHERE a.deleted_at IS NULL AND (i.{_OLD} OR l.{_OLD}) LIMIT :limit) RETURNING workspace_id, size)
        UPDATE workspaces w SET storage_used = storage_used - f.size
        FROM (SELECT workspace_id, sum(size) AS size FROM doomed GROUP BY workspace_id) f WHERE w.id = f.workspace_id"""
    ),
    _delete("comments", f"SELECT c.id FROM comments c WHERE c.{_OLD}"),
    _delete("items", f"SELECT i.id FROM items i WHERE i.{_OLD} AND {_ALONE}"),
    _delete("items", f"SELECT i.id FROM lists l JOIN items i ON i.list_id = l.id WHERE l.{_OLD} AND {_ALONE}"),
    _delete(
        "sections",
        f"SELECT s.id FROM sections s WHERE s.{_OLD} AND NOT EXISTS (SELECT FROM items i WHERE i.section_id = s.id)",
    ),
    _delete(
        "lists", f"SELECT l.id FROM lists l WHERE l.{_OLD} AND NOT EXISTS (SELECT FROM items i WHERE i.list_id = l.id)"
    ),
    text(
        f"""DELETE FROM item_tags WHERE (item_id, tag_id) IN (
            SELECT c.item_id, c.tag_id FROM tags t JOIN item_tags c ON c.tag_id = t.id WHERE t.{_OLD} LIMIT :limit)"""
    ),
    _delete(
        "tags",
        f"SELECT t.id FROM tags t WHERE t.{_OLD} AND NOT EXISTS (SELECT FROM item_tags c WHERE c.tag_id = t.id)",
    ),
    _delete("activities", f"SELECT a.id FROM workspaces w JOIN activities a ON a.workspace_id = w.id WHERE w.{_OLD}"),
    _delete(
        "workspaces",
        f"""SELECT w.id FROM workspaces w WHERE w.{_OLD}
            AND NOT EXISTS (SELECT FROM lists l WHERE l.workspace_id = w.id)
            AND NOT EXISTS (SELECT FROM tags t WHERE t.workspace_id = w.id)
            AND NOT EXISTS (SELECT FROM activities a WHERE a.workspace_id = w.id)""",
    ),
)


def purge(services: Services, payload: dict[str, Any]) -> None:
    """Take every step until it finds nothing more, each batch in a transaction of its own."""
    for step in _STEPS:
        for _ in range(MOST_BATCHES):
            with services.database.transaction() as connection:
                if connection.execute(step, {"limit": BATCH}).rowcount == 0:
                    break


HANDLERS: dict[str, Handler] = {PURGE: purge}
