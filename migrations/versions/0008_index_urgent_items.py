"""Index items that have a priority by their date, for filters such as p1."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
phase = "expand"

_URGENT = """(workspace_id, (completed_at IS NOT NULL), priority, coalesce(due_date, 'infinity'::date), id)
WHERE deleted_at IS NULL AND priority < 4"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_items_urgent ON items {_URGENT}")


def downgrade() -> None:
    op.execute("DROP INDEX IF EXISTS ix_items_urgent")
