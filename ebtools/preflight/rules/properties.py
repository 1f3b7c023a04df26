"""Rules about environment properties, which reach the application as they are written and nowhere expanded."""

import re
from collections.abc import Iterator

from ebtools.preflight.case import ENVIRONMENT, Case
from ebtools.preflight.extensions import Setting
from ebtools.preflight.findings import Finding, Outcome, Rule

MOST_BYTES = 4096
# What stands for a value that CloudFormation computes: no address, name or ARN is longer.
_COMPUTED_BYTES = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\}|\([a-z])")
_QUOTED = re.compile(r"(['\"])[^'\"]*\1", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _at(setting: Setting, message: str) -> Finding:
    return Finding(f"{setting.name}: {message}", setting.file, setting.line)


def _properties(case: Case) -> Iterator[Setting]:
    for setting in case.chosen.values():
        if setting.namespace == ENVIRONMENT and not isinstance(setting.value, dict | list):
            yield setting


def _values(case: Case) -> Iterator[Setting]:
    return (setting for setting in _properties(case) if not setting.is_computed)


def size(case: Case) -> int:
    """Bytes of all properties as the platform counts them, a name=value each; computed values are estimated."""
    return sum(
        len(setting.name.encode()) + 1 + (_COMPUTED_BYTES if setting.is_computed else len(setting.text.encode()))
        for setting in _properties(case)
    )


def _size(case: Case) -> Iterator[Outcome]:
    total = size(case)
    if total > MOST_BYTES:
        largest = max(_properties(case), key=lambda setting: len(setting.text.encode()))
        yield _at(largest, f"all properties together take {total:,} bytes, this one the most of them")


def _names(case: Case) -> Iterator[Outcome]:
    for setting in _properties(case):
        if not _NAME.fullmatch(setting.name):
            yield _at(setting, "no shell and no systemd takes this name for a variable's")


def _unexpanded(case: Case) -> Iterator[Outcome]:
    for setting in _values(case):
        found = _VARIABLE.search(setting.text)
        if found:
            yield _at(setting, f"{found.group()} stays as it is written")


def _quotes(case: Case) -> Iterator[Outcome]:
    for setting in _values(case):
        if _QUOTED.fullmatch(setting.text.strip()):
            yield _at(setting, "the value begins and ends with a quote beside those of YAML")


def _newlines(case: Case) -> Iterator[Outcome]:
    for setting in _values(case):
        if "\n" in setting.text:
            ends = "; it ends with one" if "\n" not in setting.text.rstrip("\n") else ""
            yield _at(setting, f"the value holds a newline{ends}")


def _control(case: Case) -> Iterator[Outcome]:
    for setting in _values(case):
        if _FORBIDDEN.search(setting.text):
            yield _at(setting, "the value holds a control character")


RULES = (
    Rule(
        "properties/size",
        "Environment properties beyond 4096 bytes",
        "All names and values together may take 4096 bytes; beyond them Elastic Beanstalk refuses the update, and it "
        "adds those of a coupled database by itself.",
        "Move what is long into the bundle, into Secrets Manager or into the Parameter Store.",
        _size,
    ),
    Rule(
        "properties/name",
        "A property that cannot be a variable",
        "The properties are written into a file of systemd's, which leaves out a name that is none of a variable's.",
        "Use letters, digits and underscores, and begin with a letter.",
        _names,
        "warning",
    ),
    Rule(
        "properties/not-expanded",
        "A property that names a variable of the shell",
        "Nothing expands a property: the application gets the dollar sign and the name, and PYTHONPATH loses what the "
        "platform put into it.",
        "Write the value itself; let the application or the Procfile's command add to a variable.",
        _unexpanded,
        "warning",
    ),
    Rule(
        "properties/quoted-twice",
        "A property with quotes of its own",
        "YAML takes off one pair of quotes; the second one is part of the value, unless its next reader takes it off.",
        "Leave one pair of quotes.",
        _quotes,
        "warning",
    ),
    Rule(
        "properties/newline",
        "A property of several lines",
        "Platforms before Amazon Linux 2023 fail on it, and a hook that reads the properties line by line gets a part.",
        "Write it on one line, or as Base64.",
        _newlines,
        "warning",
    ),
    Rule(
        "properties/control-character",
        "A property with a control character",
        "Elastic Beanstalk documents letters, digits, blanks and punctuation as values; others are refused.",
        "Remove the character, or write the value as Base64.",
        _control,
    ),
)
