"""Whether .ebextensions is taken by the platform, and does what the package promises."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from ebtools.preflight import catalogue, engine
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case
from ebtools.preflight.configurations import plain
from ebtools.preflight.findings import Outcome
from tests.package.profiles import EXTENSIONS, NAMES, PLAIN, ROOT, case, of_type, resources, section, value

ASG = "aws:autoscaling:asg"
COMMAND = "aws:elasticbeanstalk:command"
PROCESS = "aws:elasticbeanstalk:environment:process:default"
TRIGGER = "aws:autoscaling:trigger"
SCHEDULE = "aws:autoscaling:scheduledaction"
DATABASE = "aws:rds:dbinstance"
SETTINGS = ("yaml/", "options/", "environment/", "listeners/", "properties/", "resources/", "secrets/")
RULES = [rule for rule in catalogue.PROFILES["fastier"] if rule.id.startswith(SETTINGS)]


def results(found: Case) -> list[tuple[str, Outcome]]:
    """What preflight says of the settings; cfn-lint is one of its rules."""
    report = engine.run(found.bundle, [found.configuration], RULES)
    return [(result.rule.id, result.outcome) for result in report.results]


@pytest.mark.parametrize("name", NAMES)
def test_preflight_finds_nothing_in_the_settings(name: str) -> None:
    assert results(case(name)) == []
    assert {"resources/schema", "resources/unknown-reference", "options/value", "properties/size"} <= {
        rule.id for rule in RULES
    }


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("ScalingAdjustment: 1", "ScalingAdjustments: 1", "resources/schema"),
        ("MetricType: ASGAverageCPUUtilization", "MetricType: CPUUtilization", "resources/schema"),
        ("ComparisonOperator: GreaterThanThreshold", "ComparisonOperator: Above", "resources/schema"),
        ('{ "Ref": "FastierMoreMemory" }', '{ "Ref": "FastierMemories" }', "resources/unknown-reference"),
        ("option_name: Recurrence", "option_name: Recurrance", "options/unknown-option"),
    ],
)
def test_a_slip_in_our_files_would_be_found(right: str, wrong: str, rule: str) -> None:
    texts = {f".ebextensions/{path.name}": path.read_text() for path in EXTENSIONS.iterdir()}
    assert any(right in text for text in texts.values())
    files: dict[str, str | bytes] = {name: text.replace(right, wrong) for name, text in texts.items()}
    assert rule in [name for name, _ in results(Case(Bundle.of_files(files), plain()))]


def test_each_file_is_about_one_thing_and_they_are_numbered_without_a_gap() -> None:
    numbers = [path.name[:2] for path in sorted(EXTENSIONS.iterdir())]
    assert numbers == [f"{number:02}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_leaves_the_load_balancer_before_it_stops(name: str) -> None:
    graceful = re.search(r"^graceful_timeout = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert graceful is not None
    assert int(value(name, PROCESS, "DeregistrationDelay")) >= int(graceful.group(1))
    # The side that sends requests drops an idle connection first; nginx keeps one for 60 s at least.
    assert int(value(name, "aws:elbv2:loadbalancer", "IdleTimeout")) < 60


@pytest.mark.parametrize("name", NAMES)
def test_the_load_balancer_asks_the_path_that_touches_nothing_shared(name: str) -> None:
    assert value(name, "aws:elasticbeanstalk:environment", "EnvironmentType") == "LoadBalanced"
    assert value(name, "aws:elasticbeanstalk:environment", "LoadBalancerType") == "application"
    assert value(name, PROCESS, "HealthCheckPath") == "/health/live"
    assert value(name, PROCESS, "MatcherHTTPCode") == "200"
    assert int(value(name, PROCESS, "HealthCheckTimeout")) < int(value(name, PROCESS, "HealthCheckInterval"))
    assert value(name, "aws:elbv2:listener:default", "Protocol") == "HTTP"


@pytest.mark.parametrize("name", NAMES)
def test_instances_stand_in_two_zones_and_a_dead_application_is_replaced(name: str) -> None:
    assert value(name, ASG, "Availability Zones") == "Any 2"
    group = resources()["AWSEBAutoScalingGroup"]["Properties"]
    assert group["HealthCheckType"] == "ELB"
    # An instance that still installs must not be taken for a dead one.
    assert group["HealthCheckGracePeriod"] >= int(value(name, COMMAND, "Timeout"))


def test_nothing_but_target_tracking_can_remove_an_instance() -> None:
    policies = of_type("AWS::AutoScaling::ScalingPolicy")
    tracking = {name: body for name, body in policies.items() if body["PolicyType"] == "TargetTrackingScaling"}
    metrics = {
        body["TargetTrackingConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        for body in tracking.values()
    }
    assert metrics == {"ALBRequestCountPerTarget", "ASGAverageCPUUtilization"}
    for body in tracking.values():
        assert not body["TargetTrackingConfiguration"].get("DisableScaleIn", False)
    for name, body in policies.items():
        if name not in tracking:
            assert body["AdjustmentType"] == "ChangeInCapacity"
            assert body["ScalingAdjustment"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_alarms_of_elastic_beanstalk_do_nothing_and_never_fire(name: str) -> None:
    for alarm in ("AWSEBCloudwatchAlarmHigh", "AWSEBCloudwatchAlarmLow"):
        assert resources()[alarm]["Properties"]["AlarmActions"] == [{"Ref": "AWS::NoValue"}]
    # A percentage is never below the one and never above the other.
    assert (value(name, TRIGGER, "MeasureName"), value(name, TRIGGER, "Unit")) == ("CPUUtilization", "Percent")
    assert value(name, TRIGGER, "Statistic") == "Average"
    assert (value(name, TRIGGER, "LowerThreshold"), value(name, TRIGGER, "UpperThreshold")) == ("0", "100")
    count, period = int(value(name, TRIGGER, "EvaluationPeriods")), int(value(name, TRIGGER, "Period"))
    assert int(value(name, TRIGGER, "BreachDuration")) == count * period


def test_alarms_tell_people_and_memory_adds_an_instance() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    own = {name: body for name, body in alarms.items() if not name.startswith("AWSEB")}
    assert set(own) == {"FastierMemoryAlarm", "FastierDiskAlarm"}
    assert all({"Ref": "FastierAlarms"} in body["AlarmActions"] for body in own.values())
    assert resources()["FastierAlarms"]["Type"] == "AWS::SNS::Topic"
    assert {"Ref": "FastierMoreMemory"} in own["FastierMemoryAlarm"]["AlarmActions"]
    # Less memory in use removes nothing.
    assert own["FastierMemoryAlarm"]["OKActions"] == [{"Ref": "FastierAlarms"}]
    assert {"Ref": "FastierMoreMemory"} not in own["FastierDiskAlarm"]["AlarmActions"]


def test_the_agent_reports_what_the_alarms_look_at() -> None:
    written = section("files")["/opt/aws/amazon-cloudwatch-agent/etc/fastier.json"]["content"]
    # The platform puts the environment's name in place of each function.
    agent = json.loads(re.sub(r"`[^`]*`", "an-environment", written))["metrics"]
    reported = {
        f"{kind}_{name}": set(facts["append_dimensions"])
        for kind, facts in agent["metrics_collected"].items()
        for name in facts["measurement"]
    }
    looked_at = {
        body["MetricName"]: {dimension["Name"] for dimension in body["Dimensions"]}
        for body in of_type("AWS::CloudWatch::Alarm").values()
        if body.get("Namespace") == agent["namespace"]
    }
    assert reported == looked_at
    assert agent["aggregation_dimensions"] == [["EnvironmentName"]]
    assert set(looked_at["mem_used_percent"]) == {"EnvironmentName"}
    assert "amazon-cloudwatch-agent" in section("packages")["yum"]


def test_an_instance_whose_agent_fails_serves_all_the_same() -> None:
    (command,) = section("container_commands").values()
    assert command["ignoreErrors"] is True
    # It adds to what the platform streams; fetch-config would take that away.
    assert "-a append-config" in command["command"]
    assert "leader_only" not in command
    assert command["command"].endswith("file:/opt/aws/amazon-cloudwatch-agent/etc/fastier.json")


def test_every_log_of_ours_is_rotated_streamed_and_fetched(tmp_path: Path) -> None:
    files = section("files")
    (rotation,) = [name for name in files if name.startswith("/etc/logrotate.elasticbeanstalk.hourly/")]
    (hourly,) = [name for name in files if name.startswith("/etc/cron.hourly/")]
    assert rotation in files[hourly]["content"]
    assert files[hourly]["mode"] == "000755"
    script = tmp_path / "hourly"
    script.write_text(files[hourly]["content"])
    subprocess.run(["sh", "-n", script], check=True, timeout=10)
    logs = ["/var/log/jobs.stdout.log", "/var/log/nginx/upstream.log"]
    assert files[rotation]["content"].split("{")[0].split() == logs
    for task in ("taillogs", "bundlelogs"):
        assert files[f"/opt/elasticbeanstalk/tasks/{task}.d/fastier.conf"]["content"].split() == logs
    assert "copytruncate" in files[rotation]["content"]
    assert "/var/log/jobs.stdout.log" in files["/opt/aws/amazon-cloudwatch-agent/etc/fastier.json"]["content"]


@pytest.mark.parametrize("name", NAMES)
def test_the_schedule_moves_the_floor_alone(name: str) -> None:
    actions = {(one.resource, one.name) for one in case(name).settings if one.namespace == SCHEDULE}
    assert actions == {
        (action, option) for action in ("FastierNight", "FastierDay") for option in ("Recurrence", "MinSize")
    }
    night, day = (int(value(name, SCHEDULE, "MinSize", action)) for action in ("FastierNight", "FastierDay"))
    assert 1 <= night <= day <= int(value(name, ASG, "MaxSize"))
    # Whatever hour it is made at, an environment begins as by day.
    assert day == int(value(name, ASG, "MinSize"))


def test_no_resource_that_holds_data_goes_with_the_environment() -> None:
    buckets = [body for body in resources().values() if body["Type"] == "AWS::S3::Bucket"]
    assert [(body["DeletionPolicy"], body["UpdateReplacePolicy"]) for body in buckets] == [("Retain", "Retain")]
    # Without its policy the instances of the next environment could not reach what is left.
    assert resources()["FastierAttachmentsPolicy"]["DeletionPolicy"] == "Retain"
    assert value(PLAIN, DATABASE, "DBDeletionPolicy") == "Snapshot"
    assert int(value(PLAIN, DATABASE, "DBEngineVersion").split(".")[0]) >= 15


def test_the_bucket_is_closed_to_the_public_and_a_browser_can_upload_into_it() -> None:
    bucket = resources()["FastierAttachments"]["Properties"]
    assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4
    (rule,) = bucket["CorsConfiguration"]["CorsRules"]
    assert "PUT" in rule["AllowedMethods"]
    assert "ETag" in rule["ExposedHeaders"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["abort-unfinished-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rules["expire-old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert case(PLAIN).properties["FASTIER_S3_BUCKET"] == '`{"Ref": "FastierAttachments"}`'


@pytest.mark.parametrize("name", NAMES)
def test_credentials_cannot_be_read_from_an_instance_by_a_forged_request(name: str) -> None:
    assert value(name, "aws:autoscaling:launchconfiguration", "DisableIMDSv1") == "true"


@pytest.mark.parametrize("name", NAMES)
def test_updates_install_themselves_and_health_leaves_out_what_clients_do_wrong(name: str) -> None:
    assert value(name, "aws:elasticbeanstalk:managedactions", "ManagedActionsEnabled") == "true"
    health = "aws:elasticbeanstalk:healthreporting:system"
    assert value(name, health, "SystemType") == "enhanced"
    rules = json.loads(value(name, health, "ConfigDocument"))["Rules"]["Environment"]
    assert rules["Application"]["ApplicationRequests4xx"] == {"Enabled": False}
    assert rules["ELB"]["ELBRequests4xx"] == {"Enabled": False}


def test_no_file_names_an_account() -> None:
    for path in EXTENSIONS.iterdir():
        assert not re.search(r"arn:aws|\b\d{12}\b|\b(?:vpc|subnet|sg)-[0-9a-f]{8,}", path.read_text()), path
