"""Whether Elastic Beanstalk would take every option that .ebextensions sets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ebtools.preflight import options
from ebtools.preflight.options import Setting

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / ".ebextensions"
FILES = sorted(EXTENSIONS.iterdir())
SETTINGS = options.settings_in(EXTENSIONS)
VALUES = {(setting.namespace, setting.name): str(setting.value) for setting in SETTINGS}
PROCESS = "aws:elasticbeanstalk:environment:process:default"


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def resources() -> dict[str, Any]:
    return {name: body for path in FILES for name, body in document(path).get("Resources", {}).items()}


def test_every_option_exists_and_has_a_value_that_is_allowed() -> None:
    assert [fault for setting in SETTINGS for fault in options.faults_of(setting)] == []
    assert len(SETTINGS) > 40


def test_no_option_is_set_twice() -> None:
    assert len(VALUES) == len(SETTINGS)


def test_no_option_is_dead_beside_the_procfile() -> None:
    assert (ROOT / "Procfile").exists()
    assert not [setting for setting in SETTINGS if setting.namespace == options.DEAD_BESIDE_A_PROCFILE]


@pytest.mark.parametrize(
    ("namespace", "name", "value", "fault"),
    [
        ("aws:autoscaling:group", "MinSize", "2", "no such namespace"),
        ("aws:autoscaling:asg", "MinimumSize", "2", "no such option"),
        ("aws:autoscaling:asg", "MinSize", "two", "no whole number"),
        ("aws:autoscaling:asg", "MinSize", "20000", "not from 1 to 10000"),
        ("aws:autoscaling:asg", "MinSize", 2, "no string"),
        ("aws:elasticbeanstalk:command", "DeploymentPolicy", "Imutable", "none of AllAtOnce"),
        ("aws:elasticbeanstalk:environment:process:default", "StickinessEnabled", False, "no string"),
        ("aws:elasticbeanstalk:application:environment", "NAME", '`{"Ref": }`', "not JSON"),
        ("aws:elasticbeanstalk:application:environment", "NAME", '`{"Ref": "A", "B": 1}`', "one key"),
        ("aws:elasticbeanstalk:command", "BatchSizeType", "Fixed", "the EB CLI sets it to Percentage"),
        ("aws:elasticbeanstalk:environment", "ServiceRole", "mine", "a value of its own"),
    ],
)
def test_a_wrong_option_is_found(namespace: str, name: str, value: object, fault: str) -> None:
    (found,) = options.faults_of(Setting("99-wrong.config", namespace, name, value))
    assert found.startswith("99-wrong.config: ")
    assert fault in found


def test_both_forms_of_option_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "1.config").write_text("option_settings:\n  aws:autoscaling:asg:\n    MinSize: '2'\n")
    (tmp_path / "2.config").write_text(
        "option_settings:\n  - namespace: aws:autoscaling:asg\n    option_name: MaxSize\n    value: yes\n"
    )
    (tmp_path / "3.txt").write_text("not read: [")
    assert options.settings_in(tmp_path) == [
        Setting("1.config", "aws:autoscaling:asg", "MinSize", "2"),
        Setting("2.config", "aws:autoscaling:asg", "MaxSize", True),
    ]


def test_every_file_is_one_that_the_platform_reads() -> None:
    for path in FILES:
        assert path.suffix == ".config", path
        # An unknown key makes the platform skip the whole file, with only a warning.
        assert set(document(path)) <= {"option_settings", "Resources"}, path
        assert "\t" not in path.read_text()
        # Not every reader of YAML follows them.
        assert "<<" not in path.read_text()
        assert not [event for event in yaml.parse(path.read_text()) if getattr(event, "anchor", None)], path


def test_a_yaml_key_stands_once() -> None:
    """YAML takes the last of two equal keys, and the first is gone without a word."""
    for path in FILES:
        twice: list[str] = []
        _duplicates(yaml.compose(path.read_text()), twice)
        assert twice == [], path


def _duplicates(node: Any, found: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        found += [key for key in keys if keys.count(key) > 1]
        for _, value in node.value:
            _duplicates(value, found)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _duplicates(value, found)


def test_the_environment_fits_into_4096_bytes_with_room_for_the_database_and_people() -> None:
    properties = [s for s in SETTINGS if s.namespace == "aws:elasticbeanstalk:application:environment"]
    # An address or an ARN takes the place of each function; none is longer than 200 bytes.
    total = sum(len(s.name) + (200 if s.is_computed else len(str(s.value))) + 1 for s in properties)
    assert total < 2048


def test_the_load_balancer_asks_the_path_that_touches_nothing_shared() -> None:
    assert VALUES[PROCESS, "HealthCheckPath"] == "/health/live"
    assert int(VALUES[PROCESS, "HealthCheckTimeout"]) < int(VALUES[PROCESS, "HealthCheckInterval"])
    assert resources()["AWSEBAutoScalingGroup"]["Properties"]["HealthCheckType"] == "ELB"


def test_an_instance_is_not_replaced_while_it_may_still_install() -> None:
    grace = resources()["AWSEBAutoScalingGroup"]["Properties"]["HealthCheckGracePeriod"]
    assert grace >= int(VALUES["aws:elasticbeanstalk:command", "Timeout"])


def test_two_instances_in_two_zones_are_the_least() -> None:
    assert int(VALUES["aws:autoscaling:asg", "MinSize"]) == 2
    assert int(VALUES["aws:autoscaling:asg", "MaxSize"]) == 4
    assert VALUES["aws:autoscaling:asg", "Availability Zones"] == "Any 2"


def test_the_alarms_three_numbers_agree() -> None:
    period, count, breach = (
        int(VALUES["aws:autoscaling:trigger", name]) for name in ("Period", "EvaluationPeriods", "BreachDuration")
    )
    assert breach == period * count


def test_no_resource_that_holds_data_goes_with_the_environment() -> None:
    buckets = [resource for resource in resources().values() if resource["Type"] == "AWS::S3::Bucket"]
    assert [(bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) for bucket in buckets] == [("Retain", "Retain")]
    # Without its policy the instances of the next environment could not reach what is left.
    assert resources()["FastierAttachmentsPolicy"]["DeletionPolicy"] == "Retain"
    assert VALUES["aws:rds:dbinstance", "DBDeletionPolicy"] == "Snapshot"
    assert int(VALUES["aws:rds:dbinstance", "DBEngineVersion"].split(".")[0]) >= 15


def test_no_password_and_no_account_stand_in_a_file() -> None:
    assert ("aws:rds:dbinstance", "DBPassword") not in VALUES
    for path in FILES:
        assert "arn:aws:" not in path.read_text(), path


def test_the_bucket_is_closed_to_the_public_and_a_browser_can_upload_into_it() -> None:
    bucket = resources()["FastierAttachments"]["Properties"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (rule,) = bucket["CorsConfiguration"]["CorsRules"]
    assert "PUT" in rule["AllowedMethods"]
    assert "ETag" in rule["ExposedHeaders"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["abort-unfinished-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rules["expire-old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert (
        VALUES["aws:elasticbeanstalk:application:environment", "FASTIER_S3_BUCKET"] == '`{"Ref": "FastierAttachments"}`'
    )


def test_every_function_names_a_resource_that_there_is() -> None:
    own = set(resources()) | {"AWSEBV2LoadBalancer", "AWS::Region", "AWS::Partition", "AWS::AccountId"}
    named: list[str] = []
    for path in FILES:
        _references(document(path), named)
    assert len(named) > 8
    assert set(named) <= own


def _references(value: Any, found: list[str]) -> None:
    if isinstance(value, str) and value.startswith("`"):
        value = yaml.safe_load(value.strip("`"))
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                found.append(inner)
            elif key == "Fn::GetAtt":
                found.append(inner[0])
            else:
                _references(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _references(inner, found)
