"""So many at once, so many waiting in order, the rest refused; and a permit always comes back."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from werkzeug.test import Client, TestResponse

from fastier.settings import Settings
from fastier.web import admission as admission_module
from fastier.web.admission import Admission, Lane
from fastier.web.middleware import wrap
from fastier.web.sizing import Sizing

BEHIND_NGINX = Settings("development", "", "", trusted_hops=1)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited ten seconds in vain"
        time.sleep(0.002)


def hello(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def client(app: WSGIApplication, admission: Admission, *, is_ready: bool = False) -> Client:
    return Client(wrap(app, settings=BEHIND_NGINX, admission=admission, is_ready=lambda: is_ready))


def admission(permits: int = 1, waiting: int = 0, transfers: int = 0, patience: float = 0.05) -> Admission:
    return Admission(Sizing(1, permits, waiting, transfers), patience=patience)


def is_refusal(response: TestResponse) -> bool:
    return response.status_code == 503 and response.get_json()["code"] == "overloaded"


def test_waiters_are_served_in_the_order_of_their_arrival() -> None:
    lane, order = Lane(1, 5), []
    assert lane.enter(0)

    def wait(number: int) -> None:
        assert lane.enter(10)
        order.append(number)
        lane.leave()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        until(lambda: lane.queued == number)  # noqa: B023
    lane.leave()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_a_full_waiting_room_refuses_at_once_and_patience_ends() -> None:
    lane = Lane(1, 1)
    assert lane.enter(0)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(lane.enter(0.2)))
    waiter.start()
    until(lambda: lane.queued == 1)
    assert not lane.enter(10)
    waiter.join(10)
    assert answers == [False]
    assert lane.queued == 0
    lane.leave()
    assert lane.enter(0)


def test_where_a_queue_has_been_standing_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "STANDING_SECONDS", 0.05)
    monkeypatch.setattr(admission_module, "SHORT_PATIENCE_SECONDS", 0.02)
    lane = Lane(1, 5)
    assert lane.enter(0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lane.enter, 10)
        until(lambda: lane.queued == 1)
        time.sleep(0.1)
        began = time.monotonic()
        assert not lane.enter(10)
        assert time.monotonic() - began < 5
        lane.leave()
        assert first.result(10), "whoever came while it was empty waits as long as anybody"
        # It was empty in between, so that this is a burst again.
        second = pool.submit(lane.enter, 10)
        until(lambda: lane.queued == 1)
        time.sleep(0.1)
        lane.leave()
        assert second.result(10)


def test_permits_are_neither_lost_nor_made_up_by_many_threads_with_little_patience() -> None:
    lane = Lane(3, 8)
    inside: list[None] = []
    served: list[None] = []
    most = [0]

    def work() -> None:
        for _ in range(300):
            if lane.enter(0.0005):
                inside.append(None)
                most[0] = max(most[0], len(inside))
                inside.pop()
                served.append(None)
                lane.leave()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert served
    assert most[0] <= 3
    assert [lane.enter(0) for _ in range(4)] == [True, True, True, False]


def test_a_refusal_is_a_problem_document_with_everything_on_it() -> None:
    full = admission(permits=0)
    response = client(hello, full).get("/x", headers={"X-Request-Id": "abc.1"})
    assert is_refusal(response)
    assert response.content_type == "application/problem+json"
    assert int(response.headers["Retry-After"]) >= 1
    assert response.headers["X-Request-Id"] == "abc.1"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert set(response.get_json()) == {"type", "title", "status", "detail", "instance", "code"}
    assert response.get_json()["instance"] == "abc.1"
    assert client(hello, full).head("/x").data == b""


def test_whoever_was_queued_too_long_before_is_refused_even_with_a_free_permit() -> None:
    patient = client(hello, admission(permits=3, patience=2))
    assert is_refusal(patient.get("/", headers={"X-Request-Start": f"t={time.time() - 2.5:.3f}"}))
    assert patient.get("/", headers={"X-Request-Start": f"t={time.time() - 0.5:.3f}"}).status_code == 200
    assert patient.get("/", headers={"X-Request-Start": "t=yesterday"}).status_code == 200


def test_a_stamp_counts_only_behind_a_trusted_proxy() -> None:
    direct = Settings("development", "", "")
    app = Client(wrap(hello, settings=direct, admission=admission(), is_ready=lambda: False))
    assert app.get("/", headers={"X-Request-Start": "t=1.0"}).status_code == 200


def test_a_streamed_response_holds_its_permit_until_it_is_closed() -> None:
    app = client(hello, admission())
    first = app.get("/")
    assert is_refusal(app.get("/"))
    first.close()
    first.close()
    second = app.get("/")
    assert second.status_code == 200
    assert is_refusal(app.get("/"))
    second.close()


@pytest.mark.parametrize(
    ("method", "path", "is_apart"),
    [
        ("POST", "/api/v1/attachments/7/complete", True),
        ("GET", "/api/v1/attachments/7", True),
        ("POST", "/api/v1/items/7/attachments", True),
        ("POST", "/api/v1/auth/login", True),
        ("GET", "/api/v1/items/7/attachments", False),
        ("PATCH", "/api/v1/items/7", False),
    ],
)
def test_calls_that_are_slow_by_nature_hold_up_nothing_else(method: str, path: str, is_apart: bool) -> None:
    app = client(hello, admission())
    # A response that is not closed is one under way.
    slow = [app.open(path, method=method) for _ in range(2 if is_apart else 1)]
    assert all(response.status_code == 200 for response in slow)
    assert is_refusal(app.open(path, method=method))
    other = app.get("/api/v1/me")
    assert is_refusal(other) != is_apart
    for response in (*slow, other):
        response.close()


@pytest.mark.parametrize("when", ["before", "during", "closing"])
def test_an_application_that_raises_gives_its_permit_back(when: str) -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"x"
            if when == "during":
                raise RuntimeError("while streaming")

        def close(self) -> None:
            if when == "closing":
                raise RuntimeError("while closing")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fine":
            return hello(environ, start_response)
        if when == "before":
            raise RuntimeError("at once")
        start_response("200 OK", [])
        return Body()

    served = client(app, admission())
    if when == "during":
        with pytest.raises(BrokenPipeError):
            served.get("/", buffered=True)
    else:
        assert served.get("/", buffered=True).status_code == (500 if when == "before" else 200)
    assert served.get("/fine", buffered=True).data == b"hello"


def test_files_have_a_lane_of_their_own() -> None:
    app = client(hello, admission(permits=1, transfers=1))
    transfer, request = app.get("/storage/a"), app.get("/")
    assert (transfer.status_code, request.status_code) == (200, 200)
    assert is_refusal(app.get("/storage/b"))
    transfer.close()
    request.close()


def test_probes_are_answered_without_a_permit_and_without_the_application() -> None:
    full = client(hello, admission(permits=0), is_ready=True)
    assert full.get("/health/live", headers={"Host": "10.0.0.7"}).get_json() == {"status": "live"}
    assert full.get("/health/ready").get_json() == {"status": "ready"}
    head = full.head("/health/live")
    assert (head.status_code, head.data) == (200, b"")
    assert is_refusal(full.post("/health/live"))
    assert is_refusal(client(hello, admission(permits=0)).get("/health/ready"))
