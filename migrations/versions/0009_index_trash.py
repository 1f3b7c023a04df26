"""Index what was deleted by its workspace, for the page of the trash."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
phase = "expand"

_TABLES = ("lists", "sections", "tags", "items", "comments")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table in _TABLES:
            op.execute(
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_{table}_deleted"
                f" ON {table} (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL"
            )


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP INDEX IF EXISTS ix_{table}_deleted")
