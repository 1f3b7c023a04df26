"""Calls the whole WSGI application as a program would, and holds every answer to the OpenAPI document."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from werkzeug.test import Client, TestResponse

from fastier.database import Statistics
from fastier.web.security_headers import DEFAULTS

PREFIX = "/api/v1"
# Of HTTP itself, or for browsers, on any answer.
EVERYWHERE = {*DEFAULTS, "Content-Type", "Content-Length", "Set-Cookie"}


@dataclass
class Document:
    """The OpenAPI document, ready to check answers against."""

    body: dict[str, Any]

    @cached_property
    def templates(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile("^" + re.sub(r"{\w+}", "[^/]+", path) + "$"), path) for path in self.body["paths"]]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, template in self.templates:
            if pattern.match(path) and method.lower() in self.body["paths"][template]:
                operation: dict[str, Any] = self.body["paths"][template][method.lower()]
                return operation
        return None

    def check(self, method: str, path: str, response: TestResponse) -> None:
        """Assert that the document knows this answer: its status, its headers and its body."""
        operation = self.operation(method, path)
        if operation is None:
            return
        answer = operation["responses"].get(str(response.status_code))
        assert answer is not None, f"{method} {path}: {response.status_code} is not in the document"
        unknown = {name for name, _ in response.headers} - set(answer["headers"]) - EVERYWHERE
        assert not unknown, f"{method} {path}: {response.status_code} has {unknown}, which the document has not"
        missing = {"X-Request-Id"} - {name for name, _ in response.headers}
        assert not missing
        content = answer.get("content")
        if content is None:
            assert response.data == b"", f"{method} {path}: a body where the document has none"
            return
        (media, kind), *_ = content.items()
        assert response.mimetype == media
        schema = {**kind["schema"], "components": self.body["components"]}
        errors = list(Draft202012Validator(schema).iter_errors(orjson.loads(response.data)))
        assert not errors, f"{method} {path}: {errors[0].message} at {list(errors[0].absolute_path)}"


@dataclass
class Api:
    """An anonymous client, or with a token somebody's."""

    client: Client
    document: Document
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, json: Any = None, *, headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """One request; paths are beneath /api/v1 unless they start with a slash-slash-free `/health` or `/api`."""
        full = path if path.startswith(("/api", "/health", "/version", "/storage")) else PREFIX + path
        sent = dict(self.headers)
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= headers or {}
        if json is not None:
            more["data"] = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        response = self.client.open(full, method=method, headers=sent, buffered=True, **more)
        self.document.check(method, full.partition("?")[0], response)
        return response

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, json, **more)

    def patch(self, path: str, json: Any, **more: Any) -> TestResponse:
        return self.call("PATCH", path, json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.call("DELETE", path, **more)


@dataclass
class Person(Api):
    """Somebody who is signed in, with a personal workspace and its inbox."""

    user_id: str = ""
    email: str = ""
    workspace: str = ""
    inbox: str = ""

    def item(self, title: str = "milk", list_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Create an item, in the inbox unless a list is named."""
        response = self.post(f"/lists/{list_id or self.inbox}/items", {"title": title, **fields})
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json
        return made

    def new_list(self, name: str = "Shopping") -> str:
        response = self.post(f"/workspaces/{self.workspace}/lists", {"name": name})
        assert response.status_code == 201, response.text
        return str(response.json["id"])

    def announce(self, item: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Announce a file; the whole answer."""
        new = {"file_name": "notes.txt", "content_type": "text/plain", "size": len(content), **more}
        response = self.post(f"/items/{item}/attachments", new)
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json
        return body

    def send(self, upload: dict[str, Any], content: bytes) -> TestResponse:
        """Send a file in one piece, as any HTTP client would: without a token."""
        path = upload["url"].removeprefix("http://localhost")
        length = {"CONTENT_LENGTH": str(len(content))}
        return self.client.open(
            path,
            method=upload["method"],
            headers=upload["headers"],
            data=content,
            environ_overrides=length,
            buffered=True,
        )

    def upload(self, item: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Announce, send and complete a file; the attachment."""
        body = self.announce(item, content, **more)
        sent = self.send(body["upload"], content)
        assert sent.status_code == 200, sent.text
        response = self.post(f"/attachments/{body['attachment']['id']}/complete")
        assert response.status_code == 200, response.text
        made: dict[str, Any] = response.json
        return made

    def titles(self, list_id: str | None = None, query: str = "") -> list[str]:
        response = self.get(f"/lists/{list_id or self.inbox}/items?limit=200{query}")
        assert response.status_code == 200, response.text
        return [item["title"] for item in response.json["data"]]


def problem(response: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Assert that the answer is this problem, and give its document."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.mimetype == "application/problem+json"
    body: dict[str, Any] = response.json
    assert body["status"] == status
    assert body["instance"] == response.headers["X-Request-Id"]
    assert body["detail"]
    if code is not None:
        assert body["code"] == code
    return body


def pointers(response: TestResponse) -> list[str]:
    """Where a 422 says the faults are."""
    return [error["pointer"] for error in problem(response, 422)["errors"]]


__all__ = ["Api", "Document", "Person", "Statistics", "pointers", "problem"]
