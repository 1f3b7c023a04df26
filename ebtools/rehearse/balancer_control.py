"""Asks a running HAProxy, over its control socket, about its servers, and has it change them."""

import csv
import socket
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ebtools.rehearse.balancer_config import BalancerError

_SECONDS = 10.0
_LARGEST_REPLY = 16 * 1024 * 1024
_DONE = ("", "New server registered.", "Server deleted.")
# Its numbers for servers among frontends, backends and servers.
_ALL_PROXIES, _SERVERS, _ALL_SERVERS = -1, 4, -1


@dataclass(frozen=True, slots=True)
class Server:
    """What HAProxy says of one server."""

    backend: str
    name: str
    status: str
    check: str
    in_flight: int

    @property
    def is_up(self) -> bool:
        """Also while single checks fail, and not while only single ones pass ("UP 1/3", "DOWN 1/2")."""
        return self.status.startswith("UP")

    @property
    def has_passed(self) -> bool:
        """Whether its last health check passed."""
        return self.check == "L7OK"


class Control:
    """The control socket at a path; each question has a connection of its own, so threads may share this."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, command: str) -> str:
        """The answer to a command; raises OSError when HAProxy is gone or silent for 10 s."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(command.encode() + b"\n")
            return _everything(connection).decode(errors="replace").strip()

    def order(self, command: str) -> None:
        """Have it do something; raises BalancerError with HAProxy's own words when it does not."""
        if (answer := self.attempt(command)) is not None:
            raise BalancerError(f"the load balancer refused '{command}': {answer}")

    def attempt(self, command: str) -> str | None:
        """None when it did it, else why it did not; raises BalancerError when nobody is there."""
        try:
            answer = self.ask(command)
        except OSError as error:
            raise BalancerError(f"the load balancer does not answer: {error}") from error
        return None if answer in _DONE else answer

    def servers(self) -> list[Server]:
        """All servers of all backends; raises BalancerError when nobody is there."""
        try:
            answer = self.ask(f"show stat {_ALL_PROXIES} {_SERVERS} {_ALL_SERVERS}")
        except OSError as error:
            raise BalancerError(f"the load balancer does not answer: {error}") from error
        return [_server(row) for row in csv.DictReader(StringIO(answer.removeprefix("# ")))]


def _everything(connection: socket.socket) -> bytes:
    received = bytearray()
    while (piece := connection.recv(65_536)) and len(received) < _LARGEST_REPLY:
        received += piece
    return bytes(received)


def _server(row: dict[str, str]) -> Server:
    return Server(
        backend=row["pxname"],
        name=row["svname"],
        status=row["status"],
        # A star says that the next check is under way.
        check=row["check_status"].removeprefix("* "),
        in_flight=int(row["scur"] or 0),
    )
