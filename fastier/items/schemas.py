"""What goes in and out about items."""

import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from fastier.dates.schemas import Due, DueOut, DuePatch, NewRecurrence, Recurrence, RecurrencePatch
from fastier.sections.schemas import Section
from fastier.tags.schemas import TagName
from fastier.web.schemas import ClientId, Input, Line, Output, PageQuery, Patch, Query, Text, Time

MOST_TAGS = 50
MOST_REMINDERS = 10
# A year is as early as anybody is reminded.
MOST_MINUTES = 366 * 24 * 60
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _of_these_times(value: datetime.datetime) -> datetime.datetime:
    if not 1970 <= value.year <= 9998:
        raise PydanticCustomError("moment", "A reminder must be in the years 1970 to 9998")
    return value


Title = Annotated[Line, Field(min_length=1, max_length=1000)]
Notes = Annotated[Text, Field(max_length=50_000)]
Priority = Annotated[int, Field(ge=1, le=4, description="1 is the highest, 4 the default.")]
TagNames = Annotated[list[TagName], Field(max_length=MOST_TAGS)]


class NewReminder(Input):
    """When to be mailed: at a moment, or so many minutes before the item is due (at 9:00 where it has no time)."""

    minutes_before: Annotated[int, Field(ge=0, le=MOST_MINUTES)] | None = None
    at: Annotated[AwareDatetime, AfterValidator(_of_these_times)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.minutes_before is None) == (self.at is None):
            raise PydanticCustomError("reminder", "Give minutes_before or at")
        return self


Reminders = Annotated[
    list[NewReminder],
    Field(max_length=MOST_REMINDERS, description="Your own; nobody else sees them, or is reminded by them."),
]


class NewItem(Input):
    """An item to create, at the end of its list."""

    title: Title
    notes: Notes = ""
    due: Due | None = None
    priority: Priority = 4
    tags: Annotated[TagNames, Field(description="Names; a tag that is not there yet is created.")] = []
    section_id: UUID | None = None
    parent_id: Annotated[UUID | None, Field(description="Of the same list; a subtask is in its parent's section.")] = (
        None
    )
    assignee_id: Annotated[UUID | None, Field(description="A member of the workspace.")] = None
    recurrence: NewRecurrence | None = None
    reminders: Reminders = []
    id: ClientId | None = None


class ItemPatch(Patch):
    """What of an item changes; `tags` and `reminders` replace all of them, of reminders your own."""

    title: Title = ""
    notes: Notes = ""
    due: DuePatch | None = None
    priority: Priority = 4
    tags: TagNames = []
    section_id: UUID | None = None
    parent_id: UUID | None = None
    assignee_id: UUID | None = None
    recurrence: RecurrencePatch | None = None
    reminders: Reminders = []


class Move(Input):
    """Where an item goes: a list and a section, before or after another item, else to the end.

    Its own list unless one is named. Its own section unless one is named, or null for none; in another list, none. A
    subtask that leaves its parent's section becomes an item of its own; subtasks go where their parent goes.
    """

    list_id: UUID | None = None
    section_id: UUID | None = None
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
    section_id: Annotated[
        str | None,
        Field(pattern=f"^(none|{_UUID})$", description="Only those of a section, or `none`: of no section."),
    ] = None

    @model_validator(mode="after")
    def _one_kind_of_a_section(self) -> Self:
        if self.section_id is not None and self.completed == "any":
            raise PydanticCustomError("completed", "Of a section, ask for open or for completed items")
        return self


class BoardQuery(Query):
    """How much of a board is wanted."""

    cards: Annotated[int, Field(ge=1, le=50, description="How many of each column at most.")] = 20
    completed: Annotated[
        Literal["false", "true"], Field(description="`false`: open items; `true`: completed ones, latest first.")
    ] = "false"
    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next_cursor` of the board before; nothing for its beginning.")
    ] = None


class Reminder(Output):
    """When you are mailed about an item."""

    id: UUID
    minutes_before: int | None
    at: Time | None
    fires_at: Annotated[Time | None, Field(description="Null once it was sent, and while there is nothing to send.")]


class ReminderList(Output):
    """Your reminders of an item."""

    data: list[Reminder]


class Card(Output):
    """What a board shows of an item."""

    id: UUID
    parent_id: UUID | None
    title: str
    priority: int
    tags: list[str]
    due: DueOut | None
    is_recurring: bool
    completed_at: Time | None
    assignee_id: UUID | None
    position: str
    has_notes: bool
    subtask_count: int
    attachment_count: int
    comment_count: int
    revision: int


class BoardColumn(Output):
    """A section with its first cards; the first column holds the items of no section."""

    section: Section | None
    open_count: int
    done_count: int
    cards: list[Card]
    next_cursor: Annotated[
        str | None,
        Field(description="For the rest: `GET /lists/{id}/items?section_id=…&cursor=…`, with the same `completed`."),
    ]


class Board(Output):
    """A list as columns, in the order of its sections."""

    columns: list[BoardColumn]
    next_cursor: Annotated[str | None, Field(description="Send it as `cursor` for further sections; null at the end.")]


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
    subtask_count: Annotated[int, Field(description="How many items have it as their parent, completed ones too.")]
    attachment_count: int
    comment_count: int
    created_at: Time
    updated_at: Time
    revision: int
