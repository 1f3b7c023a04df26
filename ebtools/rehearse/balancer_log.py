"""Reads the load balancer's access log while it is written, and keeps why requests failed."""

import fcntl
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import IO

NO_SERVER = "<NOSRV>"
NO_ID = "-"
MOST_HOPS = 50_000
MOST_SECONDS = 7_200
# HAProxy drops lines rather than wait for a reader: this holds some thousands of them, and is what anybody may ask for.
PIPE_BYTES = 1024 * 1024
# A refusal arrives at once, and that there is no such host only after its address was asked for in vain.
_REFUSED_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Hop:
    """One request that did not go well, as the load balancer saw it; `at` in seconds since 1970, `took` in seconds.

    `server` is empty when no target was chosen; `status` 0 when none was sent; `termination` is HAProxy's two letters.
    """

    server: str
    status: int
    termination: str
    cause: str
    group: str
    at: float
    took: float


class AccessLog:
    """What is worth remembering of the log: the requests that failed, and how many each target got in each second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hops: dict[str, Hop] = {}
        self._counts: dict[tuple[int, str], Counter[str]] = {}
        self._seconds: deque[tuple[int, str]] = deque()
        self._thread: threading.Thread | None = None

    def follow(self, lines: IO[bytes]) -> None:
        """Read a pipe in a thread until its end."""
        fcntl.fcntl(lines, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._thread = threading.Thread(target=self._read, args=(lines,), name="access log", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until everything written is read; its writer must have ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def causes(self) -> dict[str, Hop]:
        """X-Request-Id to what happened, for every request that did not go well, the latest 50,000 of them."""
        with self._lock:
            return dict(self._hops)

    def counts(self) -> dict[tuple[int, str], Counter[str]]:
        """(second since 1970, target) to the number of answers of each kind: "2xx" to "5xx", "none"; two hours."""
        with self._lock:
            return {key: counter.copy() for key, counter in self._counts.items()}

    def _read(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._note(line.decode(errors="replace").rstrip("\n").split("\t"))

    def _note(self, fields: list[str]) -> None:
        # HAProxy's own notices come the same way.
        if len(fields) != 8:
            return
        hop, request_id = _hop(fields), fields[7]
        with self._lock:
            self._count(hop)
            if request_id != NO_ID and not _went_well(hop):
                self._remember(request_id, hop)

    def _count(self, hop: Hop) -> None:
        key = (int(hop.at), hop.server)
        if key not in self._counts:
            self._counts[key] = Counter()
            self._seconds.append(key)
        self._counts[key][f"{hop.status // 100}xx" if hop.status else "none"] += 1
        while self._seconds[0][0] < self._seconds[-1][0] - MOST_SECONDS:
            del self._counts[self._seconds.popleft()]

    def _remember(self, request_id: str, hop: Hop) -> None:
        self._hops.pop(request_id, None)
        self._hops[request_id] = hop
        if len(self._hops) > MOST_HOPS:
            del self._hops[next(iter(self._hops))]


def _went_well(hop: Hop) -> bool:
    return 200 <= hop.status < 500 and hop.termination == "--"


def _hop(fields: list[str]) -> Hop:
    """The fields in the order of the configuration's log-format; times in milliseconds, -1 for what never was."""
    began, backend, server, status, termination, took = fields[:6]
    seconds = max(0, int(took)) / 1000
    return Hop(
        server="" if server == NO_SERVER else server,
        status=max(0, int(status)),
        termination=termination,
        cause=in_words(server, int(status), termination, seconds),
        group=backend.removesuffix("-open"),
        at=float(began),
        took=seconds,
    )


def in_words(server: str, status: int, termination: str, seconds: float) -> str:
    """Why a request ended as it did: HAProxy's two letters tell who ended it, and in which phase."""
    who, phase = termination[:1], termination[1:2]
    if who in "Cc":
        return "the client gave up" if who == "C" else "the client stopped sending or reading"
    if server == NO_SERVER:
        return "no healthy target"
    if who in "DK":
        return f"cut when {server} left: the deregistration delay was over"
    if termination == "SC":
        return f"connection to {server} refused" if seconds < _REFUSED_WITHIN else f"{server} could not be reached"
    known = {
        "sC": f"{server} did not take the connection",
        "SH": f"{server} closed the connection before answering",
        "sH": f"{server} did not answer in time",
        "PH": f"{server} answered something that is not HTTP",
        "--": f"{server} answered {status}",
    }
    if termination in known:
        return known[termination]
    if phase in "DL" and who in "Ss":
        return f"{server} broke off its answer" if who == "S" else f"{server} stalled in the middle of its answer"
    return f"the load balancer ended the request to {server} ({termination})"
