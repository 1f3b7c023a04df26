"""Add sections, subtasks, assignees, recurrence, reminders, comments, invitations and activity."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "expand"

_NOW = sa.text("now()")
_LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    _sections()
    _items()
    _comments()
    _reminders()
    _invitations()
    _activities()
    _counters()


def _sections() -> None:
    op.create_table(
        "sections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.String(collation="C"), nullable=False),
        sa.Column("open_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id", "workspace_id"],
            ["lists.id", "lists.workspace_id"],
            name=op.f("fk_sections_list_id_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sections")),
        sa.UniqueConstraint("id", "list_id", name=op.f("uq_sections_id_list_id")),
    )
    op.create_index("ix_sections_live", "sections", ["list_id", "position", "id"], postgresql_where=_LIVE)
    op.create_index("ix_sections_workspace_id_revision", "sections", ["workspace_id", "revision"])
    op.create_index("ix_sections_trash", "sections", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL"))


def _items() -> None:
    for name in ("open_count", "done_count"):
        op.add_column("lists", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("items", sa.Column("section_id", sa.Uuid(), nullable=True))
    op.add_column("items", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column("items", sa.Column("assignee_id", sa.Uuid(), nullable=True))
    op.add_column("items", sa.Column("subtask_count", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("items", sa.Column("comment_count", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("items", sa.Column("rrule", sa.String(), nullable=True))
    op.add_column("items", sa.Column("recurrence_mode", sa.String(), nullable=True))
    op.add_column("items", sa.Column("recurrence_text", sa.String(), nullable=True))
    for name, definition in _ITEM_CONSTRAINTS.items():
        op.execute(f"ALTER TABLE items ADD CONSTRAINT {name} {definition} NOT VALID")


# Added without looking at the rows there are; migration 0006 validates them without keeping writers out.
_ITEM_CONSTRAINTS = {
    "fk_items_section_id_list_id": "FOREIGN KEY (section_id, list_id) REFERENCES sections (id, list_id)",
    "fk_items_parent_id_workspace_id": (
        "FOREIGN KEY (parent_id, workspace_id) REFERENCES items (id, workspace_id) ON DELETE CASCADE"
    ),
    "fk_items_workspace_id_assignee_id": (
        "FOREIGN KEY (workspace_id, assignee_id) REFERENCES members (workspace_id, user_id)"
        " ON DELETE SET NULL (assignee_id)"
    ),
    "ck_items_recurrence": (
        "CHECK ((rrule IS NULL) = (recurrence_mode IS NULL)"
        " AND (rrule IS NOT NULL OR recurrence_text IS NULL)"
        " AND (recurrence_mode IS NULL OR recurrence_mode IN ('schedule', 'completion')))"
    ),
}


def _comments() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["item_id", "workspace_id"],
            ["items.id", "items.workspace_id"],
            name=op.f("fk_comments_item_id_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_comments_author_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index("ix_comments_live", "comments", ["item_id", "id"], postgresql_where=_LIVE)
    op.create_index("ix_comments_workspace_id_revision", "comments", ["workspace_id", "revision"])
    op.create_index("ix_comments_author_id", "comments", ["author_id"])
    op.create_index("ix_comments_trash", "comments", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL"))


def _reminders() -> None:
    op.create_table(
        "reminders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("minutes_before", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("(minutes_before IS NULL) <> (at IS NULL)", name=op.f("ck_reminders_moment")),
        sa.ForeignKeyConstraint(
            ["item_id", "workspace_id"],
            ["items.id", "items.workspace_id"],
            name=op.f("fk_reminders_item_id_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reminders_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
    )
    op.create_index("ix_reminders_item_id", "reminders", ["item_id"])
    op.create_index("ix_reminders_user_id", "reminders", ["user_id"])
    op.create_index("ix_reminders_due", "reminders", ["fires_at"], postgresql_where=sa.text("fires_at IS NOT NULL"))


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(collation="C"), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'editor', 'viewer')", name=op.f("ck_invitations_role")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_invitations_workspace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("workspace_id", "email", name=op.f("uq_invitations_workspace_id_email")),
    )
    op.create_index("uq_invitations_digest", "invitations", ["digest"], unique=True)
    op.create_index("ix_invitations_expires_at", "invitations", ["expires_at"])
    op.create_index("ix_invitations_invited_by", "invitations", ["invited_by"])


def _activities() -> None:
    op.create_table(
        "activities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        # No foreign key: what was done to an item is still told when the item has been purged.
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_activities_workspace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_activities_actor_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
    )
    op.create_index("ix_activities_workspace_id_id", "activities", ["workspace_id", "id"])
    op.create_index(
        "ix_activities_item_id_id", "activities", ["item_id", "id"], postgresql_where=sa.text("item_id IS NOT NULL")
    )
    op.create_index("ix_activities_at", "activities", ["at"])
    op.create_index("ix_activities_actor_id", "activities", ["actor_id"])


# Statement triggers keep the counters true whichever way items are written: one by one, in bulk, by an import or a
# purge. A write that changes neither the place nor the state of an item updates nothing.
_DELTAS = {
    "INSERT": "SELECT list_id, section_id, completed_at, 1 AS sign FROM added WHERE deleted_at IS NULL",
    "DELETE": "SELECT list_id, section_id, completed_at, -1 AS sign FROM removed WHERE deleted_at IS NULL",
}
_DELTAS["UPDATE"] = f"{_DELTAS['INSERT']} UNION ALL {_DELTAS['DELETE']}"
_TABLES = {
    "INSERT": "NEW TABLE AS added",
    "DELETE": "OLD TABLE AS removed",
    "UPDATE": "OLD TABLE AS removed NEW TABLE AS added",
}
_COUNTED = """UPDATE {table} t SET open_count = t.open_count + d.opened, done_count = t.done_count + d.done
    FROM (SELECT {key} AS id, coalesce(sum(sign) FILTER (WHERE completed_at IS NULL), 0) AS opened,
            coalesce(sum(sign) FILTER (WHERE completed_at IS NOT NULL), 0) AS done
        FROM ({deltas}) changed WHERE {key} IS NOT NULL GROUP BY {key}) d
    WHERE t.id = d.id AND (d.opened <> 0 OR d.done <> 0);"""


def _counters() -> None:
    for event, deltas in _DELTAS.items():
        name = f"count_items_on_{event.lower()}"
        body = "\n    ".join(
            _COUNTED.format(table=table, key=key, deltas=deltas)
            for table, key in (("lists", "list_id"), ("sections", "section_id"))
        )
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n    {body}\n"
            "    RETURN NULL;\nEND $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON items REFERENCING {_TABLES[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    # What was there before. Making the triggers has locked the table against writers until this migration commits.
    op.execute(
        """UPDATE lists l SET open_count = c.opened, done_count = c.done
        FROM (SELECT list_id, count(*) FILTER (WHERE completed_at IS NULL) AS opened,
                count(*) FILTER (WHERE completed_at IS NOT NULL) AS done
            FROM items WHERE deleted_at IS NULL GROUP BY list_id) c
        WHERE l.id = c.list_id"""
    )


def downgrade() -> None:
    for event in _DELTAS:
        op.execute(f"DROP TRIGGER count_items_on_{event.lower()} ON items")
        op.execute(f"DROP FUNCTION count_items_on_{event.lower()}()")
    for name in reversed(_ITEM_CONSTRAINTS):
        op.execute(f"ALTER TABLE items DROP CONSTRAINT {name}")
    for column in (
        "section_id", "parent_id", "assignee_id", "subtask_count", "comment_count", "rrule", "recurrence_mode",
        "recurrence_text",
    ):  # fmt: skip
        op.drop_column("items", column)
    for column in ("open_count", "done_count"):
        op.drop_column("lists", column)
    for table in ("activities", "invitations", "reminders", "comments", "sections"):
        op.drop_table(table)
