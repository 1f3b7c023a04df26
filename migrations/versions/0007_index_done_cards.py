"""Index the completed items of each section, for the board that shows what is done."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
phase = "expand"

_DONE = "(list_id, section_id, completed_at, id) WHERE deleted_at IS NULL AND completed_at IS NOT NULL"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_items_board_done ON items {_DONE}")


def downgrade() -> None:
    op.execute("DROP INDEX IF EXISTS ix_items_board_done")
