"""Names all rules: those of the platform, true of any Python bundle, and what a project demands beyond it."""

from ebtools.preflight.findings import Rule
from ebtools.preflight.rules import (
    budgets,
    commands,
    contents,
    environment,
    fastier,
    health,
    hooks,
    ignored,
    leftovers,
    listeners,
    migrations,
    options,
    procfile,
    properties,
    proxy,
    requirements,
    resources,
    secrets,
    syntax,
    timeouts,
)

_MODULES = (
    syntax,
    options,
    ignored,
    environment,
    listeners,
    properties,
    resources,
    contents,
    leftovers,
    secrets,
    procfile,
    requirements,
    commands,
    hooks,
    proxy,
    health,
    timeouts,
    budgets,
    migrations,
)

PLATFORM: tuple[Rule, ...] = tuple(rule for module in _MODULES for rule in module.RULES)
PROFILES: dict[str, tuple[Rule, ...]] = {"platform": PLATFORM, "fastier": PLATFORM + fastier.RULES}
