"""Knows every option setting of Elastic Beanstalk: its catalog, and what the EB CLI sets by itself."""

import difflib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ebtools.preflight import extensions
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.extensions import Setting

CATALOG = Path(__file__).with_name("eb-option-settings.json")

Option = dict[str, Any]

# What `eb create NAME` sets by itself, from the source of awsebcli 3.27.5. It wins over everything else, in silence.
EB_CLI_PRESETS: dict[tuple[str, str], str] = {
    ("aws:autoscaling:launchconfiguration", "IamInstanceProfile"): "aws-elasticbeanstalk-ec2-role",
    ("aws:elasticbeanstalk:environment", "ServiceRole"): "aws-elasticbeanstalk-service-role",
    ("aws:elasticbeanstalk:healthreporting:system", "SystemType"): "enhanced",
    ("aws:elasticbeanstalk:command", "BatchSize"): "30",
    ("aws:elasticbeanstalk:command", "BatchSizeType"): "Percentage",
    ("aws:elb:policies", "ConnectionDrainingEnabled"): "true",
    ("aws:elb:loadbalancer", "CrossZone"): "true",
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateEnabled"): "true",
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType"): "Health",
}
# What it sets beside a saved configuration too.
ALWAYS_PRESET = {("aws:elasticbeanstalk:environment", "LoadBalancerType"): "application"}
# A Procfile replaces what these would have configured.
DEAD_BESIDE_A_PROCFILE = "aws:elasticbeanstalk:container:python"

# The API compares the values of these by their case too.
_CASE_COUNTS = re.compile(r"^(?:RootVolumeType|ListenerProtocol|InstanceProtocol)$")
# Options whose value is several of the allowed ones.
_LISTS = frozenset({"SupportedArchitectures"})
_CODES = re.compile(r"\d{3}(?:-\d{3})?(?:,\d{3}(?:-\d{3})?)*")
_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"\d+(?:\.\d+)?")


@cache
def catalog() -> dict[str, dict[str, Option]]:
    """Namespace to option to its facts; a `*` stands for any name."""
    found: dict[str, dict[str, Option]] = json.loads(CATALOG.read_text(encoding="utf-8"))
    return found


def presets(is_plain: bool) -> dict[tuple[str, str], str]:
    """What `eb create NAME` sets; `is_plain` without a saved configuration."""
    return EB_CLI_PRESETS | ALWAYS_PRESET if is_plain else ALWAYS_PRESET


def of_namespace(namespace: str) -> dict[str, Option] | None:
    """The options of a namespace, or None when there is no such namespace."""
    family = namespace.rpartition(":")[0] + ":*"
    return catalog().get(namespace) or catalog().get(family)


def option(setting: Setting) -> Option | None:
    """The facts of a setting's option, or None when the platform knows none of that name."""
    known = of_namespace(setting.namespace) or {}
    return known.get(setting.name) or known.get("*")


def similar(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, as a question; empty when none is near."""
    near = difflib.get_close_matches(name.lower(), names := {one.lower(): one for one in known}, n=1, cutoff=0.75)
    return f"; did you mean {names[near[0]]}?" if near else ""


def value_fault(setting: Setting, facts: Option) -> str:
    """What is wrong with a value among allowed ones; empty when it is one of them."""
    allowed = facts.get("enum")
    if not allowed or setting.is_computed:
        return ""
    values = [one.strip() for one in setting.text.split(",")] if setting.name in _LISTS else [setting.text]
    exact = _CASE_COUNTS.match(setting.name)
    known = set(allowed) if exact else {one.lower() for one in allowed}
    wrong = [one for one in values if (one if exact else one.lower()) not in known]
    return f"{wrong[0]!r} is none of {', '.join(allowed)}" if wrong else ""


def number_fault(setting: Setting, facts: Option) -> str:
    """What is wrong with a number; empty when it is one within its bounds."""
    text = setting.text.strip()
    if setting.is_computed:
        return ""
    if setting.name == "MatcherHTTPCode":
        fits = _CODES.fullmatch(text.replace(" ", ""))
        return "" if fits else f"{text!r} is no list of codes such as 200,302 or 200-299"
    if str(facts.get("values", "")).startswith("integer"):
        return "" if _INTEGER.fullmatch(text) else f"{text!r} is no whole number"
    return _bounded(setting, facts, text) if facts.get("type") == "number" else ""


def _bounded(setting: Setting, facts: Option, text: str) -> str:
    if setting.name == "SpotMaxPrice":
        if text.lower() == "null":
            return ""
        number = float(text) if _DECIMAL.fullmatch(text) else None
    else:
        number = int(text) if _INTEGER.fullmatch(text) else None
    if number is None:
        return f"{text!r} is no number" if setting.name == "SpotMaxPrice" else f"{text!r} is no whole number"
    # The documentation is stricter than the API here and there; what the API takes is no fault.
    least = facts.get("api_min_2017", facts.get("min"))
    most = facts.get("api_max_2017", facts.get("max"))
    if (least is not None and number < least) or (most is not None and number > most):
        return f"{text} is not {_range(least, most)}"
    return ""


def _range(least: float | None, most: float | None) -> str:
    return f"at least {least}" if most is None else f"from {least} to {most}"


def settings_in(folder: Path) -> list[Setting]:
    """Every option that the .config files of a folder set, in the order in which the platform reads them."""
    files: dict[str, str | bytes] = {
        f"{extensions.FOLDER}/{path.name}": path.read_bytes() for path in folder.glob("*.config")
    }
    return [setting for file in extensions.read(Bundle.of_files(files)) for setting in file.settings]


def faults_of(setting: Setting) -> list[str]:
    """Why Elastic Beanstalk would refuse, misread or ignore this setting; empty when it takes it."""
    where = f"{setting.file}: {setting.namespace} {setting.name}"
    if of_namespace(setting.namespace) is None:
        return [f"{where}: there is no such namespace"]
    facts = option(setting)
    if facts is None:
        return [f"{where}: there is no such option in this namespace"]
    preset = presets(is_plain=True).get((setting.namespace, setting.name), setting.text)
    if preset.lower() != setting.text.lower():
        return [f"{where}: the EB CLI sets it to {preset}, which wins"]
    return [f"{where}: {fault}" for fault in (value_fault(setting, facts), number_fault(setting, facts)) if fault]
