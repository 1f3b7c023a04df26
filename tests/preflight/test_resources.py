"""What .ebextensions adds to the CloudFormation template, and the functions in options."""

import pytest

from ebtools.preflight.case import Case, Configuration
from ebtools.preflight.configurations import plain
from ebtools.preflight.rules import resources
from ebtools.preflight.template import rendered
from tests.preflight.bundles import EXTENSION, bundle, places

SINGLE = "option_settings:\n  aws:elasticbeanstalk:environment:\n    EnvironmentType: SingleInstance\n"
BUCKET = """Resources:
  Uploads:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    Properties:
      VersioningConfiguration:
        Status: {status}
"""
# Properties of the platform's own resources are added to, functions of the platform are resolved by it alone.
CLEAN = """Resources:
  AWSEBAutoScalingGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      HealthCheckType: ELB
      HealthCheckGracePeriod: 300
  Uploads:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
  Notices:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - Protocol: email
          Endpoint: {"Fn::GetOptionSetting": {"OptionName": "NoticeAddress", "DefaultValue": "me@example.org"}}
  Track:
    Type: AWS::AutoScaling::ScalingPolicy
    DependsOn: AWSEBAutoScalingGroup
    Properties:
      AutoScalingGroupName: {Ref: AWSEBAutoScalingGroup}
      PolicyType: TargetTrackingScaling
      TargetTrackingConfiguration:
        TargetValue: 60
        PredefinedMetricSpecification:
          PredefinedMetricType: ALBRequestCountPerTarget
          ResourceLabel:
            Fn::Join:
              - "/"
              - - {"Fn::GetAtt": [AWSEBV2LoadBalancer, LoadBalancerFullName]}
                - {"Fn::GetAtt": [AWSEBV2LoadBalancerTargetGroup, TargetGroupFullName]}
  AWSEBCloudwatchAlarmHigh:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmActions: [{Ref: "AWS::NoValue"}]
Outputs:
  Bucket:
    Value: {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Uploads}"}
option_settings:
  aws:elasticbeanstalk:application:environment:
    BUCKET: '`{"Ref": "Uploads"}`'
    ENVIRONMENT: '`{"Ref": "AWSEBEnvironmentName"}`'
files:
  "/etc/bucket":
    mode: "000644"
    content: |
      bucket=`{"Ref": "Uploads"}`
      today=`date`
"""


def test_a_clean_template_has_no_finding() -> None:
    assert places(bundle({EXTENSION: CLEAN})) == []


def test_a_value_that_cloudformation_refuses_is_found_in_its_line() -> None:
    assert places(bundle({EXTENSION: BUCKET.format(status="Enabled")})) == []
    assert places(bundle({EXTENSION: BUCKET.format(status="Enabld")})) == [("resources/schema", EXTENSION, 7)]


def test_an_unknown_property_is_found_in_its_line_among_several_files() -> None:
    changes: dict[str, str | bytes | None] = {
        ".ebextensions/20-bucket.config": BUCKET.format(status="Enabled"),
        EXTENSION: "# one\nResources:\n  AWSEBAutoScalingGroup:\n    Properties:\n      HealthCheckTyp: ELB\n",
    }
    assert places(bundle(changes)) == [("resources/schema", EXTENSION, 5)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('option_settings:\n  - option_name: B\n    value: \'`{"Ref": "Uploadz"}`\'\n', 2),
        ('files:\n  "/etc/b":\n    content: |\n      bucket=`{"Ref": "Uploadz"}`\n', 3),
        ("Outputs:\n  B:\n    Value: {Ref: Uploadz}\n", 3),
        ("Outputs:\n  B:\n    Value:\n      Fn::GetAtt: [Uploadz, Arn]\n", 4),
        ('Outputs:\n  B:\n    Value: {"Fn::Sub": "${Uploadz}-${AWS::Region}"}\n', 3),
    ],
)
def test_a_function_that_names_nothing_is_found(content: str, line: int) -> None:
    assert places(bundle({EXTENSION: content})) == [("resources/unknown-reference", EXTENSION, line)]


def test_a_resource_is_only_there_in_its_kind_of_environment() -> None:
    content = (
        'option_settings:\n  - option_name: HOST\n    value: \'`{"Fn::GetAtt": ["AWSEBV2LoadBalancer", "DNSName"]}`\'\n'
    )
    assert places(bundle({EXTENSION: content})) == []
    alone = bundle({".ebextensions/01-options.config": SINGLE, EXTENSION: content})
    assert places(alone) == [("resources/unknown-reference", EXTENSION, 2)]


def test_a_database_is_only_there_where_one_is_coupled() -> None:
    content = "Outputs:\n  B:\n    Value: {Ref: AWSEBRDSDatabase}\n"
    assert places(bundle({EXTENSION: content})) == [("resources/unknown-reference", EXTENSION, 3)]
    coupled = "option_settings:\n  aws:rds:dbinstance:\n    HasCoupledDatabase: true\n    DBDeletionPolicy: Retain\n"
    assert places(bundle({EXTENSION: content + coupled})) == []


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        ("Outputs:\n  B:\n    Value: {Ref: AWSEBV2TargetGroup}\n", "resources/unknown-platform-resource", 3),
        ("option_settings:\n  - option_name: B\n    value: '`{\"Ref\": }`'\n", "resources/function", 2),
        ('option_settings:\n  - option_name: B\n    value: \'`{"Ref": "A", "B": 1}`\'\n', "resources/function", 2),
        ('option_settings:\n  - option_name: B\n    value: \'`{"Reff": "A"}`\'\n', "resources/function", 2),
        ('option_settings:\n  - option_name: B\n    value: \'`{"Ref": "A"}\'\n', "resources/function", 2),
        (
            "Outputs:\n  B:\n    Value: {'Fn::GetOptionSetting': ['aws:autoscaling:asg', 'MinSize']}\n",
            "resources/get-option-setting",
            3,
        ),
        (
            "Outputs:\n  B:\n    Value:\n      Fn::GetOptionSetting: {OptionName: MinSize, Default: 1}\n",
            "resources/get-option-setting",
            4,
        ),
        ("Resources:\n  Uploads:\n    Type: AWS::S3::Bucket\n", "resources/not-kept", 2),
    ],
)
def test_a_fault_is_found_in_its_line_and_nothing_else(content: str, rule: str, line: int) -> None:
    assert places(bundle({EXTENSION: content})) == [(rule, EXTENSION, line)]


def test_a_template_is_checked_once_for_all_configurations() -> None:
    """What differs between them only in options makes the same template."""
    first, second = (
        rendered(Case(bundle({EXTENSION: CLEAN}), one)) for one in (plain(), Configuration("a", has_cli_presets=False))
    )
    assert first == second


def test_every_rule_about_resources_has_its_fault() -> None:
    assert {rule.id for rule in resources.RULES} == {
        "resources/schema",
        "resources/unknown-reference",
        "resources/unknown-platform-resource",
        "resources/function",
        "resources/get-option-setting",
        "resources/not-kept",
    }
