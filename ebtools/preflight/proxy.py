"""Assembles the proxy's configuration as the platform does, so that a real nginx can judge it on a laptop."""

import os
import re
import shutil
from pathlib import Path

# A functional equivalent of what the platform itself puts into /etc/nginx.
PLATFORM = Path(__file__).with_name("eb-nginx-default")
MIME_TYPES = "types { text/html html; application/json json; }\n"


def assemble(own: Path, target: Path, *, port: int, upstream_port: int) -> Path:
    """Lay `own` (.platform/nginx) over the platform's files in `target`; returns the nginx.conf to start.

    Like the platform, a file of the same name replaces the platform's. What names this machine, its ports, logs, user
    and /etc/nginx, is moved into `target`, so that an ordinary user can run it beside anything else.
    Each line keeps its number.
    """
    shutil.copytree(PLATFORM, target)
    if own.is_dir():
        shutil.copytree(own, target, dirs_exist_ok=True)
    for folder in ("html", "log/healthd"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    (target / "mime.types").write_text(MIME_TYPES)
    for path in target.rglob("*.conf"):
        path.write_text(_moved(path.read_text(encoding="utf-8"), target, port, upstream_port))
    main = target / "nginx.conf"
    main.write_text(_with_defaults(main.read_text(), target))
    return main


def _moved(text: str, target: Path, port: int, upstream_port: int) -> str:
    text = text.replace("/var/log/nginx", f"{target}/log").replace("/etc/nginx/", f"{target}/")
    text = re.sub(r"\blisten(\s+)80\b", rf"listen\g<1>127.0.0.1:{port}", text)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream_port}")
    # Started by root, nginx would give its workers to an account that cannot reach `target`.
    user = "user root;\n" if os.geteuid() == 0 else "\n"
    text = re.sub(r"^user\s+nginx;\n", user, text, flags=re.MULTILINE)
    text = re.sub(r"^pid\s+\S+;\n", f"pid {target}/nginx.pid;\n", text, flags=re.MULTILINE)
    # The limit of open files is computed for an instance, and only root may raise it so far.
    return re.sub(r"^worker_rlimit_nofile\s+\d+;\n", "\n", text, flags=re.MULTILINE)


def _with_defaults(main: str, target: Path) -> str:
    """The main file with places for what nginx writes; those that it takes by itself are root's alone."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = [f"{kind}_temp_path {target}/{kind};" for kind in kinds]
    if not _says(main, "access_log"):
        places.append(f"access_log {target}/log/access.log;")
    main = re.sub(r"^\s*http\s*\{", lambda http: f"{http[0]} {' '.join(places)}", main, flags=re.MULTILINE)
    return main if _says(main, "pid") else f"pid {target}/nginx.pid; {main}"


def _says(text: str, directive: str) -> bool:
    return re.search(rf"^\s*{directive}\s", text, flags=re.MULTILINE) is not None
