"""The orders in which filtered items can be read, each by an index, and how a cursor names a place in one."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from fastier.search.conditions import Values, moment
from fastier.search.syntax import Created, Done, Due, Filter, Leaf, NoDate, Node, Not, Priority, conjuncts


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

    def finds(self, terms: tuple[Leaf, ...], wanted: Filter) -> bool:
        """Whether these are one term of the sort key itself, which `bounds` makes use of."""
        kind = {"due": Due, "priority": Priority}.get(self.name)
        return (
            kind is not None and len(terms) == 1 and isinstance(terms[0], kind) and terms[0] in conjuncts(wanted.node)
        )

    def _bound(self, node: Node, zone: ZoneInfo, values: Values) -> str:
        match self.name, node:
            case "due", Due(first, end):
                return self._between(first or date.min, end or date.max, values)
            case "due", NoDate():
                return f"AND {self.key} = 'infinity'"
            case "created", Created(first, end):
                return self._between(moment(first or date.min, zone), moment(end or date.max, zone), values)
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
