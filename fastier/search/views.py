"""The routes of filters and searches."""

import hashlib
from uuid import UUID

from fastier.items.schemas import Item
from fastier.search import service
from fastier.search.schemas import FilterQuery, SearchQuery
from fastier.web import pages
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf

routes = Routes("search")


@routes.get("/workspaces/{workspace_id}/items", returns=PageOf[Item])
def filter_items(call: Call, workspace_id: UUID, query: FilterQuery) -> Reply:
    """The items of a workspace that a filter means; a page may be short or empty before the last."""
    return _page(call, workspace_id, query)


@routes.get("/me/items", returns=PageOf[Item])
def filter_my_items(call: Call, query: FilterQuery) -> Reply:
    """The items that a filter means in all of your workspaces; a page may be short or empty before the last."""
    return _page(call, None, query)


@routes.get("/workspaces/{workspace_id}/search", returns=PageOf[Item])
def search_items(call: Call, workspace_id: UUID, query: SearchQuery) -> Reply:
    """The items that fit best what you look for, in one page."""
    prepared = service.prepare_search(call.connection, call.viewer, workspace_id, query.q)
    etag = call.not_modified(prepared.etag)
    found = service.best_of(call.connection, prepared, query.limit)
    return Reply({"data": found, "next_cursor": None}, etag=etag)


def _page(call: Call, workspace_id: UUID | None, query: FilterQuery) -> Reply:
    prepared = service.prepare_filter(call.connection, call.viewer, workspace_id, query.filter, query.sort)
    etag = call.not_modified(prepared.etag)
    purpose = f"filter:{workspace_id}:{query.sort}:{hashlib.sha256((query.filter or '').encode()).hexdigest()}"
    after = call.after(query, purpose=purpose)
    cap = TOTAL_CAP + 1 if query.include else None
    found = service.page_of(call.connection, prepared, query.sort, query.limit + 1, after, cap)
    body = pages.page_body(found.rows, query, lambda row: call.cursors.write(purpose, row["place"]), found.total)
    body["data"] = [row["item"] for row in body["data"]]
    if body["next_cursor"] is None and found.resume:
        body["next_cursor"] = call.cursors.write(purpose, found.resume)
    if found.total is not None:
        body["total_is_capped"] = body["total_is_capped"] or found.total_is_floor
    return Reply(body, etag=etag, headers=pages.link_header(body["next_cursor"]))
