"""How sync shows a section."""

from uuid import UUID

from fastier.web.schemas import Output, Time


class Section(Output):
    """A part of a list."""

    id: UUID
    list_id: UUID
    name: str
    position: str
    created_at: Time
    updated_at: Time
    revision: int
