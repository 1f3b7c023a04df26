"""What the gate needs of an HTTP request as it came over the wire, and S3's way to refuse it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape


class S3Error(Exception):
    """A refusal with S3's status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def document(self) -> bytes:
        inner = f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


@dataclass(frozen=True, slots=True)
class WireRequest:
    """Path and query as they were sent, headers by their lower-case name, and the whole body."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @classmethod
    def from_environ(cls, environ: dict[str, Any]) -> "WireRequest":
        path, _, query = environ["RAW_URI"].partition("?")
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        length = int(headers.get("content-length") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) != length:
            raise S3Error(400, "IncompleteBody", "The body is shorter than Content-Length.")
        return cls(environ["REQUEST_METHOD"], unquote(path), _pairs(query), headers, body)

    def parameter(self, name: str) -> str:
        return dict(self.query).get(name, "")


def _pairs(query: str) -> list[tuple[str, str]]:
    split = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote(name.replace("+", " ")), unquote(value.replace("+", " "))) for name, _, value in split]
