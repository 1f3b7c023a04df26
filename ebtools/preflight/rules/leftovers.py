"""Rules about what only platforms before Amazon Linux 2023 had."""

import re
from collections.abc import Iterator

from ebtools.preflight.bundle import Entry
from ebtools.preflight.case import Case
from ebtools.preflight.extensions import FOLDER
from ebtools.preflight.findings import Finding, Outcome, Rule

# Text that names it, and what took its place.
_HOOKS = {r"/opt/elasticbeanstalk/hooks\b": "Put an executable script into .platform/hooks."}
_PATHS = {
    r"/opt/python/(?:run|current|bundle|ondeck|etc|log)\b": "The application is in /var/app, with a venv.",
    r"/etc/httpd/conf\.d/wsgi": "gunicorn serves the application; say in the Procfile how.",
    r"\bWSGIDaemonProcess\b|\bWSGIPassAuthorization\b": "gunicorn serves the application, and passes all headers.",
    r"/opt/elasticbeanstalk/support/envvars\b": "Use /opt/elasticbeanstalk/bin/get-config environment.",
    r"/opt/elasticbeanstalk/containerfiles\b": "Use /opt/elasticbeanstalk/bin/get-config container.",
}


def _old_hooks(case: Case) -> Iterator[Outcome]:
    yield from case.bundle.once("old hooks", lambda _: list(_named(case, _HOOKS)))


def _old_paths(case: Case) -> Iterator[Outcome]:
    yield from case.bundle.once("old paths", lambda _: list(_named(case, _PATHS)))


def _named(case: Case, patterns: dict[str, str]) -> Iterator[Finding]:
    for entry in _scripts(case):
        for number, line in enumerate((entry.text or "").splitlines(), start=1):
            for pattern, mend in patterns.items():
                found = re.search(pattern, line)
                if found and not line.lstrip().startswith("#"):
                    yield Finding(f"{found.group()} is of an older platform", entry.path, number, mend)


def _scripts(case: Case) -> list[Entry]:
    """What the platform runs or reads at a deployment."""
    extensions = [entry for entry in case.bundle.under(FOLDER) if entry.path.endswith(".config")]
    root = [case.bundle.entries[name] for name in ("Buildfile", "Procfile") if name in case.bundle]
    return [*extensions, *case.bundle.under(".platform"), *root]


RULES = (
    Rule(
        "leftovers/hooks",
        "A hook of platforms before Amazon Linux 2",
        "Nothing runs what lies there; the step that the hook did is missing, without a word.",
        "Move it into .platform/hooks or .platform/confighooks.",
        _old_hooks,
        "warning",
    ),
    Rule(
        "leftovers/path",
        "A path or a command that Amazon Linux 2023 does not have",
        "The command fails and the deployment with it, or nothing reads the file.",
        "Use what the current platform has in its place.",
        _old_paths,
    ),
)
