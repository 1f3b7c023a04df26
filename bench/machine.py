"""Says where and with what something was measured, without which its figures mean nothing."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.servers import ROOT
from ebtools.local.postgres import Cluster


def about(cluster: Cluster, command: str, placement: str) -> dict[str, Any]:
    """Date, commit, machine and versions; `placement` says which cores the parts had."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": command,
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": _processor(),
        "python": platform.python_version(),
        "postgresql": cluster.programs.version,
        **{name: version(name) for name in ("flask", "gunicorn", "sqlalchemy", "psycopg2-binary")},
        "placement": placement,
    }


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip() or "no commit"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
