"""Keyset pages: a signed cursor holds the last row's sort key, so that no page counts rows it skips."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import request
from itsdangerous import BadData, URLSafeSerializer

from fastier.errors import BadRequest, FieldError
from fastier.web.schemas import PageQuery

# A total is exact up to here; past it, counting would cost every page for a number nobody reads.
TOTAL_CAP = 10_000

Row = dict[str, Any]


class Cursors:
    """Writes and reads cursors; `purpose` names the list and its sort, so that none fits another list."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret_key, salt=f"cursor:{purpose}", serializer=_Json)

    def write(self, purpose: str, key: Sequence[Any]) -> str:
        written: str | bytes = self._serializer(purpose).dumps(list(key))
        # itsdangerous gives bytes where the payload's serializer does.
        return written.decode() if isinstance(written, bytes) else written

    def read(self, purpose: str, cursor: str) -> list[Any]:
        """The sort key that the page continues after; BadRequest when it was made for another list or by hand."""
        try:
            key: list[Any] = self._serializer(purpose).loads(cursor)
        except BadData:
            detail = "This cursor is not of this list; start again without one."
            raise BadRequest(detail, code="bad_cursor", errors=[FieldError("?cursor", detail)]) from None
        return key


class _Json:
    """What itsdangerous calls to turn a key into bytes and back."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return orjson.dumps(value)

    @staticmethod
    def loads(payload: bytes) -> Any:
        return orjson.loads(payload)


def page_body(
    rows: Sequence[Row], query: PageQuery, write_cursor: Callable[[Row], str], total: int | None = None
) -> dict[str, Any]:
    """The page's body from up to `limit + 1` rows; the row over the limit only shows that there is more."""
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    body: dict[str, Any] = {"data": shown, "next_cursor": write_cursor(shown[-1]) if more else None}
    if total is not None:
        body["total"] = min(total, TOTAL_CAP)
        body["total_is_capped"] = total > TOTAL_CAP
    return body


def link_header(next_cursor: str | None) -> dict[str, str]:
    """The `Link` header (RFC 8288) to the next page, with the request's other parameters kept."""
    if next_cursor is None:
        return {}
    parameters = {**request.args.to_dict(), "cursor": next_cursor}
    return {"Link": f'<{request.path}?{urlencode(parameters)}>; rel="next"'}
