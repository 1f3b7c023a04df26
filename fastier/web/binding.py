"""Serves a declared route: credential, body, connection, view, commit, answer, in this order and in this place only."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import orjson
from flask import Flask, request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from fastier.database import Statistics, is_transient, measure
from fastier.errors import Forbidden, TooMany, Unauthorized
from fastier.services import Services
from fastier.throttle import RequestLimiter, Verdict, limit_headers
from fastier.web import bodies, credentials, idempotency
from fastier.web.call import AnswerInstead, Call, Reply
from fastier.web.credentials import Credential
from fastier.web.etags import NotModified
from fastier.web.idempotency import KeyedRequest
from fastier.web.pages import Cursors
from fastier.web.request_log import RECORD, RequestRecord
from fastier.web.routing import Route, Routes
from fastier.web.viewer import Viewer

PREFIX = "/api/v1"
# Private answers may be kept by the browser that asked, and must be checked before each use.
_CACHED = "private, no-cache"
_UNCACHED = "no-store"
GUESSES_A_MINUTE = 120


class Authenticate(Protocol):
    """Finds the user behind a credential in one statement; None for an unknown or expired one."""

    def __call__(self, connection: Connection, digest: bytes) -> Viewer | None: ...


@dataclass(slots=True)
class _Attempt:
    """How far a write has come: once its COMMIT was sent, it must not be tried again."""

    committing: bool = False


class Binder:
    """Registers routes with Flask and runs each request through the same steps."""

    def __init__(self, services: Services, authenticate: Authenticate, limiter: RequestLimiter) -> None:
        self.services = services
        self.authenticate = authenticate
        self.limiter = limiter
        # Tokens that nobody has, by the address that sends them: each costs a statement, however many there are.
        self.guesses = RequestLimiter(quota=GUESSES_A_MINUTE, window_seconds=60)
        self.cursors = Cursors(services.settings.secret_key)
        self.routes: list[Route] = []

    def register(self, app: Flask, *features: Routes) -> None:
        for routes in features:
            for route in routes.all:
                self.routes.append(route)
                rule = PREFIX + route.path.replace("{", "<").replace("}", ">")
                app.add_url_rule(rule, route.name, self._endpoint(route), methods=[route.method])

    def _endpoint(self, route: Route) -> Callable[..., Response]:
        def endpoint(**path: str) -> Response:
            record: RequestRecord = request.environ[RECORD]
            record.route = PREFIX + route.path
            statistics = Statistics()
            with measure(statistics):
                try:
                    return self._serve(route, path, record)
                finally:
                    record.statements, record.database_seconds = statistics.statements, statistics.seconds

        return endpoint

    def _serve(self, route: Route, path: dict[str, str], record: RequestRecord) -> Response:
        # A route that anyone may call must not fail for an old token that came along.
        credential = credentials.read(self.services.settings) if route.scope is not None else None
        verdict = self._limit(credential, record.address)
        ids = {name: bodies.parse_id(value) for name, value in path.items()}
        if credential is None and route.scope is not None:
            raise Unauthorized
        if credential and credential.is_cookie and route.method != "GET":
            credentials.require_same_origin(self.services.settings)
        raw = bodies.read_bytes()
        call = Call(self.services, self.cursors, record.address)
        try:
            reply = self._run_twice_at_most(route, call, credential, ids, raw)
        except NotModified as kept:
            reply = Reply(None, 304, kept.etag)
        except AnswerInstead as instead:
            reply = instead.reply
        if route.present is not None and reply.status < 300:
            reply.body = route.present(call, reply.body)
        return _response(route, reply, verdict)

    def _run_twice_at_most(
        self, route: Route, call: Call, credential: Credential | None, ids: dict[str, UUID], raw: bytes
    ) -> Reply:
        """Run the view, and once more when its transaction broke before its COMMIT was sent."""
        first = _Attempt()
        try:
            return self._run(route, call, credential, ids, raw, first)
        except DBAPIError as error:
            # A view that opens its own connections may have had an effect outside the database.
            if route.mode == "own" or first.committing or not is_transient(error):
                raise
        time.sleep(random.uniform(0.02, 0.08))  # noqa: S311
        return self._run(route, call, credential, ids, raw, _Attempt())

    def _run(
        self,
        route: Route,
        call: Call,
        credential: Credential | None,
        ids: dict[str, UUID],
        raw: bytes,
        attempt: _Attempt,
    ) -> Reply:
        if credential is None:
            # Nobody to authenticate: such a view opens its own connections, and a bad body needs none.
            return route.view(call, **_arguments(route, ids, raw))
        with self._connection(route, attempt) as connection:
            self._authenticate(route, call, credential, connection)
            arguments = _arguments(route, ids, raw)
            # A view that opens its own connections is safe to repeat without its key, which must still be one.
            keyed = idempotency.keyed_request(call.viewer, raw) if route.keyed else None
            if route.mode != "own":
                call.connection_or_none = connection
                return self._act(route, call, arguments, keyed)
        # The connection that authenticated went back to the pool before the view does slow things.
        return route.view(call, **arguments)

    def _act(self, route: Route, call: Call, arguments: dict[str, Any], keyed: KeyedRequest | None) -> Reply:
        if keyed:
            keyed.begin(call.connection)
        reply = route.view(call, **arguments)
        if keyed:
            keyed.keep(call.connection, reply)
        return reply

    @contextmanager
    def _connection(self, route: Route, attempt: _Attempt) -> Iterator[Connection]:
        if route.mode != "write":
            with self.services.database.reading() as connection:
                yield connection
            return
        with self.services.database.transaction() as connection:
            yield connection
            attempt.committing = True

    def _authenticate(self, route: Route, call: Call, credential: Credential, connection: Connection) -> None:
        viewer = self.authenticate(connection, credential.digest)
        record: RequestRecord = request.environ[RECORD]
        if viewer is None:
            self.guesses.take(record.address.encode())
            raise Unauthorized("This token is unknown, expired or signed out.", code="bad_token")
        if route.scope is not None and not viewer.may(route.scope):
            raise Forbidden(f"This token may not do that; it needs the scope {route.scope}.", code="scope")
        call.viewer_or_none = viewer
        record.user = hashlib.blake2b(viewer.user_id.bytes, digest_size=6).hexdigest()

    def _limit(self, credential: Credential | None, address: str) -> Verdict:
        """Count the request, by its token or else its address; a token that nobody has must not get its own count."""
        verdict = self.guesses.peek(address.encode()) if credential else None
        if verdict is None or verdict.allowed:
            verdict = self.limiter.take(credential.digest if credential else address.encode())
        if not verdict.allowed:
            problem = TooMany("You have used up your requests for now.", retry_after=verdict.retry_after)
            problem.headers.update(limit_headers(verdict))
            raise problem
        return verdict


def _arguments(route: Route, ids: dict[str, UUID], raw: bytes) -> dict[str, Any]:
    """What the view is called with: the path's ids, the body and the query, checked."""
    arguments: dict[str, Any] = dict(ids)
    if (body := bodies.parse_body(route, raw)) is not None:
        arguments["body"] = body
    if (query := bodies.parse_query(route)) is not None:
        arguments["query"] = query
    return arguments


def _response(route: Route, reply: Reply, verdict: Verdict) -> Response:
    body = b"" if reply.body is None else orjson.dumps(reply.body, option=orjson.OPT_UTC_Z)
    response = Response(body, reply.status, mimetype="application/json" if body else None)
    headers = response.headers
    if not body:
        headers.pop("Content-Type", None)
    headers.update(limit_headers(verdict))
    headers.update(reply.headers)
    headers["Cache-Control"] = _CACHED if reply.etag and route.method == "GET" else _UNCACHED
    if reply.etag:
        headers["ETag"] = reply.etag
    return response
