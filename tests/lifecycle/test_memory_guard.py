"""A worker that outgrows its share is replaced, and costs no request."""

from tests.lifecycle.conftest import Serve


def test_a_worker_that_outgrew_its_share_finishes_its_requests_and_is_replaced(serve: Serve) -> None:
    server = serve(FASTIER_WORKER_MEMORY="150")
    under_way = server.hold("one")
    grown = server.get("/grow").headers["X-Process"]
    assert server.holder("one") == int(grown)
    server.until(lambda: any(line.get("event") == "outgrown" for line in server.lines()))
    # What is under way and what arrives meanwhile is answered, by it or by the one that takes its place.
    later = server.send("/after")
    server.release()
    assert b"200 OK" in server.rest_of(under_way)
    assert b"200 OK" in server.rest_of(later)
    assert server.get("/").headers["X-Process"] != grown
