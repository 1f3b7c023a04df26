"""Build the indexes of the last migrations beside writers, check what they added, and index the items there are.

None of it is done in the migrations that made the tables: each step here can be repeated, so that one which gives up
behind a long reader leaves nothing that stands in the way of the next try.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
phase = "expand"

_ITEM_INDEXES = {
    # The board: a column's open items, and those of no section.
    "ix_items_board": "(list_id, section_id, position, id) WHERE deleted_at IS NULL AND completed_at IS NULL",
    "ix_items_section": "(section_id) WHERE section_id IS NOT NULL",
    "ix_items_parent": "(parent_id, position, id) WHERE parent_id IS NOT NULL",
    "ix_items_assignee": "(workspace_id, assignee_id) WHERE assignee_id IS NOT NULL",
    "ix_items_due": (
        "(workspace_id, due_date, id) WHERE due_date IS NOT NULL AND deleted_at IS NULL AND completed_at IS NULL"
    ),
    "ix_items_workspace": "(workspace_id, id) WHERE deleted_at IS NULL AND completed_at IS NULL",
    "ix_items_changes": "(workspace_id, revision, id)",
}
# One for each order that a filter may ask for; open and completed items each have their part of it.
_ORDER_INDEXES = {
    "ix_items_by_due": (
        "(workspace_id, (completed_at IS NOT NULL), coalesce(due_date, 'infinity'::date), id) WHERE deleted_at IS NULL"
    ),
    "ix_items_by_priority": "(workspace_id, (completed_at IS NOT NULL), priority, id) WHERE deleted_at IS NULL",
    "ix_items_by_created": "(workspace_id, (completed_at IS NOT NULL), created_at, id) WHERE deleted_at IS NULL",
    "ix_items_by_title": (
        "(workspace_id, (completed_at IS NOT NULL), search_title_key(title), id) WHERE deleted_at IS NULL"
    ),
}
_CHANGES = {"ix_lists_changes": "lists", "ix_tags_changes": "tags", "ix_attachments_changes": "attachments"}
_CONSTRAINTS = (
    "fk_items_section_id_list_id",
    "fk_items_parent_id_workspace_id",
    "fk_items_workspace_id_assignee_id",
    "ck_items_recurrence",
)
# Items that were there before; one that is written meanwhile has its entry already. Each batch is committed by itself,
# so that no workspace's writers wait for more than one.
_INDEX_ALL = """DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
    batch uuid[];
BEGIN
    LOOP
        batch := ARRAY(SELECT i.id FROM items i WHERE i.id > last ORDER BY i.id LIMIT 2000);
        EXIT WHEN cardinality(batch) = 0;
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM FROM workspaces w WHERE w.id IN (SELECT i.workspace_id FROM items i WHERE i.id = ANY (batch))
            ORDER BY w.id FOR UPDATE;
        PERFORM search_remember(ARRAY(SELECT a.id FROM unnest(batch) AS a (id)
            WHERE NOT EXISTS (SELECT FROM search_entries e WHERE e.item_id = a.id)));
        last := batch[cardinality(batch)];
        COMMIT;
    END LOOP;
END $$"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, definition in (_ITEM_INDEXES | _ORDER_INDEXES).items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON items {definition}")
        for name, table in _CHANGES.items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} (workspace_id, revision)")
        for name in _CONSTRAINTS:
            op.execute(f"ALTER TABLE items VALIDATE CONSTRAINT {name}")
        op.execute(_INDEX_ALL)


def downgrade() -> None:
    for name in [*_ITEM_INDEXES, *_ORDER_INDEXES, *_CHANGES]:
        op.execute(f"DROP INDEX IF EXISTS {name}")
