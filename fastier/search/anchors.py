"""Finds the part of a filter that few items satisfy, from which the others are then tested."""

from dataclasses import dataclass

from fastier.search.conditions import Values, keys_of
from fastier.search.lookup import Lookup
from fastier.search.syntax import And, AssignedTo, Due, Filter, Leaf, Named, Node, Not, Or, Priority, Says


@dataclass(frozen=True, slots=True)
class Anchor:
    """Terms one of which every item of the result satisfies, and how many items that are at most."""

    count: int
    terms: tuple[Leaf, ...]


def anchor_of(node: Node, lookup: Lookup) -> Anchor | None:
    """The smallest anchor of a tree; None when every item may satisfy it."""
    match node:
        case And(parts):
            found = [anchor for part in parts if (anchor := anchor_of(part, lookup))]
            return min(found, key=lambda anchor: anchor.count, default=None)
        case Or(parts):
            each = [anchor_of(part, lookup) for part in parts]
            if any(anchor is None for anchor in each):
                return None
            known = [anchor for anchor in each if anchor]
            return Anchor(sum(a.count for a in known), tuple(term for a in known for term in a.terms))
        case Not():
            return None
        case Says(words):
            return Anchor(min(lookup.spellings[word].uses for word in words), (node,))
        case _:
            return Anchor(lookup.counts[node], (node,)) if node in lookup.counts else None


def candidates(anchor: Anchor, wanted: Filter, lookup: Lookup, values: Values) -> str:
    """SQL that gives the ids of the anchor's items, some of them perhaps twice."""
    return " UNION ALL ".join(
        f"(SELECT c.id FROM ({_source(term, wanted, lookup, values)}) c)" for term in dict.fromkeys(anchor.terms)
    )


def _source(term: Leaf, wanted: Filter, lookup: Lookup, values: Values) -> str:
    is_open = "AND x.completed_at IS NULL" if wanted.is_open else ""
    of_spaces = f"FROM {spaces(lookup, values)} s(id) JOIN items x ON x.workspace_id = s.id AND x.deleted_at IS NULL"
    match term:
        case Says(words):
            groups = (values.bind(keys_of(lookup.spellings[word].numbers), "bigint[]") for word in words)
            return (
                f"SELECT e.item_id AS id FROM search_entries e WHERE {' AND '.join(f'e.keys && {g}' for g in groups)}"
            )
        case Due():
            first, end = (values.bind(day, "date") for day in term.bounds)
            return (
                f"SELECT x.id {of_spaces} AND x.completed_at IS NULL AND x.due_date >= {first} AND x.due_date < {end}"
            )
        case Priority(level):
            states = values.bind([False] if wanted.is_open else [False, True], "boolean[]")
            return (
                f"SELECT x.id {of_spaces} AND (x.completed_at IS NOT NULL) = ANY ({states})"
                f" AND x.priority = {values.bind(level)}"
            )
        case AssignedTo(who="others" | "anybody"):
            return f"SELECT x.id {of_spaces} AND x.assignee_id IS NOT NULL"
        case AssignedTo():
            return f"SELECT x.id {of_spaces} AND x.assignee_id = ANY ({values.bind(lookup.ids[term], 'uuid[]')})"
        case Named(kind="tag"):
            ids = values.bind(lookup.ids[term], "uuid[]")
            return f"SELECT c.item_id AS id FROM item_tags c WHERE c.tag_id = ANY ({ids})"
    assert isinstance(term, Named)
    ids = values.bind(lookup.ids[term], "uuid[]")
    return f"SELECT x.id FROM items x WHERE x.{term.kind}_id = ANY ({ids}) AND x.deleted_at IS NULL {is_open}"


def spaces(lookup: Lookup, values: Values) -> str:
    """The workspaces of a lookup as rows."""
    return f"unnest({values.bind([space.id for space in lookup.spaces], 'uuid[]')})"
