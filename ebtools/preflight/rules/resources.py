"""Rules about CloudFormation: what .ebextensions adds to the environment's template, and the functions in options."""

import json
import logging
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import yaml

from ebtools.preflight import options, template
from ebtools.preflight.case import Case
from ebtools.preflight.extensions import Extension, Setting, child, line_of, value_of
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule

# What its owner would miss; CloudFormation itself keeps a snapshot of a relational database.
_STATEFUL = frozenset(
    "AWS::" + name
    for name in (
        "Cognito::UserPool",
        "DynamoDB::GlobalTable",
        "DynamoDB::Table",
        "EC2::Volume",
        "EFS::FileSystem",
        "Elasticsearch::Domain",
        "KMS::Key",
        "OpenSearchService::Domain",
        "S3::Bucket",
    )
)
_OPTION = "Fn::GetOptionSetting"
_OPTION_KEYS = frozenset({"Namespace", "OptionName", "DefaultValue", "ResourceName"})
_SECTIONS = ("Resources", "Outputs", "Conditions")
# Within a command or a file, backticks around an object are a function too; others are the shell's.
_IN_TEXT = re.compile(r"`(\{[^`]*\})`")


def _schema(case: Case) -> Iterator[Outcome]:
    if not any(extension.resources for extension in case.extensions):
        return
    try:
        found = _linted(template.rendered(case))
    except ImportError:
        yield NotRun("cfn-lint is not installed; install it: python3 ebtools/bootstrap.py preflight")
        return
    for code, message, path in found:
        file, line = template.line_at(case, list(path))
        if file:
            yield Finding(f"{'.'.join(str(part) for part in path[1:])}: {message} ({code})", file, line)


@cache
def _linted(text: str) -> list[tuple[str, str, tuple[Any, ...]]]:
    """What cfn-lint calls an error, as code, message and path; it takes seconds, so once for each template."""
    api = import_module("cfnlint.api")
    logging.getLogger("cfnlint").setLevel(logging.CRITICAL)
    matches = api.lint(text, config=api.ManualArgs(regions=["us-east-1"]))
    errors = [match for match in matches if match.rule.id.startswith("E")]
    return [(match.rule.id, match.message, tuple(getattr(match, "path", ()))) for match in errors]


def _references(case: Case) -> Iterator[Outcome]:
    known = template.known_names(case)
    for one in _all_references(case):
        if one.name not in known and not _is_the_platforms(one.name):
            yield Finding(_explained(one.name, case, known), one.file, one.line)


def _unknown_to_us(case: Case) -> Iterator[Outcome]:
    known = template.known_names(case)
    for one in _all_references(case):
        if one.name not in known and _is_the_platforms(one.name):
            hint = options.similar(one.name, template.PLATFORM_NAMES)
            yield Finding(f"no resource named {one.name} is documented{hint}", one.file, one.line)


def _is_the_platforms(name: str) -> bool:
    """A name of the platform's kind that is not among those known; ports and numbers are appended to some."""
    return name.startswith("AWSEB") and name not in template.PLATFORM_NAMES


def _explained(name: str, case: Case, known: set[str]) -> str:
    if name not in template.PLATFORM_NAMES:
        return f"there is no resource named {name}{options.similar(name, known)}"
    kind = "this kind of load balancer" if case.is_load_balanced else "a single instance environment"
    return f"there is no {name} with {kind}"


def _all_references(case: Case) -> Iterator[template.Reference]:
    for extension in case.extensions:
        for section in _SECTIONS:
            yield from _in_node(extension.file, child(extension.node, section))
        for section in ("files", "commands", "container_commands"):
            yield from _in_texts(extension, child(extension.node, section))
    for setting in case.settings:
        if setting.is_computed and not _function_fault(_parsed(setting.text)):
            for name in template.names_within(_parsed(setting.text)):
                yield template.Reference(name, setting.file, setting.line)


def _in_node(file: str, node: yaml.Node | None) -> Iterator[template.Reference]:
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            name = str(getattr(key, "value", ""))
            if name in ("Ref", "Fn::GetAtt", "Fn::Sub"):
                for named in template.named_by({name: value_of(inner)}):
                    yield template.Reference(named, file, line_of(key))
            yield from _in_node(file, inner)
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _in_node(file, inner)


def _in_texts(extension: Extension, node: yaml.Node | None) -> Iterator[template.Reference]:
    if isinstance(node, yaml.ScalarNode):
        for function in _IN_TEXT.findall(node.value):
            for name in template.names_within(_parsed(function)):
                yield template.Reference(name, extension.file, line_of(node))
    elif isinstance(node, yaml.MappingNode):
        for _, inner in node.value:
            yield from _in_texts(extension, inner)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text.strip("`"))
    except ValueError:
        return None


def _backticks(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if setting.is_computed:
            fault = _function_fault(_parsed(setting.text))
        else:
            fault = "only one side of the function has its backtick" if _is_half(setting) else ""
        if fault:
            yield Finding(f"{setting.namespace} {setting.name}: {fault}", setting.file, setting.line)


def _function_fault(function: Any) -> str:
    if function is None:
        return "what stands between the backticks is no JSON"
    if not isinstance(function, dict) or len(function) != 1:
        return "a function is an object with one key"
    name = next(iter(function))
    return "" if name == "Ref" or name.startswith("Fn::") else f"{name!r} is no function"


def _is_half(setting: Setting) -> bool:
    text = setting.text.strip()
    return text.startswith("`{") != text.endswith("}`")


def _option_settings(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        for section in _SECTIONS:
            yield from _asked_options(extension.file, child(extension.node, section))


def _asked_options(file: str, node: yaml.Node | None) -> Iterator[Outcome]:
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            if getattr(key, "value", None) == _OPTION:
                fault = _asked_fault(value_of(inner))
                if fault:
                    yield Finding(fault, file, line_of(key))
            yield from _asked_options(file, inner)
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _asked_options(file, inner)


def _asked_fault(value: Any) -> str:
    if not isinstance(value, dict) or "OptionName" not in value:
        return f"{_OPTION} is a mapping with OptionName"
    beyond = sorted(set(map(str, value)) - _OPTION_KEYS)
    return f"{_OPTION} has no key {beyond[0]!r}" if beyond else ""


def _kept(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        for name, body in extension.resources.items():
            kind = body.get("Type") if isinstance(body, dict) else None
            if isinstance(kind, str) and kind in _STATEFUL and "DeletionPolicy" not in body:
                file, line = template.line_at(case, ["Resources", name])
                yield Finding(f"{name} ({kind}) is deleted together with the environment", file, line)


RULES = (
    Rule(
        "resources/schema",
        "A resource that CloudFormation would refuse",
        "CloudFormation checks the whole template; the creation or the update fails and is rolled back.",
        "Mend it after the resource type's page in the CloudFormation guide.",
        _schema,
    ),
    Rule(
        "resources/unknown-reference",
        "A function that names a resource that is not there",
        "CloudFormation refuses the template: 'Unresolved resource dependencies'. Which resources the platform makes "
        "depends on the type of the environment and of its load balancer.",
        "Name a resource of this kind of environment, or define it under Resources.",
        _references,
    ),
    Rule(
        "resources/unknown-platform-resource",
        "A function that names an undocumented resource of the platform",
        "Names that begin with AWSEB belong to the platform; one that it does not make fails the creation.",
        "Take the name from the guide's page on modifying an environment's resources.",
        _unknown_to_us,
        "warning",
    ),
    Rule(
        "resources/function",
        "A function in an option that the platform cannot read",
        "The platform takes it for text, or refuses the file.",
        'Write it as JSON between backticks, all of it in quotes: \'`{"Ref": "AWSEBEnvironmentName"}`\'.',
        _backticks,
    ),
    Rule(
        "resources/get-option-setting",
        "A Fn::GetOptionSetting of the wrong form",
        "The platform cannot find the option, and the deployment fails.",
        "Write a mapping of Namespace, OptionName and DefaultValue.",
        _option_settings,
    ),
    Rule(
        "resources/not-kept",
        "A resource with data that goes with the environment",
        "Without a DeletionPolicy the resource is deleted when the environment ends or its definition is removed; "
        "a bucket that holds files makes the termination fail.",
        "Set DeletionPolicy and UpdateReplacePolicy to Retain.",
        _kept,
        "warning",
    ),
)
