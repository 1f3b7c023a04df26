"""The rules of filters and searches: what a text means to this viewer today, and when an answer is still right."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fastier.search import queries
from fastier.search.faults import FilterFault
from fastier.search.lookup import Lookup, Space, look_up
from fastier.search.orders import ORDERS
from fastier.search.parser import parse_filter, parse_search
from fastier.search.queries import Found, Page
from fastier.search.ranking import find_ranked, searched_words
from fastier.search.syntax import Filter
from fastier.web.viewer import Viewer

# Without a filter.
_NO_FILTER = "!done"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A filter that has been understood, for this viewer and this day."""

    wanted: Filter
    lookup: Lookup
    zone: ZoneInfo
    etag: str


def prepare_filter(
    connection: Connection, viewer: Viewer, workspace_id: UUID | None, source: str | None, sort: str
) -> Prepared:
    """Understand a filter on one workspace or on all of the viewer's; Invalid points at its fault."""
    zone = ZoneInfo(viewer.timezone)
    today = datetime.now(zone).date()
    wanted = _understand("filter", parse_filter, (source or "").strip() or _NO_FILTER, today)
    lookup = look_up(connection, viewer, workspace_id, wanted, uncounted=ORDERS[sort].found(wanted))
    return Prepared(wanted, lookup, zone, _etag(lookup.spaces, today if wanted.is_relative else None))


def prepare_search(connection: Connection, viewer: Viewer, workspace_id: UUID, source: str) -> Prepared:
    """Understand what is looked for; Invalid points at its fault."""
    zone = ZoneInfo(viewer.timezone)
    today = datetime.now(zone).date()
    wanted = _understand("q", parse_search, source, today)
    lookup = look_up(connection, viewer, workspace_id, wanted, with_typos=True)
    return Prepared(wanted, lookup, zone, _etag(lookup.spaces, today if wanted.is_relative else None))


def page_of(
    connection: Connection, prepared: Prepared, sort: str, limit: int, after: list[Any] | None, total_cap: int | None
) -> Found:
    return queries.find(
        connection,
        Page(prepared.wanted, prepared.lookup, prepared.zone, ORDERS[sort], limit, after, total_cap),
    )


def best_of(connection: Connection, prepared: Prepared, limit: int) -> list[dict[str, Any]]:
    """What fits best; without a word to rank by, the newest."""
    if not any(searched_words(prepared.wanted.node)):
        return [row["item"] for row in page_of(connection, prepared, "-created", limit, None, None).rows]
    return find_ranked(connection, prepared.wanted, prepared.lookup, prepared.zone, limit)


def _understand(parameter: str, parse: Callable[[str, date], Filter], source: str, today: date) -> Filter:
    try:
        return parse(source, today)
    except FilterFault as fault:
        raise fault.as_problem(parameter) from None


def _etag(spaces: list[Space], today: date | None) -> str:
    """Of what was read from these workspaces: their revisions, the viewer's roles, and the day where it matters."""
    day = f"-{today}" if today else ""
    if len(spaces) == 1:
        return f'"{spaces[0].revision}-{spaces[0].role}{day}"'
    read = "\n".join(f"{space.id} {space.revision} {space.role}" for space in spaces)
    return f'"{hashlib.blake2b(read.encode(), digest_size=12).hexdigest()}{day}"'
