"""What goes in about filters and searches; what comes out are items."""

from typing import Annotated, Literal

from pydantic import Field

from fastier.search.parser import LONGEST_FILTER
from fastier.web.schemas import Line, PageQuery, Query

Sort = Literal[
    "due", "-due", "priority", "-priority", "created", "-created", "updated", "-updated", "title", "-title"
]  # fmt: skip


class FilterQuery(PageQuery):
    """Which items are wanted, and in which order."""

    filter: Annotated[
        str | None,
        Field(
            max_length=LONGEST_FILTER,
            description="In the filter language, such as `today & p1`; open items unless it says `done` or `all`.",
        ),
    ] = None
    sort: Annotated[Sort, Field(description="`-` is descending; what has no due date is later than anything.")] = "due"


class SearchQuery(Query):
    """What is looked for."""

    q: Annotated[
        Line,
        Field(
            min_length=1,
            max_length=LONGEST_FILTER,
            description="Words, their beginnings or near misses; terms of the filter language may stand among them.",
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
