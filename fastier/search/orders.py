"""The orders in which filtered items can be read, each by an index, and how a cursor names a place in one."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from fastier.search.conditions import Values, moment
from fastier.search.syntax import Created, Done, Due, Filter, Leaf, NoDate, Node, Not, Priority, conjuncts

# What items have by themselves, and nearly all have.
_LOWEST = 4


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key with the item's id behind it, ascending or descending; no key is null.

    by_state: whether its index keeps open, completed and deleted items apart.
    """

    name: str
    key: str
    type: str
    by_state: bool
    is_descending: bool

    @property
    def direction(self) -> str:
        return "DESC" if self.is_descending else "ASC"

    def as_text(self, column: str) -> str:
        return f"encode({column}, 'hex')" if self.type == "bytea" else f"CAST({column} AS text)"

    def after(self, place: list[Any] | None, values: Values) -> str:
        """A condition on `i`: behind this place, which a cursor holds as text."""
        if place is None:
            return ""
        bound = values.bind(str(place[0]))
        key = f"decode({bound}, 'hex')" if self.type == "bytea" else f"CAST({bound} AS {self.type})"
        sign = "<" if self.is_descending else ">"
        return f"AND ({self.key}, i.id) {sign} ({key}, {values.bind(str(place[1]), 'uuid')})"

    def bounds(self, wanted: Filter, zone: ZoneInfo, values: Values) -> str:
        """What the filter says of the sort key itself, so that reading begins where it can be true."""
        limits = (self._bound(node, zone, values) for node in conjuncts(wanted.node))
        return " ".join(limit for limit in limits if limit)

    def found(self, wanted: Filter) -> list[Leaf]:
        """The terms of the filter that an index finds in this very order, which `bounds` makes use of."""
        kinds = {"due": (Due, Priority), "priority": (Priority,)}.get(self.name, ())
        return [
            node
            for node in conjuncts(wanted.node)
            if isinstance(node, kinds) and not (self.name == "due" and node == Priority(_LOWEST))
        ]

    def within(self, wanted: Filter) -> str:
        """The sort, for rows that the filter has been read for: where it says what the key is, ids alone are left.

        The server would not see this through a subquery, and sort all rows before it gave the first.
        """
        pins = {"due": NoDate, "priority": Priority}.get(self.name)
        key = (
            "" if pins and any(isinstance(node, pins) for node in conjuncts(wanted.node)) else f"i.k {self.direction}, "
        )
        return f"{key}i.id {self.direction}"

    def _bound(self, node: Node, zone: ZoneInfo, values: Values) -> str:
        match self.name, node:
            case "due", Due():
                return self._between(*node.bounds, values)
            case "due", NoDate():
                return f"AND {self.key} = 'infinity'"
            case "created", Created(first, end):
                return self._between(moment(first or date.min, zone), moment(end or date.max, zone), values)
            case "due", Priority(level) if level != _LOWEST:
                # An index of its own, as few items have one.
                return f"AND i.priority = {values.bind(level)} AND i.priority < {_LOWEST}"
            case "priority", Priority(level):
                return f"AND {self.key} = {values.bind(level)}"
        return ""

    def _between(self, first: Any, end: Any, values: Values) -> str:
        return f"AND {self.key} >= {values.bind(first, self.type)} AND {self.key} < {values.bind(end, self.type)}"


_KEYS = {
    # Whatever has no date is due later than anything.
    "due": ("coalesce(i.due_date, 'infinity'::date)", "date", True),
    "priority": ("i.priority", "smallint", True),
    "created": ("i.created_at", "timestamptz", True),
    "updated": ("i.revision", "bigint", False),
    "title": ("search_title_key(i.title)", "bytea", True),
}
ORDERS = {
    sign + name: Order(name, *key, is_descending=sign == "-") for name, key in _KEYS.items() for sign in ("", "-")
}


def states(wanted: Filter) -> list[bool]:
    """Which items are meant: open ones (False), completed ones (True), or both."""
    if wanted.is_open:
        return [False]
    parts = list(conjuncts(wanted.node))
    if Done() in parts:
        return [True]
    return [False] if Not(Done()) in parts else [False, True]
