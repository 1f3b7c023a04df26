"""The tree of a filter: what the language can say, without how it is written or asked of the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

# What a `*` in a name becomes: no name and no request holds this character.
WILDCARD = "\x00"


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever this is not."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Everything:
    """Every item, done or not."""


@dataclass(frozen=True, slots=True)
class Done:
    """Completed items."""


@dataclass(frozen=True, slots=True)
class Due:
    """Due on a day from `first` to before `end`; None is without a bound."""

    first: date | None
    end: date | None

    @property
    def bounds(self) -> tuple[date | str, date | str]:
        """The range as the database takes it, which knows days before and after all others."""
        return self.first or "-infinity", self.end or "infinity"


@dataclass(frozen=True, slots=True)
class NoDate:
    """Without a due date."""


@dataclass(frozen=True, slots=True)
class Created:
    """Created on a day from `first` to before `end`, as the viewer's clock shows it."""

    first: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Priority:
    """Of this priority, 1 to 4."""

    level: int


@dataclass(frozen=True, slots=True)
class Named:
    """Carrying a tag, or in a list or a section, of this name; WILDCARD in it stands for anything."""

    kind: Literal["tag", "list", "section"]
    pattern: str

    @property
    def has_wildcard(self) -> bool:
        return WILDCARD in self.pattern


@dataclass(frozen=True, slots=True)
class NoTags:
    """Without any tag."""


@dataclass(frozen=True, slots=True)
class Says:
    """Each of these words, or one that begins with it, is in the title or the notes."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssignedTo:
    """Somebody's: the viewer's own, somebody else's, or a member's by name or address."""

    who: Literal["me", "others", "anybody"] | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Subtask:
    """Part of another item."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """Repeating."""


Leaf = (
    Everything | Done | Due | NoDate | Created | Priority | Named | NoTags | Says | AssignedTo | Subtask | Recurring
)  # fmt: skip
Node = And | Or | Not | Leaf


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter.

    is_relative: it means something else tomorrow, or elsewhere on the earth.
    is_open: it does not speak of completed items, so that only open ones are meant.
    """

    node: Node
    is_relative: bool
    is_open: bool


def any_of(parts: list[Node]) -> Node:
    """Either of these; days that adjoin become one range, so that `overdue | today` is read like any other one."""
    ranges = sorted((part for part in parts if isinstance(part, Due)), key=lambda part: part.first or date.min)
    joined: list[Due] = []
    for part in ranges:
        last = joined[-1] if joined else None
        if last and (last.end is None or (part.first or date.min) <= last.end):
            end = None if last.end is None or part.end is None else max(last.end, part.end)
            joined[-1] = Due(last.first, end)
        else:
            joined.append(part)
    whole = [*joined, *(part for part in parts if not isinstance(part, Due))]
    return whole[0] if len(whole) == 1 else Or(tuple(whole))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf beneath a node, in the order in which it is written."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


def affirmed(node: Node) -> Iterator[Leaf]:
    """The leaves that no `!` stands before: those that an item of the result can be found by."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from affirmed(part)
        case Not():
            return
        case _:
            yield node


def conjuncts(node: Node) -> Iterator[Node]:
    """What must all be true, as far as the tree says so at its top."""
    if isinstance(node, And):
        for part in node.parts:
            yield from conjuncts(part)
    else:
        yield node
