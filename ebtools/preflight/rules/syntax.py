"""Rules about the files of .ebextensions as YAML, and as what the platform reads of them."""

from collections.abc import Iterator

import yaml

from ebtools.preflight import options
from ebtools.preflight.bundle import Entry
from ebtools.preflight.case import Case
from ebtools.preflight.extensions import FOLDER, Extension, child, line_of
from ebtools.preflight.findings import Finding, Outcome, Rule

# What customises instances, and what becomes part of the environment's CloudFormation template.
_INSTANCE = ("commands", "container_commands", "files", "groups", "packages", "services", "sources", "users")
_TEMPLATE = ("Conditions", "Mappings", "Outputs", "Parameters", "Resources")
KEYS = frozenset({"option_settings", *_INSTANCE, *_TEMPLATE})
_LISTED = frozenset({"namespace", "option_name", "value", "resource_name"})


def _syntax(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        if extension.fault and not _tab_line(case, extension):
            yield Finding(f"it is no YAML: {extension.fault}", extension.file, extension.fault_line)


def _tabs(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        line = _tab_line(case, extension)
        if line:
            yield Finding("the line begins with a tab", extension.file, line)


def _tab_line(case: Case, extension: Extension) -> int:
    """The line that a tab breaks; 0 where something else is wrong. JSON and blocks of text may hold tabs."""
    lines = (case.bundle.text(extension.file) or "").splitlines()
    near = range(max(0, extension.fault_line - 2), min(len(lines), extension.fault_line)) if extension.fault else ()
    return next((n + 1 for n in near if "\t" in lines[n][: len(lines[n]) - len(lines[n].lstrip())]), 0)


def _marks(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        if case.bundle.entries[extension.file].content.startswith(b"\xef\xbb\xbf"):
            yield Finding("it begins with a byte order mark", extension.file, 1)


def _duplicates(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        for earlier, later in _doubled(extension.node):
            yield Finding(
                f"the key {earlier.value!r} stands again in line {line_of(later)}", extension.file, line_of(earlier)
            )


def _doubled(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    yield seen[key.value], key
                seen[key.value] = key
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)


def _unknown_keys(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        if isinstance(extension.node, yaml.MappingNode):
            for key, _ in extension.node.value:
                if getattr(key, "value", None) not in KEYS:
                    name = str(getattr(key, "value", "?"))
                    hint = options.similar(name, KEYS)
                    yield Finding(f"there is no such key as {name!r}{hint}", extension.file, line_of(key))


def _not_read(case: Case) -> Iterator[Outcome]:
    for entry in case.bundle.under(FOLDER):
        if entry.path.count("/") > 1 and entry.path.endswith(".config"):
            yield Finding("it lies in a folder within .ebextensions", entry.path)
        elif entry.path.count("/") == 1 and _looks_like_settings(entry):
            yield Finding("its name does not end in .config", entry.path)


def _looks_like_settings(entry: Entry) -> bool:
    """A file beside the .config files may be material of theirs; one with their keys is meant as one of them."""
    if entry.path.endswith(".config"):
        return False
    name = entry.path.lower()
    return any(f"\n{key}:" in f"\n{entry.text or ''}" for key in KEYS) or name.endswith((".yml", ".yaml"))


def _shapes(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        if extension.fault:
            continue
        if extension.node is not None and not isinstance(extension.node, yaml.MappingNode):
            yield Finding("the file is no mapping of keys", extension.file, line_of(extension.node))
        yield from _sections(extension)
        yield from _option_settings(extension)


def _sections(extension: Extension) -> Iterator[Outcome]:
    for key in KEYS - {"option_settings"}:
        node = child(extension.node, key)
        if isinstance(node, yaml.SequenceNode) or (isinstance(node, yaml.ScalarNode) and node.value):
            yield Finding(f"{key} is no mapping of names", extension.file, line_of(node))


def _option_settings(extension: Extension) -> Iterator[Outcome]:
    node = child(extension.node, "option_settings")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            fault = _listed_fault(item)
            if fault:
                yield Finding(fault, extension.file, line_of(item))
    elif isinstance(node, yaml.MappingNode):
        for namespace, named in node.value:
            if not isinstance(named, yaml.MappingNode) and getattr(named, "value", None):
                message = f"{namespace.value} is no mapping of options to values"
                yield Finding(message, extension.file, line_of(namespace))
    elif isinstance(node, yaml.ScalarNode) and node.value:
        yield Finding("option_settings is neither a mapping nor a list", extension.file, line_of(node))


def _listed_fault(item: yaml.Node) -> str:
    if not isinstance(item, yaml.MappingNode):
        return "an entry of option_settings is no mapping with option_name and value"
    keys = {str(getattr(key, "value", "")) for key, _ in item.value}
    missing, beyond = {"option_name", "value"} - keys, keys - _LISTED
    if beyond:
        return f"an entry of option_settings has no such key as {sorted(beyond)[0]!r}"
    return f"an entry of option_settings has no {' and no '.join(sorted(missing))}" if missing else ""


RULES = (
    Rule(
        "yaml/syntax",
        "A file of .ebextensions that is no YAML",
        "The deployment fails with 'The configuration file .ebextensions/… contains invalid YAML or JSON'.",
        "Mend the line; functions of CloudFormation are written in their long form (Ref:, Fn::GetAtt:), not with !.",
        _syntax,
    ),
    Rule(
        "yaml/tab",
        "A line indented by a tab",
        "YAML forbids tabs as indentation, so that the platform cannot read the file and the deployment fails.",
        "Indent with blanks.",
        _tabs,
    ),
    Rule(
        "yaml/byte-order-mark",
        "A file that begins with a byte order mark",
        "Not every reader of YAML skips the mark; one that does not takes it for a part of the first key.",
        "Save the file as UTF-8 without a byte order mark.",
        _marks,
        "warning",
    ),
    Rule(
        "yaml/duplicate-key",
        "A key that stands twice in one mapping",
        "YAML keeps one of two equal keys, and all that stood beneath the other is gone without a word.",
        "Put both beneath one key, or remove one.",
        _duplicates,
    ),
    Rule(
        "yaml/unknown-key",
        "A top level key that the platform does not know",
        "The platform skips the whole file, with no more than a warning among the events.",
        "Take one of: " + ", ".join(sorted(KEYS)) + ".",
        _unknown_keys,
    ),
    Rule(
        "yaml/not-read",
        "A file of .ebextensions that the platform does not read",
        "Only files whose names end in .config, directly in .ebextensions, are read.",
        "Move it into .ebextensions itself, and give it a name that ends in .config.",
        _not_read,
        "warning",
    ),
    Rule(
        "yaml/shape",
        "A section that has the wrong form",
        "The deployment fails, or the section is ignored.",
        "Write option_settings as namespaces with their options, or as a list of namespace, option_name and value.",
        _shapes,
    ),
)
