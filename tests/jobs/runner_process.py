"""A process that runs jobs until SIGTERM, as `python -m fastier jobs` does, with handlers that a test can hold."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from fastier import log
from fastier.app import build_services
from fastier.jobs import Pace, run
from fastier.services import Services
from fastier.settings import Settings


def main(url: str, folder: Path, lease: float, stop: float) -> int:
    settings = Settings(
        environment="development",
        database_url=url,
        secret_key="of the tests " * 4,
        storage_path=folder / "storage",
        mail_path=folder / "mail",
    )
    log.configure(settings)

    def mark(name: str) -> None:
        with (folder / name).open("a") as file:
            file.write(f"{os.getpid()}\n")

    def hold(_services: Services, payload: dict[str, Any]) -> None:
        mark(f"{payload['name']}.begun")
        deadline = time.monotonic() + 60
        while not (folder / "release").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        mark(f"{payload['name']}.done")

    def fail(_services: Services, _payload: dict[str, Any]) -> None:
        raise RuntimeError("it cannot be done")

    pace = Pace(idle=0.05, lease=lease, first_retry=0.01, stop=stop, most_attempts=3)
    run(build_services(settings, pool_size=4), {"hold": hold, "fail": fail}, pace=pace)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
