"""What goes in and out about dates: zones, due dates and how they recur."""

import datetime
from functools import cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from fastier.dates import rules
from fastier.web.schemas import Input, Line, Output, Patch


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


def _understood(value: str) -> str:
    rule = rules.canonical(value)
    try:
        rules.parse(rule)
    except rules.BadRule as bad:
        raise PydanticCustomError("rrule", "{fault}", {"fault": str(bad)}) from None
    return rule


Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
Minutes = Annotated[
    datetime.time,
    BeforeValidator(_minutes, json_schema_input_type=Annotated[str, Field(pattern=r"^\d\d:\d\d$")]),
]


RecurrenceRule = Annotated[
    str,
    Field(max_length=rules.LONGEST_RULE, description="RFC 5545, by days: `FREQ=MONTHLY;BYMONTHDAY=-1`."),
    AfterValidator(_understood),
]
RecurrenceText = Annotated[Line, Field(max_length=200, description="The rule in the words of whoever made it.")]
RecurrenceMode = Annotated[
    Literal["schedule", "completion"],
    Field(description="Whether the next date follows the last date, or the day on which it was done."),
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


class NewRecurrence(Input):
    """How an item repeats; it needs a due date."""

    rrule: RecurrenceRule
    mode: RecurrenceMode = "schedule"
    text: RecurrenceText | None = None


class RecurrencePatch(Patch):
    """What of a recurrence changes."""

    rrule: RecurrenceRule = ""
    mode: RecurrenceMode = "schedule"
    text: RecurrenceText | None = None


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
