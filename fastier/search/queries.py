"""Runs filters: from their smallest part, or in the order asked for, a bounded number of rows either way."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from fastier.items.queries import ITEM_COLUMNS, ITEM_TAGS, item_body
from fastier.search.anchors import Anchor, anchor_of, candidates
from fastier.search.conditions import Condition, Values, condition_of
from fastier.search.lookup import BOUNDED, MOST_CANDIDATES, Lookup
from fastier.search.orders import Order, states
from fastier.search.syntax import Filter

# A request reads this many rows in the order asked for, however few of them satisfy the filter; the next page goes
# on from there. Counting may read some more.
_MOST_READ = 5000
_MOST_COUNTED_FROM = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of an `item` and its `place` in the order; `resume` is where reading stopped, if it did before the end.

    total: how many there are, up to a cap of the caller's; `total_is_floor` when not all rows were read for it.
    """

    rows: list[dict[str, Any]]
    resume: list[Any] | None
    total: int | None
    total_is_floor: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: the filter, its order, how many, and from where."""

    wanted: Filter
    lookup: Lookup
    zone: ZoneInfo
    order: Order
    limit: int
    after: list[Any] | None
    total_cap: int | None


def find(connection: Connection, page: Page) -> Found:
    """The items of a filter from a place on, at most `limit` of them."""
    values = Values()
    anchor = anchor_of(page.wanted.node, page.lookup)
    is_small = anchor and anchor.count <= MOST_CANDIDATES
    statement = _from_anchor(page, values, anchor) if anchor and is_small else _in_order(page, values)
    rows = connection.execute(text(BOUNDED + statement), values.all).all()
    resume_key, resume_id, total, is_floor = rows[0][:4]
    shown = [row for row in rows if row[4] is not None]
    return Found(
        rows=[{"item": item_body(row[5:]), "place": [row[4], row[5]]} for row in shown],
        resume=[resume_key, resume_id] if resume_id else None,
        total=total,
        total_is_floor=bool(is_floor),
    )


def _from_anchor(page: Page, values: Values, anchor: Anchor) -> str:
    """Gather the few items of one part, test them all, and sort what is left."""
    order, condition = page.order, condition_of(page.wanted, page.lookup, page.zone, values)
    ids = candidates(anchor, page.wanted, page.lookup, values)
    matching = f"""FROM (SELECT DISTINCT id FROM ({ids}) c) c JOIN items i ON i.id = c.id
    {condition.joins} WHERE i.workspace_id = ANY ({_workspaces(page, values)}) AND {condition.sql}"""
    total = f"(SELECT count(*) FROM (SELECT {matching} LIMIT {page.total_cap}) n)" if page.total_cap else "NULL"
    return f"""WITH page AS MATERIALIZED (
        SELECT i.id, {order.key} AS k {matching} {order.after(page.after, values)}
        ORDER BY k {order.direction}, i.id {order.direction} LIMIT {values.bind(page.limit)})
    SELECT NULL, NULL, {total}, false, {_bodies(order)}"""


def _in_order(page: Page, values: Values) -> str:
    """Read each workspace's open and completed items in the order asked for, and stop when enough have been read."""
    order, condition = page.order, condition_of(page.wanted, page.lookup, page.zone, values)
    streams = _streams(page, values)
    budget = max(_MOST_READ // max(len(page.lookup.spaces), 1), 2 * page.limit)
    rows = _ordered(page, values, order.after(page.after, values))
    matches = f"FROM ({rows} LIMIT {budget}) i {condition.joins} WHERE {condition.sql}"
    direction, limit = order.direction, values.bind(page.limit)
    return f"""WITH streams AS MATERIALIZED ({streams}),
    read AS MATERIALIZED (
        SELECT s.workspace_id, s.is_done, m.ids, m.keys FROM streams s CROSS JOIN LATERAL (
            SELECT array_agg(m.id) AS ids, array_agg(m.k) AS keys FROM (
                SELECT i.id, i.k {matches} ORDER BY {order.within(page.wanted)} LIMIT {limit}) m) m),
    stops AS MATERIALIZED (
        SELECT r.k, r.id FROM read s CROSS JOIN LATERAL (
            SELECT i.k, i.id FROM ({rows} OFFSET {budget - 1} LIMIT 1) i) r
        WHERE coalesce(cardinality(s.ids), 0) < {limit}
        ORDER BY r.k {direction}, r.id {direction} LIMIT 1),
    page AS MATERIALIZED (
        SELECT m.id, m.k FROM read s CROSS JOIN LATERAL unnest(s.ids, s.keys) m (id, k) LEFT JOIN stops r ON true
        WHERE r.id IS NULL OR (m.k, m.id) {">=" if order.is_descending else "<="} (r.k, r.id)
        ORDER BY m.k {direction}, m.id {direction} LIMIT {limit})
    SELECT (SELECT {order.as_text("k")} FROM stops), (SELECT CAST(id AS text) FROM stops),
        {_count_in_order(page, values, condition)}, {_bodies(order)}"""


def _count_in_order(page: Page, values: Values, condition: Condition) -> str:
    """Two columns: how many, and whether there are rows that were not read for it."""
    if page.total_cap is None:
        return "NULL, false"
    each = max(_MOST_COUNTED_FROM // max(len(page.lookup.spaces), 1), 1)
    rows = _ordered(page, values, "")
    return f"""(SELECT count(*) FROM (SELECT FROM streams s CROSS JOIN LATERAL (
            SELECT FROM ({rows} LIMIT {each}) i {condition.joins} WHERE {condition.sql}) n LIMIT {page.total_cap}) n),
        EXISTS (SELECT FROM streams s CROSS JOIN LATERAL (SELECT FROM ({rows} OFFSET {each} LIMIT 1) i) n)"""


def _ordered(page: Page, values: Values, after: str) -> str:
    """A stream's items in their order; the caller says how many."""
    order = page.order
    state = "AND (i.completed_at IS NOT NULL) = s.is_done AND i.deleted_at IS NULL" if order.by_state else ""
    return f"""SELECT i.*, {order.key} AS k FROM items i WHERE i.workspace_id = s.workspace_id {state}
        {after} {order.bounds(page.wanted, page.zone, values)}
        ORDER BY {order.key} {order.direction}, i.id {order.direction}"""


def _streams(page: Page, values: Values) -> str:
    kinds = values.bind(states(page.wanted) if page.order.by_state else [False], "boolean[]")
    return f"""SELECT w.id AS workspace_id, d.is_done
        FROM unnest({_workspaces(page, values)}) w(id), unnest({kinds}) d(is_done)"""


def _workspaces(page: Page, values: Values) -> str:
    return values.bind([space.id for space in page.lookup.spaces], "uuid[]")


def _bodies(order: Order) -> str:
    """The page's items behind the columns that stand before them; one empty row when there is none."""
    return f"""{order.as_text("p.k")}, {ITEM_COLUMNS}
    FROM (VALUES (true)) one LEFT JOIN (page p JOIN items i ON i.id = p.id {ITEM_TAGS}) ON true
    ORDER BY p.k {order.direction}, p.id {order.direction}"""
