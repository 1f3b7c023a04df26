"""Turns bytes and query strings into checked models, and their faults into precise problems."""

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from fastier.errors import BadRequest, FieldError, Invalid, NotFound, RequestTimeout, TooLarge, UnsupportedMediaType
from fastier.web.routing import Route

# No body of the API is larger: files go to the storage, not through here.
LARGEST_BODY = 1024 * 1024
# More faults than this help nobody and would make the answer as large as the request.
MOST_FAULTS = 20
# pydantic makes an object of each fault before any can be left out; tens of thousands take a tenth of a second.
TOO_MANY_TO_LIST = 1000
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


def read_bytes() -> bytes:
    """The whole body, at most LARGEST_BODY; read before a connection is taken, since a client may be slow."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise TooLarge(f"A body may have at most {LARGEST_BODY} bytes.")
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLarge(f"A body may have at most {LARGEST_BODY} bytes.") from None
    except (OSError, ClientDisconnected):
        raise RequestTimeout("The body did not arrive; send it again.") from None


def parse_body(route: Route, raw: bytes) -> BaseModel | None:
    """The body as the route's model; raises 400 for broken JSON, 415 for another type, 422 for faults in it."""
    if route.body is None:
        if raw.strip() not in (b"", b"{}"):
            raise Invalid("This request takes no body.", errors=[FieldError("", "No body is expected.")])
        return None
    accepted = (_JSON, _MERGE_PATCH) if route.is_patch else (_JSON,)
    if request.mimetype not in accepted:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(accepted)}.")
    try:
        return route.body.model_validate_json(raw)
    except ValidationError as error:
        raise _as_problem(error, "/") from None


def parse_query(route: Route) -> BaseModel | None:
    """The query parameters as the route's model; each may be given once."""
    pairs = _pairs()
    names = [name for name, _ in pairs]
    if route.query is None:
        if names:
            raise _unknown_parameters(names, ())
        return None
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(errors=[FieldError(f"?{name}", "Give this parameter once.") for name in repeated[:MOST_FAULTS]])
    known = tuple(route.query.model_fields)
    if unknown := [name for name in names if name not in known]:
        raise _unknown_parameters(unknown, known)
    try:
        return route.query.model_validate(dict(pairs))
    except ValidationError as error:
        raise _as_problem(error, "?") from None


def parse_id(value: str) -> UUID:
    """An id from the path; what is no UUID names nothing, so it is as unknown as any other."""
    try:
        if len(value) == 36:
            return UUID(value)
    except ValueError:
        pass
    raise NotFound


def _pairs() -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            request.query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise BadRequest("The query string is not valid percent-encoded UTF-8.") from None
    if any("\x00" in name + value for name, value in pairs):
        raise BadRequest("The query string cannot contain the NUL character.")
    return pairs


def _unknown_parameters(names: list[str], known: tuple[str, ...]) -> Invalid:
    taken = f" It takes {', '.join(known)}." if known else " It takes none."
    return Invalid(
        "A query parameter is not known here." + taken,
        errors=[FieldError(f"?{name[:100]}", "This parameter is not known here.") for name in names[:MOST_FAULTS]],
    )


def _as_problem(error: ValidationError, root: str) -> BadRequest | Invalid:
    if (count := error.error_count()) > TOO_MANY_TO_LIST:
        return Invalid(errors=[FieldError("", f"{count} faults are too many to point at; is this the right body?")])
    faults: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return BadRequest(
            f"The body is not valid JSON: {faults[0]['msg'].removeprefix('Invalid JSON: ')}.", code="bad_json"
        )
    return Invalid(
        f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in the request; see errors.",
        errors=[FieldError(_pointer(fault["loc"], root), fault["msg"]) for fault in faults[:MOST_FAULTS]],
    )


def _pointer(location: tuple[Any, ...], root: str) -> str:
    parts = [str(part)[:100].replace("~", "~0").replace("/", "~1") for part in location]
    return "".join(f"/{part}" for part in parts) if root == "/" else root + "/".join(parts)
