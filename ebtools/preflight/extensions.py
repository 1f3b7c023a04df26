"""Reads .ebextensions and saved configurations with the line of every setting."""

import json
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
    # The scalar as it stands in the file, before YAML gave it a type.
    written: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """What the platform passes on: its options are all text; YAML's booleans and numbers lose their spelling."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return "" if self.value is None else str(self.value)

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
        return list(settings_of(self.file, node))

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
    text = _readable(text)
    try:
        # PyYAML reads YAML 1.1, as the platform does.
        node = yaml.compose(text, yaml.SafeLoader)
        return Extension(entry.path, node, yaml.safe_load(text))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        return Extension(entry.path, None, None, str(getattr(error, "problem", error)), mark.line + 1 if mark else 0)


def _readable(text: str) -> str:
    """JSON in a form that YAML 1.1 reads too; the platform tries both, and JSON may be indented by tabs."""
    try:
        json.loads(text)
    except ValueError:
        return text
    return text.replace("\t", " ").replace("\\/", "/")


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


def settings_of(file: str, node: yaml.Node | None) -> Iterator[Setting]:
    """The options beneath a node, as a list of them or a mapping of namespaces; what is in neither form is left out."""
    if isinstance(node, yaml.SequenceNode):
        for option in node.value:
            yield from _listed(file, option)
    elif isinstance(node, yaml.MappingNode):
        for namespace, options in _entries(node):
            if isinstance(options, yaml.MappingNode):
                resource, own = _addressed(str(namespace.value))
                for name, value in _entries(options):
                    key, written = str(name.value), str(getattr(value, "value", ""))
                    yield Setting(file, line_of(name), own, key, value_of(value), resource, written)


def _entries(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """Keys and values with merged mappings (<<) in place; of two equal keys the last, as YAML has it."""
    copy = yaml.MappingNode(node.tag, list(node.value), node.start_mark, node.end_mark)
    loader = yaml.SafeLoader("")
    try:
        loader.flatten_mapping(copy)
    finally:
        loader.dispose()
    return list({str(getattr(key, "value", "")): (key, value) for key, value in copy.value}.values())


def _listed(file: str, option: yaml.Node) -> Iterator[Setting]:
    facts = value_of(option)
    if isinstance(facts, dict) and "option_name" in facts:
        yield Setting(
            file,
            line_of(option),
            str(facts.get("namespace", "aws:elasticbeanstalk:application:environment")),
            str(facts.get("option_name")),
            facts.get("value"),
            str(facts.get("resource_name") or ""),
            str(getattr(child(option, "value"), "value", "")),
        )


def _addressed(namespace: str) -> tuple[str, str]:
    """Saved configurations write the resource before the namespace: AWSEBAutoScalingGroup.aws:autoscaling:asg."""
    resource, dot, own = namespace.partition(".")
    return (resource, own) if dot and own.startswith("aws:") else ("", namespace)
