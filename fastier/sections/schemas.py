"""What goes in and out about sections."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fastier.web.schemas import ClientId, Input, Line, Output, Patch, Time

Name = Annotated[Line, Field(min_length=1, max_length=200)]


class NewSection(Input):
    """A section to create, at the end of its list."""

    name: Name
    id: ClientId | None = None


class SectionPatch(Patch):
    """What of a section changes."""

    name: Name = ""


class SectionMove(Input):
    """Where a section goes: before or after another one of its list, else to the end."""

    before: UUID | None = None
    after: UUID | None = None

    @model_validator(mode="after")
    def _one_neighbour(self) -> Self:
        if self.before is not None and self.after is not None:
            raise PydanticCustomError("move", "Give before or after, not both")
        return self


class Section(Output):
    """A part of a list: a column of its board."""

    id: UUID
    list_id: UUID
    name: str
    position: Annotated[str, Field(description="Sections are in the bytewise order of this key.")]
    created_at: Time
    updated_at: Time
    revision: int
