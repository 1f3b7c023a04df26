"""Rules about secrets, which an archive keeps readable in S3 with every version of the application."""

import re
from collections.abc import Iterator

from ebtools.bundle import leaks
from ebtools.preflight.case import ENVIRONMENT, Case
from ebtools.preflight.extensions import FOLDER
from ebtools.preflight.findings import Finding, Outcome, Rule

_NAME = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|SECRET|SECRET_KEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|AUTH_TOKEN)$")
# Values by which somebody says that the real one comes from elsewhere.
_PLACEHOLDER = re.compile(
    r"^$|^<.*>$|^\{\{.*\}\}$|^\$|changeme|change_me|change-me|placeholder|replace|your[-_ ]|xxx|\*\*\*|^arn:|…|\.\.\.",
    re.I,
)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s:]*:(?P<password>[^/@\s]+)@")


def _in_files(case: Case) -> Iterator[Outcome]:
    yield from case.bundle.once("leaks", lambda _: list(_leaks(case)))


def _leaks(case: Case) -> Iterator[Finding]:
    for entry in case.bundle.entries.values():
        for leak in leaks.find(entry.path, entry.content):
            says = f"it holds what looks like {leak.kind}" if leak.line else f"it looks like a file of {leak.kind}"
            yield Finding(says, entry.path, leak.line)


def _in_properties(case: Case) -> Iterator[Outcome]:
    for setting in (one for extension in case.extensions for one in extension.settings):
        is_property = setting.namespace == ENVIRONMENT and not setting.is_computed
        if is_property and _NAME.search(setting.name.upper()) and not _PLACEHOLDER.search(setting.text):
            yield Finding(f"{setting.name} stands in the archive in plain text", setting.file, setting.line)
        elif is_property and _has_password(setting.text):
            yield Finding(f"{setting.name} holds an address with a password", setting.file, setting.line)


def _has_password(text: str) -> bool:
    found = _URL.match(text)
    return found is not None and not _PLACEHOLDER.search(found["password"])


def _database_password(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        is_password = (setting.namespace, setting.name) == ("aws:rds:dbinstance", "DBPassword")
        if is_password and setting.file.startswith(FOLDER) and not setting.is_computed:
            yield Finding("the database's password stands in the archive", setting.file, setting.line)


RULES = (
    Rule(
        "secrets/in-file",
        "A file that holds a secret",
        "Every version stays readable in S3 and on each instance; whoever may read one of them has the secret.",
        "Remove it and replace the secret, for it is no longer one; keep the new one in Secrets Manager.",
        _in_files,
    ),
    Rule(
        "secrets/property",
        "A secret among the environment properties",
        "It stands in the repository, in each archive, and in every dump of the configuration.",
        "Set it in aws:elasticbeanstalk:application:environmentsecrets, or once by eb setenv.",
        _in_properties,
        "warning",
    ),
    Rule(
        "secrets/database-password",
        "The database's password in the archive",
        "Whoever may read a version of the application has the master password of its database.",
        "Leave it out; eb create --database asks for it.",
        _database_password,
    ),
)
