"""Finds the ways in which an environment is made of a bundle: a plain `eb create`, and each saved configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ebtools.preflight.case import Configuration
from ebtools.preflight.extensions import child, settings_of

PLAIN = "eb create"
SUFFIX = ".cfg.yml"
SAVED = Path(".elasticbeanstalk/saved_configs")
SHARED = Path(".elasticbeanstalk")
# The EB CLI takes a saved configuration of this name where none is asked for.
_TAKEN_BY_ITSELF = "default"


class ConfigurationError(Exception):
    """A configuration is missing or cannot be read; the message is for the person who named it."""


def plain(platform: str = "") -> Configuration:
    """What `eb create NAME` makes without a saved configuration."""
    return Configuration(PLAIN, platform=platform)


def all_of(root: Path, platform: str = "") -> list[Configuration]:
    """The plain one and every saved one that the EB CLI finds in a work tree; raises ConfigurationError."""
    paths = [path for folder in (SHARED, SAVED) for path in (root / folder).glob("*" + SUFFIX)]
    saved = sorted((read(path) for path in paths), key=lambda one: one.name)
    has_default = any(one.name == _TAKEN_BY_ITSELF for one in saved)
    return saved if has_default else [plain(platform), *saved]


def named(names: Sequence[str], root: Path, platform: str = "") -> list[Configuration]:
    """Those that are named, as the EB CLI finds them, or as files; raises ConfigurationError."""
    return [plain(platform) if name == PLAIN else read(_located(name, root)) for name in names]


def read(path: Path) -> Configuration:
    """A saved configuration; raises ConfigurationError when it is none."""
    try:
        text = path.read_text(encoding="utf-8")
        node, document = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: {getattr(error, 'problem', error)}") from None
    if not isinstance(document, dict) or not isinstance(document.get("OptionSettings", {}), dict):
        raise ConfigurationError(f"{path} is no saved configuration: it has no mapping named OptionSettings")
    settings = tuple(settings_of(_shown(path), child(node, "OptionSettings")))
    name = path.name.removesuffix(SUFFIX)
    return Configuration(name, settings, _platform(document), has_cli_presets=False)


def _located(name: str, root: Path) -> Path:
    places = [Path(name), *(root / folder / f"{name}{SUFFIX}" for folder in (SAVED, SHARED))]
    for place in places:
        if place.is_file():
            return place
    raise ConfigurationError(f"there is no saved configuration {name}: neither such a file nor {places[1]}")


def _platform(document: dict[str, Any]) -> str:
    platform = document.get("Platform")
    arn = platform.get("PlatformArn") if isinstance(platform, dict) else ""
    return str(document.get("SolutionStack") or arn or "")


def _shown(path: Path) -> str:
    """As it stands in the work tree, where it lies in one; the tree's own place is nobody's business."""
    parts = path.parts
    return "/".join(parts[parts.index(SHARED.name) :]) if SHARED.name in parts else path.name
