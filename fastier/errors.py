"""The errors that a feature raises and a client reads: one class per status, each an RFC 9457 problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in the request; `pointer` is a JSON pointer into the body, or `?name` for a query parameter."""

    pointer: str
    detail: str


class Problem(Exception):
    """A refusal with everything that its problem document needs; nothing in it may be secret."""

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail or self.title
        self.code = code or self.code
        self.errors = list(errors)
        self.headers = dict(headers or {})


class BadRequest(Problem):
    status, code, title = 400, "bad_request", "The request cannot be understood"


class Unauthorized(Problem):
    status, code, title = 401, "unauthorized", "Sign in to do this"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": 'Bearer realm="fastier"'})


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "You may not do this"


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is no such thing here"


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This address does not take that method"


class RequestTimeout(Problem):
    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class Conflict(Problem):
    status, code, title = 409, "conflict", "This conflicts with what is there"


class Gone(Problem):
    status, code, title = 410, "gone", "This is no longer here"


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition_failed", "It has changed since you read it"


class TooLarge(Problem):
    status, code, title = 413, "too_large", "The request is too large"


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported_media_type", "The body's type is not understood here"


class Invalid(Problem):
    status, code, title = 422, "invalid", "The request has faults"


class TooMany(Problem):
    status, code, title = 429, "too_many_requests", "Too many requests"

    def __init__(self, detail: str = "", *, retry_after: float, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers=_retry_after(retry_after))


class Unavailable(Problem):
    status, code, title = 503, "unavailable", "This is not available right now"

    def __init__(self, detail: str = "", *, retry_after: float = 1, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers=_retry_after(retry_after))


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(seconds + 0.5)))}
