"""Names all rules: those of the platform, true of any Python bundle, and what a project demands beyond it."""

from ebtools.preflight.findings import Rule
from ebtools.preflight.rules import (
    contents,
    environment,
    ignored,
    leftovers,
    listeners,
    options,
    properties,
    resources,
    secrets,
    syntax,
)

_MODULES = (syntax, options, ignored, environment, listeners, properties, resources, contents, leftovers, secrets)

PLATFORM: tuple[Rule, ...] = tuple(rule for module in _MODULES for rule in module.RULES)
PROFILES: dict[str, tuple[Rule, ...]] = {"platform": PLATFORM, "fastier": PLATFORM}
