"""Whether the saved configurations make the environments that docs/deploy.md describes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ebtools.preflight import configurations
from ebtools.preflight.case import Case
from fastier.settings import Settings
from tests.package.profiles import ACCOUNT, PLAIN, SAVED, case, value
from tests.package.test_extensions import ASG, COMMAND, DATABASE, SCHEDULE, results

ALL = ("development", "staging", "production")
LIKE_PRODUCTION = ("staging", "production")
ROLLING = "aws:autoscaling:updatepolicy:rollingupdate"
ENVIRONMENT = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
LISTENER = "aws:elbv2:listener:443"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def text(name: str) -> str:
    return (SAVED / f"{name}.cfg.yml").read_text()


def filled(name: str) -> dict[str, Any]:
    """The copy that docs/deploy.md asks for, with the lines for an account's values."""
    found: dict[str, Any] = yaml.safe_load(text(name).replace(ACCOUNT, ""))
    return found


def test_there_are_three_and_none_that_the_eb_cli_would_take_by_itself() -> None:
    assert sorted(path.name for path in SAVED.iterdir()) == [f"{name}.cfg.yml" for name in sorted(ALL)]


@pytest.mark.parametrize("name", ALL)
def test_each_has_the_form_that_elastic_beanstalk_writes_itself(name: str) -> None:
    found = yaml.safe_load(text(name))
    assert set(found) == {
        "EnvironmentConfigurationMetadata",
        "OptionSettings",
        "EnvironmentTier",
        "AWSConfigurationTemplateVersion",
    }
    assert found["EnvironmentTier"] == {"Type": "Standard", "Name": "WebServer"}
    assert found["AWSConfigurationTemplateVersion"] == "1.1.0.0"
    values = [option for options in found["OptionSettings"].values() for option in options.values()]
    assert all(isinstance(option, str) for option in values)


@pytest.mark.parametrize("name", ALL)
def test_each_says_what_the_eb_cli_would_have_said(name: str) -> None:
    """Beside a saved configuration it names neither roles nor how changes roll out."""
    for namespace, option in (
        ("aws:autoscaling:launchconfiguration", "IamInstanceProfile"),
        ("aws:elasticbeanstalk:environment", "ServiceRole"),
    ):
        # The same that a plain `eb create` makes, which the bucket lets in by its name.
        assert value(name, namespace, option) == value(PLAIN, namespace, option)
    assert value(name, ROLLING, "RollingUpdateEnabled") == "true"
    assert value(name, ROLLING, "RollingUpdateType") == "Immutable"


def test_development_is_one_instance_that_never_leaves_a_gap() -> None:
    assert (value("development", ASG, "MinSize"), value("development", ASG, "MaxSize")) == ("1", "1")
    assert value("development", COMMAND, "DeploymentPolicy") == "RollingWithAdditionalBatch"
    assert (value("development", COMMAND, "BatchSizeType"), value("development", COMMAND, "BatchSize")) == (
        "Fixed",
        "1",
    )


@pytest.mark.parametrize("name", [PLAIN, *LIKE_PRODUCTION])
def test_new_versions_stand_beside_the_old_one(name: str) -> None:
    assert value(name, COMMAND, "DeploymentPolicy") == "Immutable"


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_production_never_goes_below_two_instances(name: str) -> None:
    floors = [value(name, SCHEDULE, "MinSize", action) for action in ("FastierNight", "FastierDay")]
    assert min(int(floor) for floor in [*floors, value(name, ASG, "MinSize")]) >= 2


def test_a_database_belongs_to_its_environment_in_development_alone() -> None:
    assert [value(name, DATABASE, "HasCoupledDatabase") for name in (PLAIN, "development")] == ["true", "true"]
    assert [value(name, DATABASE, "HasCoupledDatabase") for name in LIKE_PRODUCTION] == ["false", "false"]
    for name in (PLAIN, "development"):
        assert value(name, DATABASE, "DBDeletionPolicy") == "Snapshot"


@pytest.mark.parametrize("name", ALL)
def test_no_value_of_an_account_is_committed(name: str) -> None:
    assert not re.search(r"arn:aws|\b\d{12}\b|\b(?:vpc|subnet|sg)-[0-9a-f]{8,}", text(name))
    options = yaml.safe_load(text(name))["OptionSettings"]
    assert not {LISTENER, SECRETS, "aws:ec2:vpc"} & set(options)
    assert "<" not in yaml.safe_dump(options)


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_the_lines_for_an_account_ask_for_https_and_a_secret(name: str) -> None:
    options = filled(name)["OptionSettings"]
    assert options[LISTENER]["Protocol"] == "HTTPS"
    assert options[LISTENER]["SSLPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")
    assert "SSLCertificateArns" in options[LISTENER]
    assert set(options[SECRETS]) == {"FASTIER_SECRET_KEY"}
    assert options[ENVIRONMENT]["FASTIER_PUBLIC_URL"].startswith("https://")


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_a_copy_with_an_accounts_values_is_still_clean(name: str, tmp_path: Path) -> None:
    copy = tmp_path / f"fastier-{name}.cfg.yml"
    copy.write_text(text(name).replace(ACCOUNT, ""))
    configuration = configurations.read(copy)
    assert results(Case(case(name).bundle, configuration)) == []
    # Every line for an account's values was one of YAML.
    assert len(Case(case(name).bundle, configuration).settings) > len(case(name).settings) + 10


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_the_application_starts_on_a_filled_copy(name: str) -> None:
    """Whatever production demands is asked for; the signing key comes from its own secret and is given here."""
    properties = {**case(name).properties, **filled(name)["OptionSettings"][ENVIRONMENT]}
    secrets = {key: f"{SECRET}{key}" for key in properties if key.endswith("_SECRET_ARN")}
    assert len(secrets) == 3
    settings = Settings.from_environ({**properties, **secrets, "FASTIER_SECRET_KEY": "k" * 32})
    assert settings.is_production
    assert (settings.storage, settings.mail) == ("s3", "ses")
    # Three that log in, none of them the user that owns the database.
    assert {settings.login(role).secret for role in ("serve", "migrate", "backup")} == set(secrets.values())
