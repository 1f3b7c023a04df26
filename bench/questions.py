"""The requests that are measured: what people ask of a board, of filters, of search and of sync."""

import random
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from bench.content import Content, word

# No two requests in a row ask for the same, where there are several of a kind.
VARIANTS = 40
Requests = list[str]

FILTERS = {
    "none": "",
    "a tag": "@tag-3",
    "p1": "p1",
    "!p1": "!p1",
    "overdue": "overdue",
    "7 days & a tag": "7 days & @tag-3",
    "assigned to me": "assigned to: me",
    "a list": "#list-4",
    "no date & p4": "no date & p4",
    "(two tags) & p2": "(@tag-3 | @tag-4) & p2",
}


def board(place: Content) -> Requests:
    """The first paint of a board of twenty sections, on which half of all items are."""
    return [f"GET /api/v1/lists/{place.board}/board"]


def filtered(wanted: str, place: Content) -> Requests:
    """The first page of a filter."""
    return [f"GET /api/v1/workspaces/{place.workspace}/items?limit=50&filter={quote(wanted)}"]


def mine(place: Content) -> Requests:
    """Today and what is overdue, in all workspaces of a person."""
    return [f"GET /api/v1/me/items?limit=50&filter={quote('today | overdue')}"]


def searched(words: list[str], place: Content) -> Requests:
    """A search for each of these."""
    return [f"GET /api/v1/workspaces/{place.workspace}/search?limit=50&q={quote(each)}" for each in words]


def mixture(place: Content) -> Requests:
    """A hundred requests: 40 pages, 20 filters, 10 boards, 10 searches, 5 times the lists, 15 new items with tags."""
    page = f"GET /api/v1/lists/{place.place.inbox}/items?limit=50"
    lists = f"GET /api/v1/workspaces/{place.workspace}/lists"
    create = f'POST /api/v1/lists/{place.place.inbox}/items {{"title":"a mixed one","tags":["tag-1","tag-2"]}}'
    filters = [filtered(wanted, place)[0] for wanted in FILTERS.values()]
    requests = (
        [page] * 40 + filters * 2 + board(place) * 10 + searched(COMMON[:10], place) + [lists] * 5 + [create] * 15
    )
    random.Random(1).shuffle(requests)  # noqa: S311 - the same order in each run
    return requests


def _mistaken(text: str) -> str:
    """With two letters in the middle exchanged."""
    middle = len(text) // 2
    return text[: middle - 1] + text[middle] + text[middle - 1] + text[middle + 1 :]


# Words of the middle of the vocabulary, which are long enough to be mistaken.
COMMON = [word(rank) for rank in range(800, 8000, 7200 // VARIANTS)]

KINDS: dict[str, Callable[[Content], Requests]] = {
    "board": board,
    **{f"filter: {name}": partial(filtered, wanted) for name, wanted in FILTERS.items()},
    "me: today or overdue": mine,
    "search: the commonest word": partial(searched, [word(1)]),
    "search: the ten commonest": partial(searched, [word(rank) for rank in range(1, 11)]),
    "search: two letters": partial(searched, [word(rank)[:2] for rank in range(1, VARIANTS)]),
    "search: a word": partial(searched, COMMON),
    "search: a typo": partial(searched, [_mistaken(each) for each in COMMON]),
    "search: invioce": partial(searched, ["invioce"]),
    "search: two common words": partial(searched, [f"{word(n)} {word(n + 7)}" for n in range(1, VARIANTS)]),
}
