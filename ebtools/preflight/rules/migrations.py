"""Rules about database migrations as Alembic and Django keep them."""

import re
from collections import Counter
from collections.abc import Iterator

from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.python import assigned


def revisions(bundle: Bundle) -> dict[str, tuple[str, list[str]]]:
    """Alembic's migrations: revision to file and what it follows."""
    found: dict[str, tuple[str, list[str]]] = {}
    for path, entry in sorted(bundle.entries.items()):
        if re.search(r"(?:^|/)versions/[^/]+\.py$", path):
            values = assigned(entry.text or "")
            if isinstance(values.get("revision"), str) and "down_revision" in values:
                below = values["down_revision"]
                follows = list(below) if isinstance(below, list | tuple) else [below] if below else []
                found[str(values["revision"])] = (path, [str(each) for each in follows])
    return found


def _heads(case: Case) -> Iterator[Outcome]:
    found = revisions(case.bundle)
    followed = {below for _, follows in found.values() for below in follows}
    heads = sorted(set(found) - followed)
    # Branches with labels are meant.
    if len(heads) > 1 and not any("branch_labels = (" in (case.bundle.text(path) or "") for path, _ in found.values()):
        yield Finding(f"there are {len(heads)} heads: {', '.join(heads)}", found[heads[-1]][0])


def _chain(case: Case) -> Iterator[Outcome]:
    found = revisions(case.bundle)
    for path, follows in found.values():
        for below in follows:
            if below not in found:
                yield Finding(f"it follows {below}, which is not in the archive", path)


def _django(case: Case) -> Iterator[Outcome]:
    """Two migrations of an app that nothing follows."""
    apps: dict[str, dict[str, str]] = {}
    followed: Counter[tuple[str, str]] = Counter()
    for path, entry in sorted(case.bundle.entries.items()):
        if match := re.search(r"(?:^|/)([^/]+)/migrations/(\d{4}_\w+)\.py$", path):
            apps.setdefault(match[1], {})[match[2]] = path
            for app, name in re.findall(r"\(\s*[\"'](\w+)[\"']\s*,\s*[\"'](\d{4}_\w+)[\"']\s*\)", entry.text or ""):
                followed[app, name] += 1
    for app, names in apps.items():
        leaves = [name for name in names if not followed[app, name]]
        if len(leaves) > 1:
            yield Finding(f"{app} has {len(leaves)} leaf migrations: {', '.join(leaves)}", names[leaves[-1]])


RULES: tuple[Rule, ...] = (
    Rule(
        "migrations/heads",
        "Migrations with more than one head",
        "`alembic upgrade head` refuses to choose between them, and the deployment that runs it fails.",
        "Merge them with `alembic merge heads`.",
        _heads,
    ),
    Rule(
        "migrations/chain",
        "A migration that follows one that is not there",
        "Alembic finds no way from the database's revision to this one and fails.",
        "Add the missing file, or correct down_revision.",
        _chain,
    ),
    Rule(
        "migrations/leaves",
        "A Django application with two last migrations",
        "`manage.py migrate` refuses to choose between them, and the deployment that runs it fails.",
        "Merge them with `manage.py makemigrations --merge`.",
        _django,
    ),
)
