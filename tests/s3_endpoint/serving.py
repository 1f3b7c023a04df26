"""Serves a WSGI application on a free port of the loopback interface, with a thread for every connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    """Writes no access log between the dots of the tests."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """The address of the application while the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
