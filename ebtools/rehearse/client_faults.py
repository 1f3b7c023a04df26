"""Clients that ask for more than can be served, and clients that take their time."""

import contextlib
import socket
import threading
import time

from ebtools.rehearse import cores
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage, fault
from ebtools.rehearse.summary import PATIENCE_SECONDS, goodput
from ebtools.rehearse.verdicts import all_healthy, nothing_failed

OVERLOAD = 10


def _overload(stage: Stage) -> None:
    """First as many as saturate it, then ten times what was served, on cores of their own for both sides."""
    with cores.apart(stage):
        _overload_for(stage, 8.0)
    time.sleep(5)


def _overload_for(stage: Stage, seconds: float) -> None:
    stage.load.set_rate(stage.rate * 4)
    stage.journal.moment("fault", f"{stage.rate * 4:.0f} requests a second")
    stage.facts["peak from"] = stage.load.now() + 2
    time.sleep(seconds)
    stage.facts["peak to"] = stage.load.now() - 1
    stage.load.collect()
    peak = goodput(stage.load.exchanges, stage.facts["peak from"], stage.facts["peak to"])
    stage.facts["peak"] = peak
    stage.load.set_rate(peak * OVERLOAD)
    stage.journal.moment("fault", f"{peak * OVERLOAD:.0f} requests a second, ten times the {peak:.0f} that are served")
    stage.facts["over from"] = stage.load.now() + 2
    time.sleep(seconds)
    stage.facts["over to"] = stage.load.now() - 1
    stage.load.set_rate(stage.rate)
    stage.journal.moment("fault", f"{stage.rate:.0f} requests a second again")
    stage.facts["calm"] = stage.load.now()


def _goodput_kept(stage: Stage, scene: Scene) -> list[Check]:
    peak = scene.facts["peak"]
    kept = goodput(scene.exchanges, scene.facts["over from"], scene.facts["over to"])
    calm = scene.facts["calm"]
    bad = [one.due for one in scene.exchanges if one.due > calm and one.outcome != "good"]
    well = max(bad, default=calm) - calm
    return [
        Check(
            "goodput at ten times",
            f"at least 80 % of {peak:.0f}/s",
            f"{kept:.0f}/s, {kept / peak:.0%}",
            kept >= 0.8 * peak,
        ),
        Check("well again", "within 5 s", f"after {well:.1f} s", well <= 5),
        all_healthy(stage),
    ]


def _dribble(stage: Stage) -> None:
    """Two hundred connections that send a request's head byte by byte, and never end it."""
    stop = threading.Event()
    thread = threading.Thread(target=_send_slowly, args=(stage.balancer.address, stop), daemon=True)
    thread.start()
    stage.journal.moment("fault", "two hundred clients send a byte a second")
    time.sleep(8)
    stop.set()
    thread.join(10)
    stage.journal.moment("fault", "they are gone")


def _send_slowly(address: str, stop: threading.Event) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: fastier.test\r\nX-Slow: " + b"a" * 1000
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection((address, 80), timeout=5)) for _ in range(200)]
        for byte in head:
            if stop.wait(1):
                return
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(bytes([byte]))


SCRIPTS = (
    fault("overload", "Ten times as many requests as can be served", _overload, _goodput_kept, PATIENCE_SECONDS),
    fault("dribbling client", "Clients send a byte a second", _dribble, nothing_failed),
)
