"""Add the words of items, kept by triggers, the orders in which filters read items, and what sync must know of lists
and members."""

import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    _functions()
    _tables()
    _item_triggers()
    _sync()


# Which characters a word is made of, once it is folded; each sign of Chinese and Japanese is a word of its own. The
# application splits what people search for by the same expression, see fastier/search/words.py.
SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
LETTERS = (
    r"0-9a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2c00-\u2dff\u3100-\u33ff\ua000-\ud7ff"
    r"\ufb00-\ufdff\ufe70-\ufefe\U00010000-\U0001efff\U00020000-\U0003ffff"
)
WORD = f"[{SIGNS}]|[{LETTERS}]+"
# Longer than any word that people write; what is longer is found by its beginning.
LONGEST_WORD = 40
# What is searched of the notes, in characters: a write stays cheap however long they are.
SEARCHED_NOTES = 20_000


def _capitals() -> tuple[str, str]:
    """Capital letters that stay when accents are taken off, and their small ones: no locale is asked."""
    capitals = [
        letter
        for letter in map(chr, range(0x80, 0x600))
        if unicodedata.normalize("NFKD", letter) == letter and letter.lower() != letter and len(letter.lower()) == 1
    ]
    return "".join(capitals), "".join(letter.lower() for letter in capitals)


def _functions() -> None:
    capitals, small = _capitals()
    op.execute(
        rf"""CREATE FUNCTION search_fold(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(value) = length(value) THEN
        RETURN lower(value COLLATE "C");
    END IF;
    RETURN lower(translate(
        regexp_replace(normalize(value, NFKD) COLLATE "C", '[\u0300-\u036f]', '', 'g'),
        '{capitals}', '{small}'
    ) COLLATE "C");
END $$"""
    )
    op.execute(
        # Bound when it is made: whoever keeps the index looks for no function by its name.
        """CREATE FUNCTION search_title_key(title varchar) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN convert_to(search_fold(left(title, 100)), 'UTF8')"""
    )
    op.execute(
        rf"""CREATE FUNCTION search_words_of(value text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    folded text COLLATE "C" := search_fold(value);
BEGIN
    IF octet_length(folded) = length(folded) THEN
        RETURN ARRAY(SELECT DISTINCT left(m[1], {LONGEST_WORD}) FROM regexp_matches(folded, '[0-9a-z]+', 'g') m);
    END IF;
    RETURN ARRAY(SELECT DISTINCT left(m[1], {LONGEST_WORD}) FROM regexp_matches(folded, '{WORD}', 'g') m);
END $$"""
    )


def _tables() -> None:
    op.create_table(
        "search_words",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(collation="C"), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_search_words_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_words")),
        sa.UniqueConstraint("workspace_id", "word", name=op.f("uq_search_words_workspace_id_word")),
        # Counts are rewritten by every write: free space on the page keeps that update in place.
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_search_words_trigrams",
        "search_words",
        ["workspace_id", "word"],
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    )
    op.create_table(
        "search_entries",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_search_entries")),
    )
    op.create_index(
        "ix_search_entries_keys",
        "search_entries",
        ["keys"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


# A word has one number in its workspace; an item's entry holds 2 × number for a word of its title and 2 × number + 1
# for one of its notes. So what one workspace asks for never meets what another has.
_REMEMBER = f"""CREATE FUNCTION search_remember(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    WITH texts AS (
        SELECT i.id, i.workspace_id, i.title, i.notes FROM unnest(ids) AS a (id) JOIN items i ON i.id = a.id),
    found AS MATERIALIZED (
        SELECT t.id, t.workspace_id, 0 AS place, w.word FROM texts t, unnest(search_words_of(t.title)) AS w (word)
        UNION ALL
        SELECT t.id, t.workspace_id, 1, w.word
        FROM texts t, unnest(search_words_of(left(t.notes, {SEARCHED_NOTES}))) AS w (word)),
    known AS (
        INSERT INTO search_words AS s (workspace_id, word, uses)
        SELECT workspace_id, word, count(*) FROM found GROUP BY workspace_id, word ORDER BY workspace_id, word
        ON CONFLICT (workspace_id, word) DO UPDATE SET uses = s.uses + excluded.uses
        RETURNING s.id, s.workspace_id, s.word)
    INSERT INTO search_entries (item_id, keys)
    SELECT f.id, array_agg(k.id * 2 + f.place ORDER BY k.id, f.place)
    FROM found f JOIN known k ON k.workspace_id = f.workspace_id AND k.word = f.word COLLATE "C" GROUP BY f.id
$$"""
_FORGET = """CREATE FUNCTION search_forget(ids uuid[]) RETURNS bigint[] LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM search_entries e USING unnest(ids) AS a (id) WHERE e.item_id = a.id RETURNING e.keys),
    counted AS (
        SELECT w.id, c.uses FROM search_words w
        JOIN (SELECT k / 2 AS id, count(*) AS uses FROM gone, unnest(gone.keys) k GROUP BY k / 2) c ON c.id = w.id
        ORDER BY w.workspace_id, w.word FOR UPDATE OF w),
    lowered AS (
        UPDATE search_words w SET uses = w.uses - c.uses FROM counted c WHERE w.id = c.id RETURNING w.id)
    SELECT array_agg(id) FROM lowered
$$"""
_DROP_UNUSED = "DELETE FROM search_words WHERE id = ANY (touched) AND uses <= 0;"
_TRIGGERS = {
    "INSERT": ("NEW TABLE AS added", "", "PERFORM search_remember(ARRAY(SELECT id FROM added));"),
    "UPDATE": (
        "OLD TABLE AS removed NEW TABLE AS added",
        "changed uuid[] := ARRAY(SELECT a.id FROM added a JOIN removed r ON r.id = a.id"
        " WHERE a.title <> r.title OR a.notes <> r.notes);\n    touched bigint[];",
        "IF cardinality(changed) > 0 THEN\n        touched := search_forget(changed);\n"
        f"        PERFORM search_remember(changed);\n        {_DROP_UNUSED}\n    END IF;",
    ),
    "DELETE": (
        "OLD TABLE AS removed",
        "touched bigint[];",
        f"touched := search_forget(ARRAY(SELECT id FROM removed));\n    {_DROP_UNUSED}",
    ),
}


def _item_triggers() -> None:
    op.execute(_REMEMBER)
    op.execute(_FORGET)
    for event, (tables, variables, body) in _TRIGGERS.items():
        name = f"search_items_on_{event.lower()}"
        declared = f"DECLARE\n    {variables}\n" if variables else ""
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n{declared}BEGIN\n    {body}\n"
            "    RETURN NULL;\nEND $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON items REFERENCING {tables} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def _sync() -> None:
    """The revision at which a list last went or came back, with its items; the one at which a member changed."""
    op.add_column(
        "lists", sa.Column("hidden_or_shown_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("members", sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "former_members",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_former_members_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name=op.f("pk_former_members")),
    )
    op.create_index("ix_former_members_left_at", "former_members", ["left_at"])
    for name, (event, body) in _SYNC_TRIGGERS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n    {body}\nEND $$")
        op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION {name}()")


_SYNC_TRIGGERS = {
    "lists_hidden_or_shown": (
        "BEFORE UPDATE ON lists FOR EACH ROW WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))",
        "NEW.hidden_or_shown_at := NEW.revision;\n    RETURN NEW;",
    ),
    # Whoever changes members has taken the workspace's revision before.
    "members_changed": (
        "BEFORE INSERT OR UPDATE ON members FOR EACH ROW",
        """NEW.revision := coalesce((SELECT w.revision FROM workspaces w WHERE w.id = NEW.workspace_id), 1);
    IF TG_OP = 'INSERT' THEN
        DELETE FROM former_members WHERE workspace_id = NEW.workspace_id AND user_id = NEW.user_id;
    END IF;
    RETURN NEW;""",
    ),
    "members_left": (
        "AFTER DELETE ON members FOR EACH ROW",
        """INSERT INTO former_members (workspace_id, user_id, revision)
        SELECT w.id, OLD.user_id, w.revision FROM workspaces w WHERE w.id = OLD.workspace_id
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET revision = excluded.revision, left_at = now();
    RETURN NULL;""",
    ),
}


def downgrade() -> None:
    for name, (event, _) in _SYNC_TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {'lists' if ' lists ' in event else 'members'}")
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("former_members")
    op.drop_column("members", "revision")
    op.drop_column("lists", "hidden_or_shown_at")
    for event in _TRIGGERS:
        op.execute(f"DROP TRIGGER search_items_on_{event.lower()} ON items")
        op.execute(f"DROP FUNCTION search_items_on_{event.lower()}()")
    op.execute("DROP FUNCTION search_forget(uuid[])")
    op.execute("DROP FUNCTION search_remember(uuid[])")
    op.drop_table("search_entries")
    op.drop_table("search_words")
    op.execute("DROP FUNCTION search_words_of(text)")
    op.execute("DROP FUNCTION search_title_key(varchar)")
    op.execute("DROP FUNCTION search_fold(text)")
