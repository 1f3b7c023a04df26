"""The ways in which an environment is made of a bundle, and which of their options win."""

from pathlib import Path

import pytest

from ebtools.preflight import configurations
from ebtools.preflight.case import Case
from ebtools.preflight.configurations import ConfigurationError
from tests.preflight.bundles import EXTENSION, bundle, places

SAVED = """AWSConfigurationTemplateVersion: 1.1.0.0
SolutionStack: 64bit Amazon Linux 2023 v4.13.2 running Python 3.13
OptionSettings:
  aws:elasticbeanstalk:application:environment:
    GREETING: good night
  AWSEBAutoScalingGroup.aws:autoscaling:asg:
    MaxSize: '12'
  aws:elasticbeanstalk:healthreporting:system:
    SystemType: enhanced
"""


def write(root: Path, name: str, text: str = SAVED) -> Path:
    path = root / ".elasticbeanstalk" / "saved_configs" / f"{name}.cfg.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_saved_configuration_of_a_work_tree_is_one_more_way(tmp_path: Path) -> None:
    write(tmp_path, "staging"), write(tmp_path, "production")
    found = configurations.all_of(tmp_path, "Python 3.13")
    assert [one.name for one in found] == ["eb create", "production", "staging"]
    assert [one.has_cli_presets for one in found] == [True, False, False]
    assert found[0].platform == "Python 3.13"
    assert found[1].platform == "64bit Amazon Linux 2023 v4.13.2 running Python 3.13"


def test_a_saved_default_is_what_a_plain_create_takes(tmp_path: Path) -> None:
    write(tmp_path, "default")
    assert [one.name for one in configurations.all_of(tmp_path)] == ["default"]


def test_a_name_and_a_file_are_found_as_the_eb_cli_finds_them(tmp_path: Path) -> None:
    path = write(tmp_path, "staging")
    (tmp_path / ".elasticbeanstalk" / "shared.cfg.yml").write_text(SAVED)
    found = configurations.named(["staging", str(path), "shared", "eb create"], tmp_path)
    assert [one.name for one in found] == ["staging", "staging", "shared", "eb create"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: b: c\n", r"staging\.cfg\.yml:1: "),
        ("[]\n", "is no saved configuration"),
        ("OptionSettings: 1\n", "is no saved"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        configurations.read(write(tmp_path, "staging", text))


def test_a_configuration_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no saved configuration production"):
        configurations.named(["production"], tmp_path)


def test_the_eb_cli_wins_over_a_saved_configuration_and_that_over_the_bundle(tmp_path: Path) -> None:
    saved = Case(bundle(), configurations.read(write(tmp_path, "staging")))
    assert saved.properties["GREETING"] == "good night"
    assert saved.value("aws:autoscaling:asg", "MaxSize") == "12"
    assert saved.value("aws:autoscaling:asg", "MinSize") == "2"
    assert saved.value("aws:elasticbeanstalk:command", "BatchSizeType", "Percentage") == "Percentage"
    assert saved.value("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType", "Time") == "Time"
    content = "option_settings:\n  aws:autoscaling:updatepolicy:rollingupdate:\n    RollingUpdateType: Immutable\n"
    plain = Case(bundle({EXTENSION: content}), configurations.plain())
    assert plain.value("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType", "Time") == "Health"


def test_a_fault_in_a_saved_configuration_is_found_in_its_file_and_line(tmp_path: Path) -> None:
    text = SAVED.replace("MaxSize: '12'", "MaxSize: '1'")
    found = places(bundle(), configurations.read(write(tmp_path, "staging", text)))
    assert found == [("environment/sizes", ".ebextensions/01-options.config", 10)]
    text = SAVED.replace("MaxSize", "MaximalSize")
    found = places(bundle(), configurations.read(write(tmp_path, "staging", text)))
    assert found == [("options/unknown-option", ".elasticbeanstalk/saved_configs/staging.cfg.yml", 7)]
