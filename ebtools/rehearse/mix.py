"""Makes up the requests of the load: mixed reads and writes of one person, or the paths of a foreign application."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol
from urllib.parse import quote

from uuid_utils.compat import uuid7

from ebtools.rehearse.answer import Answer
from ebtools.rehearse.people import API, People

# How often each is asked for, in proportion. `create` lets the client choose the id, `create_keyed` the server.
WEIGHTS: Mapping[str, int] = {
    "list": 25,
    "item": 20,
    "filter": 10,
    "not_modified": 20,
    "create": 8,
    "create_keyed": 4,
    "edit": 9,
    "complete": 4,
}
FILTERS = ("p1", "p1 | p2", "@work & !p4", "no date", "today | overdue")
# What a screen shows at first. All parts share this machine's processors, and 50 items would take a tenth more of them.
PAGE = 20
# Items and ETags that are remembered for later requests; a random one makes room.
MOST_REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Write:
    """What a request writes: `kind` create, edit or complete; `item` is empty while the server is to choose the id.

    `mark` is unique to a create and stands in the item's notes, by which it is recognised whatever its id or title.
    """

    kind: str
    item: str = ""
    title: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it is sent; `message` is the whole of it, `write` None for a read."""

    request_id: str
    method: str
    path: str
    message: bytes
    write: Write | None = None


class Mix(Protocol):
    """Requests without end."""

    def next(self, request_id: str) -> Request: ...

    def finished(self, request: Request, answer: Answer | None) -> str:
        """Learn from a good answer (None: there was no good one); the id of the item that was written, or empty."""
        ...


@dataclass
class PathMix:
    """GET of given paths, in the proportion in which they are given; for a bundle whose interface is unknown."""

    paths: Sequence[str]
    headers: Mapping[str, str]
    random: Random

    def next(self, request_id: str) -> Request:
        path = self.random.choice(self.paths)
        return Request(request_id, "GET", path, _message("GET", path, {**self.headers, "X-Request-Id": request_id}))

    def finished(self, request: Request, answer: Answer | None) -> str:
        return ""


class Remembered:
    """A bounded number of keys with a value each, any of which is found by chance in constant time."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.keys: list[str] = []
        self.values: dict[str, str] = {}

    def put(self, key: str, value: str = "") -> None:
        """Remember the key; a random one makes room where there are too many."""
        if key not in self.values:
            if len(self.keys) >= MOST_REMEMBERED:
                self.take()
            self.keys.append(key)
        self.values[key] = value

    def pick(self) -> str:
        """A random key; IndexError where there is none."""
        return self.random.choice(self.keys)

    def take(self) -> str:
        """A random key, which is forgotten; IndexError where there is none."""
        place = self.random.randrange(len(self.keys)) if self.keys else 0
        key, self.keys[place] = self.keys[place], self.keys[-1]
        self.keys.pop()
        del self.values[key]
        return key


class ApiMix:
    """The requests of one person's clients against Fastier's API, from a seeded source of chance.

    Written to are only items that this mix has created and that were acknowledged, each by one request at a time, and
    none any more whose last write had no good answer: so it is always known what must be there in the end.
    """

    def __init__(self, people: People, headers: Mapping[str, str], weights: Mapping[str, int], random: Random) -> None:
        unknown = set(weights) - set(WEIGHTS)
        if unknown or not any(weights.values()):
            raise ValueError(f"weights are needed for some of {', '.join(WEIGHTS)}; unknown: {sorted(unknown)}")
        self.people = people
        self.headers = {**headers, "Authorization": f"Bearer {people.token}"}
        self.random = random
        self.kinds = list(weights)
        self.weights = list(weights.values())
        self.readable = Remembered(random)
        self.writable = Remembered(random)
        self.etags = Remembered(random)
        for item in people.items:
            self.readable.put(item)

    def next(self, request_id: str) -> Request:
        kind = self.random.choices(self.kinds, self.weights)[0]
        if kind in ("edit", "complete"):
            # Where nothing has been created yet, this creates what later ones write to.
            return self._change(request_id, kind) if self.writable.keys else self._create(request_id, str(uuid7()))
        if kind in ("create", "create_keyed"):
            return self._create(request_id, str(uuid7()) if kind == "create" else "")
        return self._read(request_id, kind)

    def finished(self, request: Request, answer: Answer | None) -> str:
        if answer is None:
            return ""
        if request.write is None:
            self._remember_etag(request.path, answer)
            return ""
        item = request.write.item or _id_of(answer)
        if not item:
            return ""
        if request.write.kind == "create":
            self.readable.put(item)
        if request.write.kind != "complete":
            self.writable.put(item)
        self._remember_etag(f"{API}/items/{item}", answer)
        return item

    def _read(self, request_id: str, kind: str) -> Request:
        headers = {"Accept-Encoding": "gzip"}
        path = f"{API}/items/{self.readable.pick()}" if self.readable.keys else ""
        if kind == "filter":
            wanted = quote(self.random.choice(FILTERS))
            path = f"{API}/workspaces/{self.people.workspace}/items?filter={wanted}&limit={PAGE}"
        elif kind == "list" or not path:
            path = f"{API}/lists/{self.random.choice(self.people.lists)}/items?limit={PAGE}"
        elif kind == "not_modified" and self.etags.keys:
            path = self.etags.pick()
            headers["If-None-Match"] = self.etags.values[path]
        return self._request(request_id, "GET", path, headers, None)

    def _create(self, request_id: str, item: str) -> Request:
        write = Write("create", item, f"Thing {request_id}", f"mark {request_id}")
        body: dict[str, object] = {"title": write.title, "notes": write.mark, "priority": self.random.randint(1, 4)}
        if item:
            body["id"] = item
        path = f"{API}/lists/{self.random.choice(self.people.lists)}/items"
        return self._request(request_id, "POST", path, {}, write, body)

    def _change(self, request_id: str, kind: str) -> Request:
        item = self.writable.take()
        path = f"{API}/items/{item}"
        if kind == "complete":
            return self._request(request_id, "POST", f"{path}/complete", {}, Write(kind, item), {})
        write = Write(kind, item, f"Thing {request_id}")
        return self._request(request_id, "PATCH", path, {}, write, {"title": write.title})

    def _request(
        self,
        request_id: str,
        method: str,
        path: str,
        headers: dict[str, str],
        write: Write | None,
        body: dict[str, object] | None = None,
    ) -> Request:
        sent = {**self.headers, **headers, "X-Request-Id": request_id}
        if write is not None:
            sent["Idempotency-Key"] = request_id
        content = json.dumps(body).encode() if body else b""
        return Request(request_id, method, path, _message(method, path, sent, content), write)

    def _remember_etag(self, path: str, answer: Answer) -> None:
        if etag := answer.headers.get("etag"):
            self.etags.put(path, etag)


def _message(method: str, path: str, headers: Mapping[str, str], content: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _id_of(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["id"])
    except (ValueError, LookupError, TypeError):
        return ""
