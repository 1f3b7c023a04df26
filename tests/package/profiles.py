"""This work tree's settings as every kind of environment would get them: a plain `eb create`, and each saved one."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ebtools.preflight import configurations
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / ".ebextensions"
SAVED = ROOT / ".elasticbeanstalk" / "saved_configs"
PLAIN = configurations.PLAIN
NAMES = (PLAIN, "development", "staging", "production")
# What marks a line for the values of an account.
ACCOUNT = "#+ "


@cache
def case(name: str) -> Case:
    """The settings of one kind of environment."""
    files: dict[str, str | bytes] = {f".ebextensions/{path.name}": path.read_text() for path in EXTENSIONS.iterdir()}
    (configuration,) = configurations.named([name], ROOT)
    return Case(Bundle.of_files({**files, "Procfile": (ROOT / "Procfile").read_text()}), configuration)


def value(name: str, namespace: str, option: str, resource: str = "") -> str:
    """The option as it takes effect, and empty where nothing sets it."""
    if not resource:
        return case(name).value(namespace, option)
    found = [
        one for one in case(name).settings if (one.namespace, one.name, one.resource) == (namespace, option, resource)
    ]
    return found[-1].text if found else ""


@cache
def resources() -> dict[str, Any]:
    """All that .ebextensions adds to the platform's own template, or changes in it."""
    return {name: body for extension in case(PLAIN).extensions for name, body in extension.resources.items()}


def of_type(kind: str) -> dict[str, Any]:
    """The properties of all resources of a type."""
    return {name: body.get("Properties", {}) for name, body in resources().items() if body["Type"] == kind}


@cache
def section(name: str) -> dict[str, Any]:
    """One of the sections that act on an instance, such as files, of all .config files together."""
    found: dict[str, Any] = {}
    for path in sorted(EXTENSIONS.iterdir()):
        found |= yaml.safe_load(path.read_text()).get(name, {})
    return found
