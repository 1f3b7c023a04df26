"""Turns the tree of a filter into a condition on items, with every value bound."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from fastier.search.lookup import Lookup
from fastier.search.syntax import (
    And,
    AssignedTo,
    Created,
    Done,
    Due,
    Everything,
    Filter,
    Leaf,
    Named,
    NoDate,
    Node,
    Not,
    NoTags,
    Or,
    Priority,
    Recurring,
    Says,
    Subtask,
    leaves,
)

# One value of the item, so that no plan can begin with all that carry a tag.
_TAGGED = "((SELECT true FROM item_tags c WHERE c.item_id = i.id AND c.tag_id = ANY ({}) LIMIT 1) IS NOT NULL)"
_UNTAGGED = """((SELECT true FROM item_tags c JOIN tags t ON t.id = c.tag_id AND t.deleted_at IS NULL
        WHERE c.item_id = i.id LIMIT 1) IS NULL)"""
# So many keys are compared faster than they are hashed.
_FEW_KEYS = 40
_WORDS = "LEFT JOIN search_entries e ON e.item_id = i.id"


@dataclass(slots=True)
class Values:
    """The parameters of a statement; each is named as it is bound."""

    all: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any, type: str = "") -> str:
        name = f"v{len(self.all)}"
        self.all[name] = value
        return f"CAST(:{name} AS {type})" if type else f":{name}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on items called `i`, and the joins that it reads."""

    sql: str
    joins: str


def condition_of(wanted: Filter, lookup: Lookup, zone: ZoneInfo, values: Values) -> Condition:
    """Which items are meant; those of deleted lists never, and completed ones only where the filter speaks of them."""
    named = list(leaves(wanted.node))
    joins = ["JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL"]
    if any(isinstance(leaf, Says) for leaf in named):
        joins.append(_WORDS)
    state = " AND i.completed_at IS NULL" if wanted.is_open else ""
    sql = _Compiler(lookup, zone, values).sql(wanted.node)
    return Condition(f"i.deleted_at IS NULL{state} AND {sql}", "\n    ".join(joins))


def keys_of(numbers: list[int]) -> list[int]:
    """What entries hold for these words, in the title or in the notes."""
    return [key for number in numbers for key in (number * 2, number * 2 + 1)]


def moment(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins there; the first and the last days that can be named begin nowhere else than in UTC."""
    if day.year in (date.min.year, date.max.year):
        zone = ZoneInfo("UTC")
    return datetime.combine(day, time(), zone)


@dataclass(frozen=True, slots=True)
class _Compiler:
    """What every part of the tree needs to be written."""

    lookup: Lookup
    zone: ZoneInfo
    values: Values

    def sql(self, node: Node) -> str:
        match node:
            case And(parts):
                return f"({' AND '.join(self.sql(part) for part in parts)})"
            case Or(parts):
                return f"({' OR '.join(self.sql(part) for part in parts)})"
            case Not(part):
                return f"NOT {self.sql(part)}"
            case _:
                return self._leaf(node)

    def _leaf(self, leaf: Leaf) -> str:
        """Never null, so that what is not there can be asked for with `!`."""
        match leaf:
            case Everything():
                return "true"
            case Done():
                return "(i.completed_at IS NOT NULL)"
            case NoDate():
                return "(i.due_date IS NULL)"
            case Subtask():
                return "(i.parent_id IS NOT NULL)"
            case Recurring():
                return "(i.rrule IS NOT NULL)"
            case NoTags():
                return _UNTAGGED
            case Priority(level):
                return f"(i.priority = {self.values.bind(level)})"
            case Due():
                return self._between("i.due_date", *leaf.bounds, "date")
            case Created(first, end):
                begins, ends = (day and moment(day, self.zone) for day in (first, end))
                return self._between("i.created_at", begins, ends, "timestamptz")
            case Says():
                return self._says(leaf)
            case AssignedTo(who="anybody"):
                return "(i.assignee_id IS NOT NULL)"
            case AssignedTo(who="others"):
                viewer = self.values.bind(str(self.lookup.viewer.user_id), "uuid")
                return f"coalesce(i.assignee_id <> {viewer}, false)"
            case _:
                return self._named(leaf)

    def _between(self, column: str, first: Any, end: Any, type: str) -> str:
        bounds = [f"{column} >= {self.values.bind(first, type)}"] if first else []
        bounds += [f"{column} < {self.values.bind(end, type)}"] if end else []
        return f"coalesce({' AND '.join(bounds)}, false)"

    def _says(self, leaf: Says) -> str:
        groups = (keys_of(self.lookup.spellings[word].numbers) for word in leaf.words)
        return f"({' AND '.join(self._says_one(keys) for keys in groups)})"

    def _says_one(self, keys: list[int]) -> str:
        bound = self.values.bind(keys, "bigint[]")
        if len(keys) <= _FEW_KEYS:
            return f"coalesce(e.keys && {bound}, false)"
        # The server compares each key with each, unless it may hash them.
        return f"EXISTS (SELECT FROM unnest(e.keys) found (key) WHERE found.key = ANY ({bound}))"

    def _named(self, leaf: Leaf) -> str:
        ids = self.values.bind(self.lookup.ids[leaf], "uuid[]")
        if isinstance(leaf, AssignedTo):
            return f"coalesce(i.assignee_id = ANY ({ids}), false)"
        assert isinstance(leaf, Named)
        if leaf.kind == "tag":
            return _TAGGED.format(ids)
        return f"coalesce(i.{leaf.kind}_id = ANY ({ids}), false)"
