"""Builds the environment of the application's processes, in which nothing is there by chance."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ebtools.local.places import Places

# What a program needs on any machine, what the application reads itself, and what its libraries read.
_PASSED = {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOG_LEVEL", "TMPDIR", "TZ", "USER", "WEB_CONCURRENCY"}
_PASSED |= {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
_PASSED_PREFIXES = ("AWS_", "FASTIER_", "SSL_CERT_")
# libpq's own variables say how to reach a given database, and would mislead it about ours.
_LIBPQ_PREFIX = "PG"


def build(places: Places, environ: Mapping[str, str], *, port: int, database_url: str) -> dict[str, str]:
    """The caller's own settings, completed by ours where there is none."""
    ours = {
        "FASTIER_ENV": "development",
        "FASTIER_STORAGE": "local",
        "FASTIER_STORAGE_PATH": str(places.storage),
        "FASTIER_MAIL": "files",
        "FASTIER_MAIL_PATH": str(places.mail),
        "FASTIER_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    given = {name: value for name, value in environ.items() if value and _is_passed(name, environ)}
    chosen = {**ours, **given, "DATABASE_URL": database_url, "PORT": str(port), "PATH": _path(environ)}
    return chosen if "FASTIER_SECRET_KEY" in chosen else {**chosen, "FASTIER_SECRET_KEY": places.secret_key()}


def _is_passed(name: str, environ: Mapping[str, str]) -> bool:
    prefixes = (*_PASSED_PREFIXES, _LIBPQ_PREFIX) if environ.get("DATABASE_URL") else _PASSED_PREFIXES
    return name in _PASSED or name.startswith(prefixes)


def _path(environ: Mapping[str, str]) -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH") or os.defpath])
