"""Reads one HTTP/1.1 answer from the pieces in which it arrives."""

from dataclasses import dataclass, field

MOST_HEAD_BYTES = 65_536
MOST_BODY_BYTES = 16 * 1024 * 1024


class NotHttp(Exception):
    """What came is no answer of HTTP/1.1, or a larger one than is read."""


@dataclass(slots=True)
class Answer:
    """One answer; `status` is 0 until its head is complete, header names are in small letters."""

    method: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_complete: bool = False
    has_bytes: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    # Bytes that are missing of the body, or of the current chunk with its line end; None where the end closes it.
    _missing: int | None = 0
    _is_chunked: bool = False

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return self._missing is None or self.headers.get("connection", "").lower() == "close"

    def feed(self, piece: bytes) -> None:
        """Take what has arrived; NotHttp when it cannot be an answer."""
        self.has_bytes = True
        self._buffer += piece
        while self.status == 0 and not self.is_complete:
            if not self._take_head():
                return
        if self._is_chunked:
            self._take_chunks()
        else:
            self._take_body()

    def end(self) -> bool:
        """The connection was closed: whether the answer is complete by that."""
        self.is_complete = self.is_complete or (self.status != 0 and self._missing is None)
        return self.is_complete

    def _take_head(self) -> bool:
        """Take one head, an interim one too; whether there was a whole one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD_BYTES or not b"HTTP/1.".startswith(bytes(self._buffer[:7])):
                raise NotHttp
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        status = _status(first)
        if status >= 200:
            self.headers = {name.strip().lower(): value.strip() for name, _, value in map(_parted, lines)}
            self.status = status
            self._measure()
        return True

    def _measure(self) -> None:
        if self.method == "HEAD" or self.status in (204, 304):
            self._missing = 0
        elif "chunked" in self.headers.get("transfer-encoding", "").lower():
            self._is_chunked = True
        elif "content-length" in self.headers:
            self._missing = _number(self.headers["content-length"], 10)
        else:
            self._missing = None

    def _take_body(self) -> None:
        taken = self._buffer if self._missing is None else self._buffer[: self._missing]
        self._keep(taken)
        if self._missing is not None:
            self._missing -= len(taken)
            self.is_complete = self._missing == 0
        self._buffer.clear()

    def _take_chunks(self) -> None:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            size = _number(self._buffer[:end].partition(b";")[0].decode("latin-1"), 16)
            # The last chunk is followed by an empty line; trailers are not expected of any part here.
            if len(self._buffer) < end + 2 + size + 2:
                return
            self._keep(self._buffer[end + 2 : end + 2 + size])
            del self._buffer[: end + 2 + size + 2]
            if size == 0:
                self.is_complete = True
                return

    def _keep(self, taken: bytearray) -> None:
        self.body += taken
        if len(self.body) > MOST_BODY_BYTES:
            raise NotHttp


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _status(line: str) -> int:
    if not line.startswith("HTTP/1.") or not line[9:12].isdigit():
        raise NotHttp
    return int(line[9:12])


def _number(text: str, base: int) -> int:
    # int() alone would take a sign and underscores too.
    if not text.strip().isalnum():
        raise NotHttp
    try:
        return int(text.strip(), base)
    except ValueError as error:
        raise NotHttp from error
