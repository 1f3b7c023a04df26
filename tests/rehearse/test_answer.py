"""Answers of HTTP, however they are cut into pieces."""

import pytest

from ebtools.rehearse.answer import Answer, NotHttp
from tests.rehearse.small_server import GOOD

ANSWERS = {
    GOOD: (200, b"hello"),
    b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n": (304, b""),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}": (201, b"{}"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n": (200, b"hello"),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, b""),
}


@pytest.mark.parametrize("message", ANSWERS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_complete_with_its_last_byte_however_it_is_cut(message: bytes, size: int) -> None:
    answer = Answer("GET")
    for start in range(0, len(message), size):
        assert not answer.is_complete
        answer.feed(message[start : start + size])
    assert answer.is_complete
    assert (answer.status, bytes(answer.body)) == ANSWERS[message]
    assert not answer.closes


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer = Answer("GET")
    answer.feed(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert not answer.is_complete
    assert answer.closes
    assert answer.end()
    assert bytes(answer.body) == b"hello"


@pytest.mark.parametrize(
    "message",
    [
        b"SSH-2.0",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_told_apart(message: bytes) -> None:
    with pytest.raises(NotHttp):
        Answer("GET").feed(message)
