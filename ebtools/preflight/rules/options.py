"""Rules about single options: whether the platform knows them, and whether it takes their values."""

import json
import re
from collections.abc import Iterator
from datetime import date

from ebtools.preflight import options
from ebtools.preflight.case import ENVIRONMENT, Case
from ebtools.preflight.extensions import Setting
from ebtools.preflight.findings import Finding, Outcome, Rule

# Namespaces of containers and systems that no Python platform has; some of them left with older platforms.
_ELSEWHERE = re.compile(r"aws:elasticbeanstalk:(?:container:(?!python$)|windows:)")
_REPORT = ("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument")
_DOCUMENT = "https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/command-options-general.html"
_REFUSED = (
    "Elastic Beanstalk refuses the whole deployment or creation with 'Invalid option specification' or "
    "'Invalid option value'."
)


def _at(setting: Setting, message: str, mend: str = "") -> Finding:
    return Finding(f"{setting.namespace} {setting.name}: {message}", setting.file, setting.line, mend)


def is_elsewhere(namespace: str) -> bool:
    """Whether a namespace belongs to another kind of platform than Python on Amazon Linux 2023."""
    return bool(_ELSEWHERE.match(namespace))


def _unknown_namespaces(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if options.of_namespace(setting.namespace) is None and not is_elsewhere(setting.namespace):
            hint = options.similar(setting.namespace, options.catalog())
            yield _at(setting, f"there is no such namespace{hint}")


def _unknown_options(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        known = options.of_namespace(setting.namespace)
        if known is not None and options.option(setting) is None and not is_elsewhere(setting.namespace):
            yield _at(setting, f"there is no such option in this namespace{options.similar(setting.name, known)}")


def _elsewhere(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if is_elsewhere(setting.namespace):
            yield _at(setting, "Python on Amazon Linux 2023 has no such options", _replacement(setting.namespace))


def _replacement(namespace: str) -> str:
    if namespace.endswith(":staticfiles"):
        return "Set the same options in aws:elasticbeanstalk:environment:proxy:staticfiles."
    if namespace.endswith(":environment"):
        return f"Set the same options in {ENVIRONMENT}."
    return ""


def _values(case: Case) -> Iterator[Outcome]:
    for setting in _scalars(case):
        fault = options.value_fault(setting, options.option(setting) or {})
        if fault:
            yield _at(setting, fault + options.similar(setting.text, (options.option(setting) or {})["enum"]))


def _numbers(case: Case) -> Iterator[Outcome]:
    for setting in _scalars(case):
        fault = options.number_fault(setting, options.option(setting) or {})
        if fault:
            yield _at(setting, fault)


def _scalars(case: Case) -> Iterator[Setting]:
    """Settings that have a value to judge; null and what is no scalar have rules of their own."""
    for setting in case.settings:
        if setting.value is not None and not isinstance(setting.value, dict | list):
            yield setting


def _not_text(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        # This one alone is documented as a mapping too.
        if isinstance(setting.value, dict | list) and (setting.namespace, setting.name) != _REPORT:
            yield _at(setting, f"its value is a {'mapping' if isinstance(setting.value, dict) else 'list'}, not text")


def _turned(case: Case) -> Iterator[Outcome]:
    for setting in _scalars(case):
        if isinstance(setting.value, date):
            yield _at(setting, f"YAML 1.1 reads {setting.written} as a date, in a form of its own")
        elif not isinstance(setting.value, str) and not _is_as_written(setting) and not _means_the_same(setting):
            kind = {bool: "boolean", int: "number", float: "number"}.get(type(setting.value), "value")
            yield _at(setting, f"YAML 1.1 reads {setting.written} as the {kind} {setting.text}")


def _is_as_written(setting: Setting) -> bool:
    return setting.text.lower() == setting.written.lower()


def _means_the_same(setting: Setting) -> bool:
    """An option that is a switch may be set by `yes` and `off`, which YAML turns into the values it takes."""
    facts = options.option(setting) or {}
    return isinstance(setting.value, bool) and setting.text in [str(one).lower() for one in facts.get("enum") or ()]


def _capitals(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        is_property = setting.namespace == ENVIRONMENT
        if is_property and isinstance(setting.value, bool) and setting.written in ("True", "TRUE", "False", "FALSE"):
            yield _at(setting, f"the application is told {setting.text}, not {setting.written}")


def _empty(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if setting.value is None:
            yield _at(setting, "it has no value")


def _deprecated(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if "(deprecated)" in str((options.option(setting) or {}).get("values", "")):
            yield _at(setting, "the option is deprecated")


def _report_document(case: Case) -> Iterator[Outcome]:
    setting = case.chosen.get(_REPORT)
    if setting is None or setting.is_computed or setting.value is None:
        return
    try:
        document = setting.value if isinstance(setting.value, dict) else json.loads(setting.text)
    except ValueError as error:
        yield _at(setting, f"its value is not JSON: {error}")
        return
    if not isinstance(document, dict) or str(document.get("Version")) != "1":
        yield _at(setting, 'the document needs "Version": 1')
        return
    for path in _rules_beyond_4xx(document):
        yield _at(setting, f"{path}: only client errors (4xx) can be left out of the health")


def _rules_beyond_4xx(document: dict[str, object]) -> Iterator[str]:
    known = {"Application": "ApplicationRequests4xx", "ELB": "ELBRequests4xx"}
    rules = document.get("Rules")
    environment = rules.get("Environment") if isinstance(rules, dict) else None
    for part, named in environment.items() if isinstance(environment, dict) else ():
        for name in named if isinstance(named, dict) else ():
            if known.get(str(part)) != name:
                yield f"Rules.Environment.{part}.{name}"


RULES = (
    Rule(
        "options/unknown-namespace",
        "An option of a namespace that does not exist",
        _REFUSED,
        f"Take the namespace from {_DOCUMENT}.",
        _unknown_namespaces,
    ),
    Rule(
        "options/unknown-option",
        "An option that its namespace does not have",
        _REFUSED,
        f"Take the option from {_DOCUMENT}.",
        _unknown_options,
    ),
    Rule(
        "options/other-platform",
        "An option of another platform, or of Python before Amazon Linux 2",
        "Elastic Beanstalk refuses the deployment with 'Unknown configuration setting'.",
        "Remove it; what it configured stands in the Procfile or in .platform on Amazon Linux 2023.",
        _elsewhere,
    ),
    Rule(
        "options/value",
        "A value that is none of those allowed",
        _REFUSED,
        "Take one of the values named.",
        _values,
    ),
    Rule(
        "options/number",
        "A number that is none, or out of bounds",
        _REFUSED,
        "Take a number within the bounds named.",
        _numbers,
    ),
    Rule(
        "options/not-text",
        "An option whose value is a list or a mapping",
        "The value of an option is text; the deployment fails, or the option means something else.",
        "Write a list as text with commas, and a function of CloudFormation as JSON between backticks and quotes.",
        _not_text,
    ),
    Rule(
        "options/yaml-turned",
        "A value that YAML 1.1 turns into another one",
        "The platform reads YAML 1.1, where a bare yes, 010, 12:30:45, 1_000, 1.10 or a date is no text; the "
        "application or the option gets what YAML made of it.",
        "Put the value into quotes.",
        _turned,
    ),
    Rule(
        "options/yaml-capitals",
        "An environment property that loses its capital letter",
        "YAML makes a boolean of a bare True, and the application gets true; a comparison with 'True' then fails.",
        "Put the value into quotes.",
        _capitals,
        "warning",
    ),
    Rule(
        "options/empty",
        "An option without a value",
        "What the platform makes of no value at all is documented nowhere; it may refuse it or keep the last one.",
        'Write "" for empty text, or remove the option.',
        _empty,
        "warning",
    ),
    Rule(
        "options/deprecated",
        "An option that is deprecated",
        "It works only with a classic load balancer, and new environments should not rely on it.",
        "Use the namespaces aws:elb:listener and aws:elbv2:listener instead.",
        _deprecated,
        "warning",
    ),
    Rule(
        "options/config-document",
        "A health report's configuration that the platform cannot read",
        "Elastic Beanstalk refuses a ConfigDocument that is no JSON, has no version, or leaves out more than 4xx.",
        'Write a JSON object with "Version": 1, and under Rules.Environment only ApplicationRequests4xx of '
        "Application and ELBRequests4xx of ELB.",
        _report_document,
    ),
)
