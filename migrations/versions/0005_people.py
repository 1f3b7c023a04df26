"""Add the indexes by which a purge finds an item's comments, and a deletion a person's files."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "expand"

# What a foreign key looks up when the row that it names is deleted.
_INDEXES = {"ix_comments_item_id": "comments (item_id)", "ix_attachments_created_by": "attachments (created_by)"}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, definition in _INDEXES.items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")


def downgrade() -> None:
    for name in _INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {name}")
