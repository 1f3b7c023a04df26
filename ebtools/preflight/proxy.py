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
    user = "user root;\n" if os.geteuid() == 0 else ""
    text = re.sub(r"^user\s+nginx;\n", user, text, flags=re.MULTILINE)
    text = re.sub(r"^pid\s+\S+;\n", f"pid {target}/nginx.pid;\n", text, flags=re.MULTILINE)
    # The limit of open files is computed for an instance, and only root may raise it so far.
    text = re.sub(r"^worker_rlimit_nofile\s+\d+;\n", "", text, flags=re.MULTILINE)
    return _with_temporary_paths(text, target)


def _with_defaults(text: str, target: Path) -> str:
    """What nginx takes where a main file says nothing may be written by root alone."""
    if re.search(r"^\s*access_log\s", text, flags=re.MULTILINE) is None:
        text = re.sub(r"^http \{\n", f"http {{\n    access_log {target}/log/access.log;\n", text, flags=re.MULTILINE)
    if re.search(r"^\s*pid\s", text, flags=re.MULTILINE) is None:
        text = f"pid {target}/nginx.pid; {text}"
    return text


def _with_temporary_paths(text: str, target: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"    {kind}_temp_path {target}/{kind};\n" for kind in kinds)
    return re.sub(r"^http \{\n", f"http {{\n{paths}", text, flags=re.MULTILINE)
