"""Serves a WSGI application from a thread of ours, with a thread for every connection."""

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
def serving(app: WSGIApplication, address: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The application's URL while the block runs; port 0 is a free one. Behind it, connections are refused."""
    server = make_server(address, port, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
