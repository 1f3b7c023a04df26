"""Keeps a core as busy as sending requests would, with what nobody else wants of it, until it is ended."""

import contextlib
import json
import os
import socket
from pathlib import Path

LEAST = 19


def main() -> None:
    """Numbers are read and written, and bytes go through the kernel, as they do where requests are made and passed."""
    # Linux shares processor time among sessions first, and within each by niceness.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LEAST))
    os.nice(LEAST)
    here, there = socket.socketpair()
    known = {str(number): [number] * 9 for number in range(2000)}
    while True:
        for key, numbers in known.items():
            known[key] = json.loads(json.dumps(numbers))
            here.send(b"." * 400)
            there.recv(400)


if __name__ == "__main__":
    main()
