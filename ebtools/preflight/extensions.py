"""Reads .ebextensions and saved configurations with the line of every setting."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ebtools.preflight.bundle import Bundle, Entry

FOLDER = ".ebextensions"


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as a file sets it; `value` is whatever YAML 1.1 makes of it, so that a surprise can be told."""

    file: str
    line: int
    namespace: str
    name: str
    value: object
    resource: str = ""

    @property
    def is_computed(self) -> bool:
        """Whether CloudFormation computes it, from a function between backticks."""
        return isinstance(self.value, str) and self.value.startswith("`") and self.value.endswith("`")


@dataclass(frozen=True, slots=True)
class Extension:
    """One .config file; `document` is None when it does not parse, and `fault` says why and where."""

    file: str
    node: yaml.Node | None = field(repr=False)
    document: Any = None
    fault: str = ""
    fault_line: int = 0

    @property
    def settings(self) -> list[Setting]:
        """Every option it sets, in both forms that the platform reads."""
        node = child(self.node, "option_settings")
        return list(_settings(self.file, node)) if node is not None else []

    @property
    def resources(self) -> dict[str, Any]:
        found = self.document.get("Resources") if isinstance(self.document, dict) else None
        return found if isinstance(found, dict) else {}


def read(bundle: Bundle) -> list[Extension]:
    """The .config files of .ebextensions, in the order in which the platform reads them; folders in it are not read."""
    return [
        _parse(entry) for entry in bundle.under(FOLDER) if entry.path.endswith(".config") and entry.path.count("/") == 1
    ]


def _parse(entry: Entry) -> Extension:
    text = entry.text
    if text is None:
        return Extension(entry.path, None, fault="it is not UTF-8")
    try:
        # PyYAML reads YAML 1.1, as the platform does; JSON is YAML too.
        node = yaml.compose(text, yaml.SafeLoader)
        return Extension(entry.path, node, yaml.safe_load(text))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        return Extension(entry.path, None, None, str(getattr(error, "problem", error)), mark.line + 1 if mark else 0)


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a mapping's key; the last one when it stands twice, as YAML has it."""
    if not isinstance(node, yaml.MappingNode):
        return None
    found = [value for name, value in node.value if getattr(name, "value", None) == key]
    return found[-1] if found else None


def line_of(node: yaml.Node | None) -> int:
    """Where a node begins, counted from 1."""
    return node.start_mark.line + 1 if node is not None else 0


def value_of(node: yaml.Node) -> Any:
    """What YAML 1.1 makes of a node."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _settings(file: str, node: yaml.Node) -> Iterator[Setting]:
    if isinstance(node, yaml.SequenceNode):
        for option in node.value:
            yield from _listed(file, option)
    elif isinstance(node, yaml.MappingNode):
        for namespace, options in node.value:
            if isinstance(options, yaml.MappingNode):
                for name, value in options.value:
                    yield Setting(file, line_of(name), str(namespace.value), str(name.value), value_of(value))


def _listed(file: str, option: yaml.Node) -> Iterator[Setting]:
    facts = value_of(option)
    if isinstance(facts, dict):
        yield Setting(
            file,
            line_of(option),
            str(facts.get("namespace", "aws:elasticbeanstalk:application:environment")),
            str(facts.get("option_name")),
            facts.get("value"),
            str(facts.get("resource_name") or ""),
        )
