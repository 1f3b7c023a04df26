"""Bundles for the tests of preflight: a clean one, and what the platform's rules say of it with a change."""

from collections.abc import Mapping

from ebtools.preflight import engine
from ebtools.preflight.bundle import Bundle, Entry
from ebtools.preflight.case import Configuration
from ebtools.preflight.catalogue import PLATFORM
from ebtools.preflight.configurations import plain
from ebtools.preflight.findings import Rule

GROUPS = (
    "contents",
    "environment",
    "leftovers",
    "listeners",
    "options",
    "properties",
    "resources",
    "secrets",
    "yaml",
)
# The rules about settings and contents; those about files have tests of their own.
RULES: tuple[Rule, ...] = tuple(rule for rule in PLATFORM if rule.id.split("/")[0] in GROUPS)

OPTIONS = """option_settings:
  aws:elasticbeanstalk:application:environment:
    GREETING: "good day"
  aws:elasticbeanstalk:environment:
    LoadBalancerType: application
  aws:elasticbeanstalk:environment:process:default:
    HealthCheckPath: /health
    MatcherHTTPCode: 200-299,401
  aws:autoscaling:asg:
    MinSize: 2
    MaxSize: 4
  aws:elasticbeanstalk:command:
    DeploymentPolicy: immutable
"""
CLEAN: dict[str, str | bytes] = {
    "Procfile": "web: gunicorn --bind 127.0.0.1:8000 application:application\n",
    "application.py": "def application(environ, start_response): ...\n",
    "requirements.txt": "flask==3.1.0\n",
    ".ebextensions/01-options.config": OPTIONS,
    ".platform/hooks/predeploy/10_greet.sh": "#!/bin/sh\necho good day\n",
}
EXTENSION = ".ebextensions/50-fault.config"

Place = tuple[str, str, int]


def bundle(changes: Mapping[str, str | bytes | None] | None = None) -> Bundle:
    """The clean bundle with files added or replaced, or removed where the content is None."""
    files = {**CLEAN, **(changes or {})}
    kept = {path: content for path, content in files.items() if content is not None}
    return Bundle.of_files(kept, executable=(".platform/hooks/predeploy/10_greet.sh",))


def with_link(path: str, target: str) -> Bundle:
    """The clean bundle with a symbolic link in it."""
    clean = bundle()
    return Bundle({**clean.entries, path: Entry(path, 0o120777, target.encode())})


def places(found: Bundle, configuration: Configuration | None = None, rules: tuple[Rule, ...] = RULES) -> list[Place]:
    """What the rules find: rule, file, line; a rule that did not run fails the test."""
    report = engine.run(found, [configuration or plain()], rules)
    assert report.not_run == []
    return [(result.rule.id, finding.file, finding.line) for result, finding in report.findings]
