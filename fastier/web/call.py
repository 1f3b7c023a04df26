"""What a view receives: the services, the connection of this request, and who asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import request
from sqlalchemy import Connection

from fastier.errors import Unauthorized
from fastier.services import Services
from fastier.web import etags, pages
from fastier.web.pages import Cursors
from fastier.web.schemas import PageQuery
from fastier.web.viewer import Viewer


@dataclass(slots=True)
class Reply:
    """What a view answers; `body` is anything that orjson writes, None for an empty body."""

    body: Any = None
    status: int = 200
    etag: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class AnswerInstead(Exception):
    """Roll the transaction back and answer this: what was asked for has been done before."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


@dataclass(slots=True)
class Call:
    """One request on its way through a view."""

    services: Services
    cursors: Cursors
    address: str
    viewer_or_none: Viewer | None = None
    connection_or_none: Connection | None = None

    @property
    def viewer(self) -> Viewer:
        """Who asks; a route that may be called by anyone must not read this."""
        if self.viewer_or_none is None:
            raise Unauthorized
        return self.viewer_or_none

    @property
    def connection(self) -> Connection:
        """This request's connection: in a transaction for writes, AUTOCOMMIT for reads."""
        assert self.connection_or_none is not None, "this route opens its own connections"
        return self.connection_or_none

    def not_modified(self, etag: str) -> str:
        """The ETag again, unless the client's copy is still right: then 304, raised."""
        etags.not_modified(etag)
        return etag

    def require_match(self, etag: str) -> None:
        etags.require_match(etag)

    def page_reply(
        self,
        rows: list[dict[str, Any]],
        query: PageQuery,
        *,
        purpose: str,
        key: Callable[[dict[str, Any]], list[Any]],
        etag: str | None = None,
        total: int | None = None,
    ) -> Reply:
        """A page of rows; `key` gives a row's sort key, which no other row has."""
        body = pages.page_body(rows, query, lambda row: self.cursors.write(purpose, key(row)), total)
        return Reply(body, etag=etag, headers=pages.link_header(body["next_cursor"]))

    def after(self, query: PageQuery, *, purpose: str) -> list[Any] | None:
        """The sort key that the page continues after, None for the first page."""
        return self.cursors.read(purpose, query.cursor) if query.cursor else None

    def after_id(self, query: PageQuery, *, purpose: str) -> str | None:
        """The last row's one sort key, None for the first page."""
        key = self.after(query, purpose=purpose)
        return str(key[0]) if key else None

    @property
    def user_agent(self) -> str:
        return (request.user_agent.string or "")[:200]
