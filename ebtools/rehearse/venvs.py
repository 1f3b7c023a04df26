"""Makes the virtual environment that the platform's engine would, once for each list of requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ebtools.rehearse.engine import VENV

PATIENCE_SECONDS = 900
# Of what the platform installs, in this order; the first that is there counts.
LISTS = ("requirements.txt",)


class VenvError(Exception):
    """The requirements cannot be installed; the message has pip's last lines."""


def prepare(archive: Path, cache: Path) -> Path:
    """The folder that instances find at /var/app/venv; made by pip, at that very path, when `cache` has none yet.

    It needs the network, so it is called before the region is entered. Raises VenvError.
    """
    with zipfile.ZipFile(archive) as opened:
        requirements = opened.read(LISTS[0]) if LISTS[0] in opened.namelist() else b""
    name = hashlib.sha256(requirements + sys.version.encode()).hexdigest()[:16]
    made = cache / name
    if not (made / "complete").exists():
        shutil.rmtree(made, ignore_errors=True)
        (made / "venv").mkdir(parents=True)
        (cache / "pip").mkdir(exist_ok=True)
        (made / "requirements.txt").write_bytes(requirements)
        _install(made, cache)
        (made / "complete").touch()
    return made / "venv"


def _install(made: Path, cache: Path) -> None:
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    pip = f"{VENV}/bin/pip --disable-pip-version-check --quiet install"
    script = f"{python} -m venv {VENV} && {pip} gunicorn && {pip} -r /var/made/requirements.txt"
    mounts = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/var", "--dir", "/var/scratch"]
    mounts += ["--bind", str(made / "venv"), "/var/app/venv", "--ro-bind", str(made), "/var/made"]
    mounts += ["--bind", str(cache / "pip"), "/var/cache/pip", "--die-with-parent"]
    environ = {
        **os.environ,
        "PIP_CACHE_DIR": "/var/cache/pip",
        "TMPDIR": "/var/scratch",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    try:
        done = subprocess.run(
            ["bwrap", *mounts, "--", "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            env=environ,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VenvError(f"pip did not end: {error}") from None
    if done.returncode != 0:
        raise VenvError("pip failed: " + " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:]))
