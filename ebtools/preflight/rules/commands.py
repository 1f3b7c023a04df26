"""Rules about commands, container_commands and packages in .ebextensions."""

import re
from collections.abc import Iterator

import yaml

from ebtools.preflight.case import Case
from ebtools.preflight.extensions import child, line_of, value_of
from ebtools.preflight.findings import Finding, Outcome, Rule

_MIGRATES = re.compile(r"\b(?:alembic\s+upgrade|flask\s+db\s+upgrade|manage\.py\s+migrate)\b")
_NEEDS_VENV = re.compile(
    r"(?<![\w/.-])(?:pip3?\s+install|flask\s+\w|alembic\s+\w|python3?\s+(?:-m\s+\w+|[\w./-]+\.py))"
)
_VENV = re.compile(r"/var/app/venv/|activate|PYTHONPATH")
# By the name that they had on Amazon Linux 2 or Debian.
_GONE = {
    "postgresql-devel": "libpq-devel",
    "postgresql96-devel": "libpq-devel",
    "libpq-dev": "libpq-devel",
    "python3-dev": "the branch's own, such as python3.13-devel",
    "mysql-devel": "mariadb105-devel",
    "epel-release": "none; Amazon Linux 2023 has no EPEL",
}


def commands(case: Case, section: str) -> Iterator[tuple[str, int, str, dict[str, object]]]:
    """File, line, name and what is said of each command of a section."""
    for extension in case.extensions:
        node = child(extension.node, section)
        if isinstance(node, yaml.MappingNode):
            for name, body in node.value:
                facts = value_of(body)
                yield extension.file, line_of(name), str(name.value), facts if isinstance(facts, dict) else {}


def _all(case: Case) -> Iterator[tuple[str, int, str, dict[str, object], str]]:
    for section in ("commands", "container_commands"):
        for file, line, name, facts in commands(case, section):
            command = facts.get("command", "")
            text = " ".join(map(str, command)) if isinstance(command, list) else str(command)
            yield file, line, name, facts, text


def _leader_and_test(case: Case) -> Iterator[Outcome]:
    for file, line, name, facts in commands(case, "container_commands"):
        if str(facts.get("leader_only", "")).lower() == "true" and "test" in facts:
            yield Finding(f"{name} has leader_only and test", file, line)


def _venv(case: Case) -> Iterator[Outcome]:
    for file, line, name, _, text in _all(case):
        if (match := _NEEDS_VENV.search(text)) and not _VENV.search(text):
            yield Finding(f"{name} runs `{match[0].strip()}` without saying which Python's", file, line)


def _migration(case: Case) -> Iterator[Outcome]:
    for file, line, name, facts in commands(case, "container_commands"):
        text = str(facts.get("command", ""))
        if (match := _MIGRATES.search(text)) and str(facts.get("leader_only", "")).lower() != "true":
            yield Finding(f"{name} runs `{match[0]}` on every instance", file, line)


def _early(case: Case) -> Iterator[Outcome]:
    for file, line, name, facts in commands(case, "commands"):
        if match := _MIGRATES.search(str(facts.get("command", ""))):
            yield Finding(f"{name} runs `{match[0]}` before the new code is there", file, line)


def _packages(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        node = child(child(extension.node, "packages"), "yum")
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if name.value in _GONE:
                    instead = _GONE[name.value]
                    message = f"Amazon Linux 2023 has no {name.value}"
                    yield Finding(message, extension.file, line_of(name), f"Its name there is {instead}.")


def _executable(case: Case) -> Iterator[Outcome]:
    for file, line, name, facts in commands(case, "container_commands"):
        first = str(facts.get("command", "")).split(maxsplit=1)[:1]
        path = first[0].removeprefix("./") if first else ""
        entry = case.bundle.entries.get(path)
        # An archive made on Windows keeps no modes at all, which is not known to be wrong.
        if entry is not None and entry.mode and not entry.is_executable:
            yield Finding(f"{name} runs {path}, which is not executable", file, line)


RULES: tuple[Rule, ...] = (
    Rule(
        "commands/leader-and-test",
        "A container command with leader_only and test",
        "The platform takes only one of the two.",
        "Put the test into the command itself.",
        _leader_and_test,
    ),
    Rule(
        "commands/which-python",
        "A command that does not say which Python it means",
        "It may find the system's 3.9, which has none of the application's packages.",
        "Name the virtual environment's programs, or activate it first: `source /var/app/venv/*/bin/activate`.",
        _venv,
        "warning",
    ),
    Rule(
        "commands/migration-everywhere",
        "A migration that every instance runs at once",
        "Two of them change the same tables at the same time; the slower one fails, and its deployment with it.",
        "Add `leader_only: true`, or take a lock in the migration and run it in a predeploy hook.",
        _migration,
        "warning",
    ),
    Rule(
        "commands/too-early",
        "A migration before the archive is unpacked",
        "Commands run before the new code is there: it migrates by the old one, or finds none.",
        "Move it to container_commands, or to a predeploy hook.",
        _early,
    ),
    Rule(
        "commands/package-name",
        "A package that Amazon Linux 2023 does not have",
        "Nothing is found under this name, and the deployment fails before the archive is unpacked.",
        "Look it up with `dnf search` on an instance.",
        _packages,
    ),
    Rule(
        "commands/not-executable",
        "A container command that is no program",
        "The platform marks hooks as executable and nothing else, so the command ends with `Permission denied`.",
        "Name its interpreter, as in `bash script.sh`, or mark it in git with `git update-index --chmod=+x`.",
        _executable,
    ),
)
