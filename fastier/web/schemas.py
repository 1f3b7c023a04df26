"""What every request and response body shares: strictness, clean text, ids and the problem document."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError


def _clean(value: str) -> str:
    """Composed Unicode without characters that PostgreSQL cannot hold or that a line cannot show."""
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "Text cannot contain the NUL character")
    if not value.isprintable() and any(unicodedata.category(character) == "Cs" for character in value):
        raise PydanticCustomError("surrogate", "Text cannot contain half of a surrogate pair")
    return unicodedata.normalize("NFC", value)


def _one_line(value: str) -> str:
    value = " ".join(_clean(value).split())
    if not value:
        raise PydanticCustomError("blank", "Text cannot be blank")
    return value


# One plain address: whether somebody reads it is proved by the mail that is sent there.
_ADDRESS = re.compile(r"""[^\s@<>()\[\],;:\\"]{1,64}@[^\s@<>()\[\],;:\\".]+(\.[^\s@<>()\[\],;:\\".]+)+""")


def _address(value: str) -> str:
    value = value.strip().lower()
    if not _ADDRESS.fullmatch(value) or not value.isprintable():
        raise PydanticCustomError("email", "An e-mail address must look like name@example.com")
    return value


def _version_7(value: UUID) -> UUID:
    if value.version != 7:
        raise PydanticCustomError("uuid_version", "An id must be a UUID of version 7")
    return value


# Several lines of text, kept as they are; one line, with its white space folded.
Text = Annotated[str, AfterValidator(_clean)]
Line = Annotated[str, AfterValidator(_one_line)]
# Kept in lower case, so that two spellings of one address are equal wherever they are compared.
Email = Annotated[Text, Field(max_length=254), AfterValidator(_address)]
ClientId = Annotated[UUID, AfterValidator(_version_7)]
# Written in RFC 3339, always in UTC.
Time = Annotated[datetime, WithJsonSchema({"type": "string", "format": "date-time"})]


Row = TypeVar("Row", bound=BaseModel)


class Input(BaseModel):
    """A request's body: unknown fields and mistyped values are refused, never guessed at."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Patch(Input):
    """A JSON Merge Patch: only the fields that were sent count, and null clears one that may be empty."""

    def sent(self) -> dict[str, Any]:
        """The fields that the client sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Query(BaseModel):
    """A request's query parameters: texts that are converted, unknown ones refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    """Which part of a list is wanted."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[
        str | None,
        Field(max_length=1000, description="`next_cursor` of the page before; nothing for the first."),
    ] = None
    include: Annotated[
        str | None, Field(pattern="^total$", description="`total` adds the count, exact up to 10,000.")
    ] = None


class Output(BaseModel):
    """A response's body; it documents what is sent, which the tests hold every answer to."""

    model_config = ConfigDict(extra="forbid")


class PageOf(Output, Generic[Row]):
    """One page of a list."""

    data: list[Row]
    next_cursor: Annotated[str | None, Field(description="Send it as `cursor` for the next page; null on the last.")]
    total: Annotated[int | None, Field(description="With `include=total`: the count, at most 10,000.")] = None
    total_is_capped: Annotated[bool | None, Field(description="Whether there are more than `total`.")] = None


class ProblemError(Output):
    """One fault: a JSON pointer into the body, or `?name` for a query parameter."""

    pointer: str
    detail: str


class ProblemDocument(Output):
    """RFC 9457, as `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    instance: Annotated[str, Field(description="The request's id, as in `X-Request-Id` and in the logs.")]
    code: Annotated[str, Field(description="A stable word for programs.")]
    errors: list[ProblemError] | None = None
