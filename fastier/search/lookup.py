"""One statement that a filter is prepared by: who asks, what its names mean, and how many items each term has."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from fastier.errors import NotFound
from fastier.search.syntax import WILDCARD, AssignedTo, Due, Filter, Leaf, Named, Priority, Says, affirmed, leaves
from fastier.search.words import SHORTEST_DOUBLE_TYPO, allowed_distance, distance, fold, typos
from fastier.tags.queries import fold as fold_tag
from fastier.web.viewer import Viewer

# Each statement of this feature is planned by the code, which knows what is bounded: the server may neither read a
# whole table nor sort what an index has in order, nor spend longer on compiling a statement than on running it. SET
# LOCAL ends with the one request to the server in which both statements travel.
BOUNDED = """SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL enable_sort = off; SET LOCAL jit = off; """
# More items than this are not gathered and sorted, but read in the order that was asked for.
MOST_CANDIDATES = 5000
_MOST_NAMES = 1000
# How many words of the workspace one that was begun may stand for, and among how many they are chosen.
_MOST_COMPLETIONS = 100
_FEWEST_COMPLETIONS = 10
_MOST_BEGUN = 5000
_MOST_TYPOS = 5
# A word that is in fewer places than this may be a typo itself.
_RARE = 10


class Space(NamedTuple):
    """A workspace that the viewer belongs to."""

    id: str
    revision: int
    role: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """The words of the workspaces that one searched word may be, by their numbers; `uses` of all of them."""

    exact: list[int] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    meant: list[int] = field(default_factory=list)
    uses: int = 0

    @property
    def numbers(self) -> list[int]:
        return [*self.exact, *self.begun, *self.meant]


@dataclass(slots=True)
class Lookup:
    """What the database knows about a filter before it is run."""

    viewer: Viewer
    spaces: list[Space]
    ids: dict[Leaf, list[str]] = field(default_factory=dict)
    counts: dict[Leaf, int] = field(default_factory=dict)
    spellings: dict[str, Spelling] = field(default_factory=dict)


class _Question:
    """Collects the parts of the statement, and what to do with each column of its one row."""

    def __init__(self, viewer: Viewer, workspace_id: UUID | None, *, only_open: bool) -> None:
        self.only_open = only_open
        one = "AND w.id = :workspace" if workspace_id else ""
        self.ctes = [
            f"""spaces AS MATERIALIZED (SELECT w.id, w.revision, m.role FROM members m
            JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL {one} WHERE m.user_id = :viewer)"""
        ]
        self.columns = ["(SELECT json_agg(json_build_array(id, revision, role) ORDER BY id) FROM spaces)"]
        self.parameters: dict[str, Any] = {
            "viewer": str(viewer.user_id),
            "workspace": str(workspace_id),
            "most": MOST_CANDIDATES + 1,
        }
        self.takers: list[tuple[str, Any]] = []

    def ask(self, kind: str, key: Any, column: str) -> None:
        self.columns.append(column)
        self.takers.append((kind, key))

    def bind(self, value: Any) -> str:
        name = f"v{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def cte(self, sql: str) -> str:
        name = f"q{len(self.ctes)}"
        self.ctes.append(f"{name} AS MATERIALIZED ({sql})")
        return name


def look_up(
    connection: Connection,
    viewer: Viewer,
    workspace_id: UUID | None,
    wanted: Filter,
    *,
    uncounted: Collection[Leaf] = (),
    with_typos: bool = False,
) -> Lookup:
    """Prepare a filter on one workspace, or on all of the viewer's; NotFound for one that is not theirs.

    Counted are the items of each term that they can be gathered by, but for those that the caller has another use of.
    """
    question = _Question(viewer, workspace_id, only_open=wanted.is_open)
    found = dict.fromkeys(leaves(wanted.node))
    counted = set(affirmed(wanted.node)).difference(uncounted)
    for leaf in found:
        _ask_about(question, leaf, is_counted=leaf in counted)
    for word in dict.fromkeys(word for leaf in found if isinstance(leaf, Says) for word in leaf.words):
        _ask_spelling(question, word, with_typos=with_typos)
    statement = f"{BOUNDED}WITH {', '.join(question.ctes)} SELECT {', '.join(question.columns)}"
    spaces, *answers = connection.execute(text(statement), question.parameters).one()
    if workspace_id and not spaces:
        raise NotFound
    return _understood(Lookup(viewer, [Space(*space) for space in spaces or []]), question.takers, answers)


def _ask_about(question: _Question, leaf: Leaf, *, is_counted: bool) -> None:
    match leaf:
        case Named(kind="tag"):
            _ask_tag(question, leaf, is_counted=is_counted)
        case Named():
            _ask_place(question, leaf, is_counted=is_counted)
        case AssignedTo():
            _ask_people(question, leaf, is_counted=is_counted)
        case Due() if question.only_open and is_counted:
            condition = "i.completed_at IS NULL AND i.deleted_at IS NULL"
            first, end = (question.bind(day) for day in leaf.bounds)
            _ask_count(question, leaf, f"{condition} AND i.due_date >= {first} AND i.due_date < {end}")
        case Priority() if leaf.level < 4 and is_counted:
            level = question.bind(leaf.level)
            state = "" if question.only_open else ", true"
            condition = f"(i.completed_at IS NOT NULL) = ANY (ARRAY[false{state}]) AND i.deleted_at IS NULL"
            _ask_count(question, leaf, f"{condition} AND i.priority = {level}")


def _ask_count(question: _Question, leaf: Leaf, condition: str) -> None:
    items = f"SELECT FROM spaces s JOIN items i ON i.workspace_id = s.id AND {condition} LIMIT :most"
    question.ask("count", leaf, f"(SELECT count(*) FROM ({items}) counted)")


def _ask_tag(question: _Question, leaf: Named, *, is_counted: bool) -> None:
    name = _compared(question, "t.folded", leaf.pattern, fold_tag)
    tags = question.cte(
        f"""SELECT t.id FROM spaces s JOIN tags t ON t.workspace_id = s.id AND t.deleted_at IS NULL AND {name}
        LIMIT {_MOST_NAMES}"""
    )
    question.ask("ids", leaf, f"(SELECT array_agg(CAST(id AS text)) FROM {tags})")
    if is_counted:
        carried = f"SELECT FROM {tags} t JOIN item_tags c ON c.tag_id = t.id LIMIT :most"
        question.ask("count", leaf, f"(SELECT count(*) FROM ({carried}) counted)")


def _ask_place(question: _Question, leaf: Named, *, is_counted: bool) -> None:
    table = "lists" if leaf.kind == "list" else "sections"
    counted = "p.open_count" if question.only_open else "p.open_count + p.done_count"
    places = question.cte(
        f"""SELECT p.id, {counted} AS items FROM spaces s JOIN {table} p ON p.workspace_id = s.id
        AND p.deleted_at IS NULL AND {_compared(question, "search_fold(p.name)", leaf.pattern, fold)}
        LIMIT {_MOST_NAMES}"""
    )
    question.ask("ids", leaf, f"(SELECT array_agg(CAST(id AS text)) FROM {places})")
    if is_counted:
        question.ask("count", leaf, f"(SELECT sum(items) FROM {places})")


def _ask_people(question: _Question, leaf: AssignedTo, *, is_counted: bool) -> None:
    if leaf.who in ("others", "anybody"):
        if is_counted:
            _ask_count(question, leaf, "i.assignee_id IS NOT NULL")
        return
    condition = "m.user_id = :viewer"
    if leaf.who is None:
        name, address = question.bind(fold(leaf.name)), question.bind(leaf.name.lower())
        condition = f"(search_fold(u.name) = {name} OR u.email = {address})"
    people = question.cte(
        f"""SELECT DISTINCT u.id FROM spaces s JOIN members m ON m.workspace_id = s.id
        JOIN users u ON u.id = m.user_id WHERE {condition} LIMIT {_MOST_NAMES}"""
    )
    question.ask("ids", leaf, f"(SELECT array_agg(CAST(id AS text)) FROM {people})")
    if is_counted:
        _ask_count(question, leaf, f"i.assignee_id IN (SELECT id FROM {people})")


def _compared(question: _Question, column: str, pattern: str, folded: Any) -> str:
    if WILDCARD not in pattern:
        return f"{column} = {question.bind(folded(pattern))}"
    parts = (
        folded(part).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in pattern.split(WILDCARD)
    )
    return f"{column} LIKE {question.bind('%'.join(parts))}"


def _ask_spelling(question: _Question, word: str, *, with_typos: bool) -> None:
    here, beyond = question.bind(word), question.bind(word + chr(0x10FFFF))
    exact = question.cte(
        f"SELECT w.id, w.uses FROM spaces s JOIN search_words w ON w.workspace_id = s.id AND w.word = {here}"
    )
    begun = question.cte(
        f"""SELECT w.id, w.uses FROM spaces s CROSS JOIN LATERAL (
            SELECT x.id, x.uses FROM (SELECT id, uses FROM search_words
                WHERE workspace_id = s.id AND word > {here} AND word < {beyond} LIMIT {_MOST_BEGUN}) x
            ORDER BY x.uses DESC
            LIMIT greatest({_MOST_COMPLETIONS} / (SELECT count(*) FROM spaces), {_FEWEST_COMPLETIONS})) w"""
    )
    question.ask("exact", word, f"(SELECT json_agg(json_build_array(id, uses)) FROM {exact})")
    question.ask("begun", word, f"(SELECT json_agg(json_build_array(id, uses)) FROM {begun})")
    if with_typos and allowed_distance(word):
        meant = question.cte(
            _meant(question, word, here, f"(SELECT uses FROM {exact} UNION ALL SELECT uses FROM {begun})")
        )
        question.ask("meant", word, f"(SELECT json_agg(json_build_array(id, uses, word)) FROM {meant})")


def _meant(question: _Question, word: str, here: str, uses: str) -> str:
    """Words that this may be a typo of: looked for only when it is rare."""
    condition = f"w.word = ANY ({question.bind(typos(word))})"
    similar = ""
    if len(word) >= SHORTEST_DOUBLE_TYPO:
        similar = f"""UNION (SELECT w.id, w.uses, w.word FROM spaces s JOIN search_words w
            ON w.workspace_id = s.id AND w.word % {here} LIMIT {_MOST_NAMES})"""
    return f"""SELECT m.id, m.uses, m.word FROM (
            SELECT w.id, w.uses, w.word FROM spaces s JOIN search_words w ON w.workspace_id = s.id AND {condition}
            {similar}) m
        WHERE (SELECT coalesce(sum(u.uses), 0) FROM {uses} u) < {_RARE}"""


def _understood(lookup: Lookup, takers: list[tuple[str, Any]], answers: list[Any]) -> Lookup:
    spelled: dict[str, dict[str, list[list[Any]]]] = {}
    for (kind, key), answer in zip(takers, answers, strict=True):
        if kind == "ids":
            lookup.ids[key] = answer or []
        elif kind == "count":
            lookup.counts[key] = int(answer or 0)
        else:
            spelled.setdefault(key, {})[kind] = answer or []
    for word, found in spelled.items():
        lookup.spellings[word] = _spelling(word, found)
    return lookup


def _spelling(word: str, found: dict[str, list[list[Any]]]) -> Spelling:
    """The nearest words of those that may be meant; of two as near, the one that is used more."""
    near = sorted((distance(word, other), -uses, number) for number, uses, other in found.get("meant", []))
    meant = [(number, -uses) for away, uses, number in near if 0 < away <= allowed_distance(word)][:_MOST_TYPOS]
    exact, begun = found["exact"], found["begun"]
    total = sum(uses for _, uses in [*exact, *begun, *meant])
    return Spelling([number for number, _ in exact], [n for n, _ in begun], [n for n, _ in meant], total)
