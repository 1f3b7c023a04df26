"""Clients that ask for more than can be served, and clients that take their time."""

import contextlib
import socket
import threading
import time
from statistics import fmean

from ebtools.rehearse import cores
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage, fault
from ebtools.rehearse.summary import PATIENCE_SECONDS, goodput
from ebtools.rehearse.verdicts import all_healthy, nothing_failed

# Times the usual rate: more than can be served, so that what is served is the most.
SATURATED = 4
OVERLOAD = 10
ROUNDS = 3
SETTLING_SECONDS, MEASURED_SECONDS = 1.0, 3.0
KEPT = 0.8
# Of a burstable type. An instance with less would let as many requests wait as one with two cores does, for far longer.
INSTANCE_CORES = 2


def _overload(stage: Stage) -> None:
    """What is served of just too much, and of ten times that: on as many instances as there are cores for."""
    resting = stage.fleet.members[max(1, cores.for_instances() // INSTANCE_CORES) :]
    stage.fleet.take_out(resting)
    with cores.apart(stage):
        _alternate(stage)
    stage.fleet.bring_in(resting)
    time.sleep(5)


def _alternate(stage: Stage) -> None:
    """One after the other, again and again, as a machine that others use too is faster at some times than at others."""
    just: list[tuple[float, float]] = []
    tenfold: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        just.append(_at_rate(stage, SATURATED * stage.rate, ""))
        # The last answers are still under way.
        served = _mean(stage, [(since, until - PATIENCE_SECONDS) for since, until in just])
        tenfold.append(_at_rate(stage, OVERLOAD * served, f", ten times the {served:.0f} that are served"))
    stage.load.set_rate(stage.rate)
    stage.journal.moment("fault", f"{stage.rate:.0f} requests a second again")
    stage.facts["calm"] = stage.load.now()
    time.sleep(PATIENCE_SECONDS)
    served = _mean(stage, just)
    stage.facts |= {"served": served, "kept": _mean(stage, tenfold) / max(served, 1)}


def _at_rate(stage: Stage, rate: float, told: str) -> tuple[float, float]:
    """Ask at this rate for a while; the seconds that count, which begin when it has settled."""
    stage.load.set_rate(rate)
    stage.journal.moment("fault", f"{rate:.0f} requests a second{told}")
    began = stage.load.now()
    time.sleep(SETTLING_SECONDS + MEASURED_SECONDS)
    return began + SETTLING_SECONDS, began + SETTLING_SECONDS + MEASURED_SECONDS


def _mean(stage: Stage, spans: list[tuple[float, float]]) -> float:
    """Good answers a second over spans of one length."""
    stage.load.collect()
    return fmean(goodput(stage.load.exchanges, *span) for span in spans)


def _goodput_kept(stage: Stage, scene: Scene) -> list[Check]:
    served, kept, calm = (scene.facts[name] for name in ("served", "kept", "calm"))
    bad = [one.due for one in scene.exchanges if one.due > calm and one.outcome != "good"]
    well = max(bad, default=calm) - calm
    return [
        Check("goodput at ten times", f"at least {KEPT:.0%} of {served:.0f}/s", f"{kept:.0%} of it", kept >= KEPT),
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
