"""What Fastier demands of its own package: the package meets it, and a change that breaks a promise is told."""

from pathlib import Path

import pytest

from ebtools.preflight import configurations, engine
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Configuration
from ebtools.preflight.rules import fastier

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ebextensions", ".platform", "migrations", "fastier/web")
FILES = ("Procfile", "application.py", "gunicorn.conf.py", "requirements.txt")


def package() -> dict[str, str]:
    """The files of the work tree that the rules read."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [path for path in found if "__pycache__" not in path.parts] + [ROOT / name for name in FILES]
    return {str(path.relative_to(ROOT)): path.read_text() for path in found}


OWN = package()
ALL = {each.name: each for each in configurations.all_of(ROOT)}


def told(files: dict[str, str], name: str = "eb create") -> set[tuple[str, str]]:
    configuration: Configuration = ALL[name]
    report = engine.run(Bundle.of_files({**files}), [configuration], fastier.RULES)
    assert report.not_run == []
    return {(result.rule.id.removeprefix("fastier/"), finding.file) for result, finding in report.findings}


def changed(path: str, old: str, new: str) -> dict[str, str]:
    assert old in OWN[path], f"{path} has no {old!r} any more"
    return {**OWN, path: OWN[path].replace(old, new)}


@pytest.mark.parametrize("name", ["eb create", "development", "staging", "production"])
def test_the_package_meets_it_in_every_configuration(name: str) -> None:
    assert told(OWN, name) == set()


EXTENSIONS = ".ebextensions"


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        (f"{EXTENSIONS}/02-load-balancer.config", '"/health/live"', '"/health/dependencies"', "settings"),
        (f"{EXTENSIONS}/02-load-balancer.config", 'MatcherHTTPCode: "200"', 'MatcherHTTPCode: "200-499"', "settings"),
        (f"{EXTENSIONS}/03-instances.config", 'DisableIMDSv1: "true"', 'DisableIMDSv1: "false"', "settings"),
        (f"{EXTENSIONS}/01-environment.config", '"verify-full"', '"require"', "settings"),
        (f"{EXTENSIONS}/06-database.config", '"Snapshot"', '"Delete"', "database-snapshot"),
        (f"{EXTENSIONS}/04-auto-scaling.config", "HealthCheckType: ELB", "HealthCheckType: EC2", "auto-scaling-group"),
        (f"{EXTENSIONS}/04-auto-scaling.config", "Period: 900", "Period: 60", "auto-scaling-group"),
        (f"{EXTENSIONS}/12-memory.config", "ScalingAdjustment: 1", "ScalingAdjustment: -1", "scaling"),
        (f"{EXTENSIONS}/05-scaling.config", "AlarmActions: [{", "AlarmActions: [{ 'Ref': 'Other' }, {", "scaling"),
        (f"{EXTENSIONS}/05-scaling.config", "ASGAverageCPUUtilization", "ASGAverageNetworkIn", "scaling"),
        (f"{EXTENSIONS}/02-load-balancer.config", 'IdleTimeout: "55"', 'IdleTimeout: "75"', "ladder"),
        ("gunicorn.conf.py", "graceful_timeout = 25", "graceful_timeout = 40", "ladder"),
        ("gunicorn.conf.py", "keepalive = 75", "keepalive = 5", "ladder"),
        ("migrations/versions/0002_add_attachments.py", 'phase = "expand"', "", "phase"),
        (f"{EXTENSIONS}/04-auto-scaling.config", 'MaxSize: "4"', 'MaxSize: "40"', "plan"),
        (f"{EXTENSIONS}/03-instances.config", "t3.small,t3a.small", "t3.nano", "plan"),
        (f"{EXTENSIONS}/03-instances.config", "t3.small,t3a.small", "x9.huge", "plan"),
    ],
)
def test_a_broken_promise_is_told(path: str, old: str, new: str, rule: str) -> None:
    assert {found for found, _ in told(changed(path, old, new))} == {rule}


@pytest.mark.parametrize("hook", fastier._HOOKS)
@pytest.mark.parametrize("kind", ["hooks", "confighooks"])
def test_a_missing_hook_is_told(hook: str, kind: str) -> None:
    without = {path: text for path, text in OWN.items() if path != f".platform/{kind}/{hook}"}
    assert told(without) == {("hooks", "")}


def test_requirements_without_hashes_are_told() -> None:
    assert told({**OWN, "requirements.txt": "flask==3.1.0\n"}) == {("hashes", "requirements.txt")}


@pytest.mark.parametrize("value", ["subnet-0a1b2c3d", "arn:aws:acm:eu-central-1:123456789012:certificate/a"])
def test_a_value_of_an_account_is_told(value: str) -> None:
    path = f"{EXTENSIONS}/99-own.config"
    content = f'option_settings:\n  aws:ec2:vpc:\n    Subnets: "{value}"\n'
    assert told({**OWN, path: content}) == {("account-value", path)}


def test_properties_without_room_for_more_are_told() -> None:
    content = f'option_settings:\n  aws:elasticbeanstalk:application:environment:\n    LONG: "{"x" * 3000}"\n'
    assert told({**OWN, f"{EXTENSIONS}/99-own.config": content}) == {("property-room", "")}


@pytest.mark.parametrize(("old", "new"), [('MinSize: "3"', 'MinSize: "1"'), ('"Immutable"', '"AllAtOnce"')])
def test_production_needs_more(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "production.cfg.yml"
    path.write_text((ROOT / ".elasticbeanstalk/saved_configs/production.cfg.yml").read_text().replace(old, new))
    report = engine.run(Bundle.of_files({**OWN}), configurations.named([str(path)], ROOT), fastier.RULES)
    assert {result.rule.id for result, _ in report.findings} == {"fastier/settings"}
