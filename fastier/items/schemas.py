"""What goes in and out about items."""

import datetime
from functools import cache
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from fastier.tags.schemas import TagName
from fastier.web.schemas import ClientId, Input, Line, Output, PageQuery, Patch, Text, Time

MOST_TAGS = 50


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise PydanticCustomError("timezone", "A time zone must be one of the IANA names, such as Europe/Berlin")
    return value


def _minutes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    hours, colon, minutes = value.partition(":")
    if not colon or not (len(hours) == len(minutes) == 2 and value.isascii() and (hours + minutes).isdigit()):
        raise PydanticCustomError("time", "A time must look like 09:30")
    if int(hours) > 23 or int(minutes) > 59:
        raise PydanticCustomError("time", "A time must be from 00:00 to 23:59")
    return datetime.time(int(hours), int(minutes))


Title = Annotated[Line, Field(min_length=1, max_length=1000)]
Notes = Annotated[Text, Field(max_length=50_000)]
Priority = Annotated[int, Field(ge=1, le=4, description="1 is the highest, 4 the default.")]
TagNames = Annotated[list[TagName], Field(max_length=MOST_TAGS)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
Minutes = Annotated[
    datetime.time,
    BeforeValidator(_minutes, json_schema_input_type=Annotated[str, Field(pattern=r"^\d\d:\d\d$")]),
]


class Due(Input):
    """When an item is due: on a date, or at a time in a zone (the viewer's own unless named)."""

    date: datetime.date
    time: Minutes | None = None
    timezone: Zone | None = None

    @model_validator(mode="after")
    def _a_zone_needs_a_time(self) -> Self:
        if self.timezone is not None and self.time is None:
            raise PydanticCustomError("due", "A time zone needs a time")
        return self


class DuePatch(Patch):
    """What of a due date changes."""

    date: datetime.date = datetime.date.min
    time: Minutes | None = None
    timezone: Zone | None = None


class NewItem(Input):
    """An item to create, at the end of its list."""

    title: Title
    notes: Notes = ""
    due: Due | None = None
    priority: Priority = 4
    tags: Annotated[TagNames, Field(description="Names; a tag that is not there yet is created.")] = []
    id: ClientId | None = None


class ItemPatch(Patch):
    """What of an item changes; `tags` replaces all of them."""

    title: Title = ""
    notes: Notes = ""
    due: DuePatch | None = None
    priority: Priority = 4
    tags: TagNames = []


class Move(Input):
    """Where an item goes: a list (its own unless named), before or after another item, else to the end."""

    list_id: UUID | None = None
    before: UUID | None = None
    after: UUID | None = None

    @model_validator(mode="after")
    def _one_neighbour(self) -> Self:
        if self.before is not None and self.after is not None:
            raise PydanticCustomError("move", "Give before or after, not both")
        return self


class ItemsQuery(PageQuery):
    """Which items of a list are wanted."""

    completed: Annotated[
        Literal["false", "true", "any"],
        Field(description="`false`: open items; `true`: completed ones, latest first; `any`: both, in order."),
    ] = "false"


class DueOut(Output):
    """When an item is due."""

    date: datetime.date
    time: Annotated[str, Field(pattern=r"^\d\d:\d\d$")] | None
    timezone: str | None


class Recurrence(Output):
    """How an item repeats."""

    rrule: str
    mode: Literal["schedule", "completion"]
    text: str | None


class Item(Output):
    """One item."""

    id: UUID
    list_id: UUID
    section_id: UUID | None
    parent_id: UUID | None
    title: str
    notes: str
    priority: int
    tags: list[str]
    due: DueOut | None
    recurrence: Recurrence | None
    completed_at: Time | None
    assignee_id: UUID | None
    position: Annotated[str, Field(description="Items are in the bytewise order of this key.")]
    subtask_count: int
    attachment_count: int
    comment_count: int
    created_at: Time
    updated_at: Time
    revision: int
