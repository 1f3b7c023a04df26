"""Finds the archive that `eb deploy` would send, and refuses one that is not what is committed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ebtools.bundle import git
from ebtools.bundle.errors import BundleError as GitError
from ebtools.preflight.bundle import Bundle

CONFIG = Path(".elasticbeanstalk/config.yml")
BUILD_FILE = "fastier/build.json"
_MEND = "write it with: python -m ebtools bundle"


class ArtifactError(Exception):
    """There is nothing to check; one line for the person, with the command that mends it."""


@dataclass(frozen=True, slots=True)
class Project:
    """What .elasticbeanstalk/config.yml says of a work tree."""

    root: Path
    artifact: Path | None
    platform: str


def project(root: Path) -> Project:
    """Read config.yml; raises ArtifactError when it is missing or no YAML."""
    try:
        found = yaml.safe_load((root / CONFIG).read_text(encoding="utf-8"))
    except OSError:
        raise ArtifactError(f"there is no {CONFIG}; name the archive with --archive, or write it: eb init") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or "it is no YAML"
        raise ArtifactError(f"{CONFIG} cannot be read: {reason}; write it anew: eb init") from None
    artifact = _text(found, "deploy", "artifact")
    return Project(root, root / artifact if artifact else None, _text(found, "global", "default_platform"))


def of(found: Project) -> tuple[Path, Bundle]:
    """The archive that `eb deploy` sends; raises ArtifactError, or the bundle's own error when it is damaged."""
    path = found.artifact
    if path is None:
        raise ArtifactError(f"{CONFIG} names no deploy.artifact; name the archive with --archive")
    if not path.is_file():
        raise ArtifactError(f"{path.relative_to(found.root)} is missing; {_MEND}")
    bundle = Bundle.of_archive(path)
    _refuse_stale(path.relative_to(found.root), path.stat().st_mtime, bundle, found.root)
    return path, bundle


def _refuse_stale(shown: Path, written: float, bundle: Bundle, root: Path) -> None:
    try:
        head = git.head(root)
    except GitError as error:
        raise ArtifactError(f"it is unknown which commit is checked out: {error}") from None
    commit = commit_of(bundle)
    if commit and commit != head.name:
        raise ArtifactError(f"{shown} is of commit {commit[:12]}, and HEAD is {head.name[:12]}; {_MEND}")
    if not commit and written < head.seconds:
        raise ArtifactError(f"{shown} is older than HEAD; {_MEND}")


def commit_of(bundle: Bundle) -> str:
    """The commit that a bundle says it is of; empty where it says nothing."""
    try:
        return str(json.loads(bundle.text(BUILD_FILE) or "{}").get("commit") or "")
    except (ValueError, AttributeError):
        return ""


def _text(document: Any, section: str, name: str) -> str:
    """A setting of config.yml as text; empty where there is none."""
    found = document.get(section) if isinstance(document, dict) else None
    return str(found.get(name) or "") if isinstance(found, dict) else ""
