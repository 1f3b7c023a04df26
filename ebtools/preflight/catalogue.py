"""Names all rules: those of the platform, true of any Python bundle, and what a project demands beyond it."""

from ebtools.preflight.findings import Rule

PLATFORM: tuple[Rule, ...] = ()
PROFILES: dict[str, tuple[Rule, ...]] = {"platform": PLATFORM}
