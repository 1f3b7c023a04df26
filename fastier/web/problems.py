"""Turns every error into a problem document: our own, Flask's, the database's, and the unforeseen."""

from typing import Any

import orjson
from flask import Flask, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from fastier import errors
from fastier.errors import Problem
from fastier.storage import StorageUnavailable
from fastier.web.request_log import RECORD, RequestRecord

MEDIA_TYPE = "application/problem+json"
# Where each code is explained; the page is served from this origin.
TYPES = "/api/docs#problem-"

# SQLSTATEs that mean "not now": cancelled by a timeout, lock not to be had, no connection left, shutting down.
_NOT_NOW = {"57014", "55P03", "53300", "57P01", "57P02", "57P03", "25006", "40001", "40P01", "25P03"}

_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.TooLarge,
        errors.UnsupportedMediaType,
    )
}


def document(problem: Problem, instance: str) -> dict[str, Any]:
    """The problem as RFC 9457 has it."""
    body: dict[str, Any] = {
        "type": TYPES + problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
    }
    if problem.errors:
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in problem.errors]
    return body


def response_to(problem: Problem) -> Response:
    record: RequestRecord = request.environ[RECORD]
    body = orjson.dumps(document(problem, record.request_id))
    return Response(body, problem.status, problem.headers, mimetype=MEDIA_TYPE)


def from_database(error: SQLAlchemyError) -> Problem | None:
    """503 where the database is busy or away; None for a fault of ours."""
    if isinstance(error, PoolTimeout):
        return errors.Unavailable("All database connections are busy; try again in a moment.", code="database_busy")
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "pgcode", None)
    if error.connection_invalidated or state in _NOT_NOW or (state is None and _is_operational(error)):
        return errors.Unavailable("The database does not answer; try again in a moment.", code="database_unavailable")
    return None


def _is_operational(error: DBAPIError) -> bool:
    # psycopg2 gives no SQLSTATE when the connection could not be made or broke.
    return type(error.orig).__name__ in ("OperationalError", "InterfaceError")


def _from_http(error: HTTPException) -> Problem:
    kind = _BY_STATUS.get(error.code or 500, Problem)
    problem = kind()
    if kind is errors.MethodNotAllowed:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        problem.headers["Allow"] = allowed
        problem.detail = f"This address takes {allowed}."
    return problem


def install(app: Flask) -> None:
    """Register the handlers; the unforeseen is kept on the request's record, which writes the one ERROR line."""

    @app.errorhandler(Problem)
    def ours(error: Problem) -> Response:
        return response_to(error)

    @app.errorhandler(HTTPException)
    def of_flask(error: HTTPException) -> Response:
        return response_to(_from_http(error))

    @app.errorhandler(StorageUnavailable)
    def of_storage(error: StorageUnavailable) -> Response:
        return response_to(
            errors.Unavailable(
                "The file storage does not answer; try again in a moment.",
                retry_after=5,
                code="storage_unavailable",
            )
        )

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        problem = from_database(error) if isinstance(error, SQLAlchemyError) else None
        record: RequestRecord = request.environ[RECORD]
        record.error = error
        return response_to(problem or Problem("It has been logged; quote the request's id when you report it."))
