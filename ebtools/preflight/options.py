"""Checks option settings against the catalog of all that Elastic Beanstalk knows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CATALOG = Path(__file__).with_name("eb-option-settings.json")

Option = dict[str, Any]

# What `eb create` sets by itself, from awsebcli 3.27.5. It wins over .ebextensions, in silence.
EB_CLI_PRESETS: dict[tuple[str, str], str | None] = {
    ("aws:autoscaling:launchconfiguration", "IamInstanceProfile"): None,
    ("aws:elasticbeanstalk:environment", "ServiceRole"): None,
    ("aws:elasticbeanstalk:healthreporting:system", "SystemType"): "enhanced",
    ("aws:elasticbeanstalk:command", "BatchSize"): "30",
    ("aws:elasticbeanstalk:command", "BatchSizeType"): "Percentage",
    ("aws:elb:policies", "ConnectionDrainingEnabled"): "true",
    ("aws:elb:loadbalancer", "CrossZone"): "true",
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateEnabled"): "true",
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType"): "Health",
}
# A Procfile replaces what these would have configured.
DEAD_BESIDE_A_PROCFILE = "aws:elasticbeanstalk:container:python"


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as a file sets it; `value` is whatever the YAML says, so that a surprise can be told."""

    file: str
    namespace: str
    name: str
    value: object

    @property
    def is_computed(self) -> bool:
        """Whether CloudFormation computes it, from a function between backticks."""
        return isinstance(self.value, str) and self.value.startswith("`") and self.value.endswith("`")


@cache
def catalog() -> dict[str, dict[str, Option]]:
    """Namespace to option to its facts; a `*` stands for any name."""
    found: dict[str, dict[str, Option]] = json.loads(CATALOG.read_text())
    return found


def settings_in(folder: Path) -> list[Setting]:
    """Every option that the .config files of a folder set, in the order in which the platform reads them."""
    return [setting for path in sorted(folder.glob("*.config")) for setting in _settings_of(path)]


def _settings_of(path: Path) -> Iterator[Setting]:
    # PyYAML reads YAML 1.1, as the platform does.
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    options = document.get("option_settings") or {}
    if isinstance(options, list):
        for option in options:
            yield Setting(path.name, str(option.get("namespace")), str(option.get("option_name")), option.get("value"))
        return
    for namespace, named in options.items():
        for name, value in (named or {}).items():
            yield Setting(path.name, str(namespace), str(name), value)


def faults_of(setting: Setting) -> list[str]:
    """Why Elastic Beanstalk would refuse, misread or ignore this setting; empty when it takes it."""
    where = f"{setting.file}: {setting.namespace} {setting.name}"
    options = _options_of(setting.namespace)
    if options is None:
        return [f"{where}: there is no such namespace"]
    option = options.get(setting.name) or options.get("*")
    if option is None:
        return [f"{where}: there is no such option in this namespace"]
    preset = EB_CLI_PRESETS.get((setting.namespace, setting.name), setting.value)
    if preset != setting.value:
        return [f"{where}: the EB CLI sets it to {preset or 'a value of its own'}, which wins"]
    return [f"{where}: {fault}" for fault in _value_faults(setting, option)]


def _options_of(namespace: str) -> dict[str, Option] | None:
    family = namespace.rpartition(":")[0] + ":*"
    return catalog().get(namespace) or catalog().get(family)


def _value_faults(setting: Setting, option: Option) -> list[str]:
    value = setting.value
    if not isinstance(value, str):
        return [f"{value!r} is no string; quote it, so that YAML 1.1 leaves it as it is"]
    if setting.is_computed:
        return _function_faults(value)
    allowed = option.get("enum")
    if allowed and value not in allowed:
        return [f"{value!r} is none of {', '.join(allowed)}"]
    return _number_faults(value, option) if option.get("type") == "number" else []


def _function_faults(value: str) -> list[str]:
    try:
        function = json.loads(value.strip("`"))
    except ValueError:
        return ["what stands between the backticks is not JSON"]
    return [] if isinstance(function, dict) and len(function) == 1 else ["a function is an object with one key"]


def _number_faults(value: str, option: Option) -> list[str]:
    if not value.lstrip("-").isdigit():
        return [f"{value!r} is no whole number"]
    least, most = option.get("min"), option.get("max")
    if (least is not None and int(value) < least) or (most is not None and int(value) > most):
        return [f"{value} is not from {least} to {most}"]
    return []
