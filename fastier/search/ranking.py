"""Finds what somebody looks for, the likeliest first, among a bounded number of candidates."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from fastier.items.queries import ITEM_COLUMNS, ITEM_TAGS, item_body
from fastier.search.anchors import anchor_of, candidates
from fastier.search.conditions import Condition, Values, condition_of
from fastier.search.lookup import BOUNDED, MOST_CANDIDATES, Lookup, Spelling
from fastier.search.syntax import And, Filter, Node, Or, Says

# Of a word that is nearly everywhere the newest items are looked at first, this many open and as many completed ones.
_NEWEST = 2000
# Where a word is found and how it is spelt there, the best first.
_PLACES = ((0, "exact"), (0, "begun"), (1, "exact"), (1, "begun"), (0, "meant"), (1, "meant"))
_NOTHING = "SELECT NULL::uuid AS id, 0 AS score, false AS is_done, NULL::timestamptz AS created_at WHERE false"


def find_ranked(
    connection: Connection, wanted: Filter, lookup: Lookup, zone: ZoneInfo, limit: int
) -> list[dict[str, Any]]:
    """The items that fit best: by where and how the words are found, then open before done, then the newest."""
    values = Values()
    anchor = anchor_of(wanted.node, lookup)
    condition = condition_of(wanted, lookup, zone, values)
    ranked = (
        f"SELECT i.id, {_score(wanted, lookup, values)} AS score, i.completed_at IS NOT NULL AS is_done, i.created_at"
    )
    spaces = values.bind([space.id for space in lookup.spaces], "uuid[]")
    parts = [_NOTHING, _NOTHING]
    if anchor is None or anchor.count > MOST_CANDIDATES:
        parts[0] = _newest(ranked, condition, spaces)
    if anchor:
        ids = candidates(anchor, wanted, lookup, values)
        parts[1] = _gathered(ranked, condition, spaces, ids)
    statement = f"""WITH newest AS MATERIALIZED ({parts[0]}),
    gathered AS MATERIALIZED (
        SELECT * FROM ({parts[1]}) g WHERE (SELECT count(*) FROM newest) < {values.bind(limit)}),
    page AS MATERIALIZED (
        SELECT * FROM (SELECT * FROM newest UNION SELECT * FROM gathered) found
        ORDER BY score DESC, is_done, created_at DESC, id DESC LIMIT {values.bind(limit)})
    SELECT {ITEM_COLUMNS} FROM page p JOIN items i ON i.id = p.id {ITEM_TAGS}
    ORDER BY p.score DESC, p.is_done, p.created_at DESC, p.id DESC"""
    return [item_body(row) for row in connection.execute(text(BOUNDED + statement), values.all).all()]


def _newest(ranked: str, condition: Condition, spaces: str) -> str:
    """Those among the newest items that fit, however many others would."""
    return f"""SELECT n.* FROM unnest({spaces}) w (id), unnest(ARRAY[false, true]) d (is_done) CROSS JOIN LATERAL (
            {ranked} FROM (SELECT i.* FROM items i WHERE i.workspace_id = w.id
                    AND (i.completed_at IS NOT NULL) = d.is_done AND i.deleted_at IS NULL
                ORDER BY i.created_at DESC, i.id DESC LIMIT {_NEWEST}) i
            {condition.joins} WHERE {condition.sql}) n"""


def _gathered(ranked: str, condition: Condition, spaces: str, ids: str) -> str:
    """Those that fit among the items of one part of the search, a bounded number of them."""
    return f"""{ranked} FROM (SELECT DISTINCT id FROM ({ids} LIMIT {MOST_CANDIDATES}) c) c JOIN items i ON i.id = c.id
            {condition.joins} WHERE i.workspace_id = ANY ({spaces}) AND {condition.sql}"""


def searched_words(node: Node) -> Iterator[str]:
    """The words that an item is wanted for, not those that it must not have."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from searched_words(part)
        case Says(words):
            yield from words


def _score(wanted: Filter, lookup: Lookup, values: Values) -> str:
    words = dict.fromkeys(searched_words(wanted.node))
    return " + ".join(_score_of(lookup.spellings[word], values) for word in words) or "0"


def _score_of(spelling: Spelling, values: Values) -> str:
    """Six for a word of the title that is exactly this, down to one for a word of the notes that may be meant."""
    cases = []
    for worse, (place, how) in enumerate(_PLACES):
        if numbers := getattr(spelling, how):
            keys = values.bind([number * 2 + place for number in numbers], "bigint[]")
            cases.append(f"WHEN e.keys && {keys} THEN {len(_PLACES) - worse}")
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
