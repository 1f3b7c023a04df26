"""Makes the template that Elastic Beanstalk would give to CloudFormation: its own resources and the bundle's."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ebtools.preflight.case import Case
from ebtools.preflight.extensions import Extension, child, line_of

PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)
# Stands for whatever is known only on AWS.
UNKNOWN = "PreflightUnknown"
_IN_SUB = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")

Resources = dict[str, dict[str, Any]]

_GROUP: Resources = {
    "AWSEBAutoScalingGroup": {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {
            "MinSize": "1",
            "MaxSize": "4",
            "AvailabilityZones": {"Fn::GetAZs": ""},
            "LaunchTemplate": {
                "LaunchTemplateId": {"Ref": "AWSEBEC2LaunchTemplate"},
                "Version": {"Fn::GetAtt": ["AWSEBEC2LaunchTemplate", "LatestVersionNumber"]},
            },
        },
    },
    "AWSEBEC2LaunchTemplate": {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {"LaunchTemplateData": {"InstanceType": "t3.small"}},
    },
    # Some environments still have this one in place of the template.
    "AWSEBAutoScalingLaunchConfiguration": {
        "Type": "AWS::AutoScaling::LaunchConfiguration",
        "Properties": {"ImageId": {"Ref": UNKNOWN}, "InstanceType": "t3.small"},
    },
    "AWSEBSecurityGroup": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "of instances"}},
    "AWSEBBeanstalkMetadata": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "AWSEBInstanceLaunchWaitHandle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "AWSEBInstanceLaunchWaitCondition": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "AWSEBInstanceLaunchWaitHandle"}, "Timeout": "600", "Count": 1},
    },
}
_SINGLE: Resources = {"AWSEBEIP": {"Type": "AWS::EC2::EIP"}}
_POLICY = {"AdjustmentType": "ChangeInCapacity", "AutoScalingGroupName": {"Ref": "AWSEBAutoScalingGroup"}}
_ALARM = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}
_METRIC = {"MetricName": "NetworkOut", "Namespace": "AWS/EC2", "Period": 300, "Statistic": "Average", "Threshold": 1}
_SEVERAL: Resources = {
    "AWSEBAutoScalingScaleUpPolicy": {
        "Type": "AWS::AutoScaling::ScalingPolicy",
        "Properties": {**_POLICY, "ScalingAdjustment": 1},
    },
    "AWSEBAutoScalingScaleDownPolicy": {
        "Type": "AWS::AutoScaling::ScalingPolicy",
        "Properties": {**_POLICY, "ScalingAdjustment": -1},
    },
    "AWSEBCloudwatchAlarmHigh": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**_ALARM, **_METRIC}},
    "AWSEBCloudwatchAlarmLow": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**_ALARM, **_METRIC}},
    "AWSEBLoadBalancerSecurityGroup": {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "of the load balancer"},
    },
}
_CLASSIC: Resources = {
    "AWSEBLoadBalancer": {
        "Type": "AWS::ElasticLoadBalancing::LoadBalancer",
        "Properties": {
            "AvailabilityZones": {"Fn::GetAZs": ""},
            "Listeners": [{"InstancePort": "80", "LoadBalancerPort": "80", "Protocol": "HTTP"}],
        },
    },
}
_FORWARD = {"Type": "forward", "TargetGroupArn": {"Ref": "AWSEBV2LoadBalancerTargetGroup"}}
_LISTENER = {"LoadBalancerArn": {"Ref": "AWSEBV2LoadBalancer"}, "Port": 80, "Protocol": "HTTP"}
_NEWER: Resources = {
    "AWSEBV2LoadBalancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer"},
    "AWSEBV2LoadBalancerTargetGroup": {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {"Port": 80, "Protocol": "HTTP", "VpcId": {"Ref": UNKNOWN}},
    },
    "AWSEBV2LoadBalancerListener": {
        "Type": "AWS::ElasticLoadBalancingV2::Listener",
        "Properties": {**_LISTENER, "DefaultActions": [_FORWARD]},
    },
    "AWSEBV2LoadBalancerListenerRule": {
        "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "AWSEBV2LoadBalancerListener"},
            "Actions": [_FORWARD],
            "Conditions": [{"Field": "path-pattern", "Values": ["/*"]}],
            "Priority": 1,
        },
    },
}
_DATABASE: Resources = {
    "AWSEBRDSDatabase": {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Snapshot",
        "UpdateReplacePolicy": "Snapshot",
        "Properties": {"DBInstanceClass": "db.t4g.small", "Engine": {"Ref": UNKNOWN}, "AllocatedStorage": "20"},
    },
}
_WORKER: Resources = {
    "AWSEBWorkerQueue": {"Type": "AWS::SQS::Queue"},
    "AWSEBWorkerDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
    "AWSEBWorkerCronLeaderRegistry": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "KeySchema": [{"AttributeName": "registry-id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "registry-id", "AttributeType": "S"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        },
    },
}
# Every logical name that the platform is known to use, in whatever kind of environment.
PLATFORM_NAMES = frozenset(
    {"AWSEBEnvironmentName", *_GROUP, *_SINGLE, *_SEVERAL, *_CLASSIC, *_NEWER, *_DATABASE, *_WORKER}
)


def platform_resources(case: Case) -> Resources:
    """What the platform itself makes for this kind of environment; a worker's queue may be there or not."""
    coupled = case.value("aws:rds:dbinstance", "HasCoupledDatabase").lower()
    # The options of a database alone made one too, before it could be decoupled.
    has_database = coupled == "true" or (
        not coupled and any(one.namespace == "aws:rds:dbinstance" for one in case.settings)
    )
    own = {**_GROUP, **_WORKER, **(_DATABASE if has_database else {})}
    if not case.is_load_balanced:
        return {**own, **_SINGLE}
    return {**own, **_SEVERAL, **(_CLASSIC if case.load_balancer == "classic" else _NEWER)}


@dataclass(frozen=True, slots=True)
class Reference:
    """A logical name that a function asks for, and where."""

    name: str
    file: str
    line: int


def known_names(case: Case) -> set[str]:
    """All that a function may name: of the platform, of .ebextensions, and of CloudFormation itself."""
    own = {name for extension in case.extensions for name in extension.resources}
    parameters = {name for extension in case.extensions for name in _section(extension, "Parameters")}
    return {"AWSEBEnvironmentName", *platform_resources(case), *own, *parameters, *PSEUDO}


def rendered(case: Case) -> str:
    """The template as JSON, in which what is known only on AWS refers to one parameter."""
    known = known_names(case)
    resources = {name: dict(body) for name, body in platform_resources(case).items()}
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {UNKNOWN: {"Type": "String"}, "AWSEBEnvironmentName": {"Type": "String"}},
        "Resources": resources,
    }
    for extension in case.extensions:
        for section in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs"):
            merged = _merged(template.get(section, {}), _neutral(_section(extension, section), known))
            if merged:
                template[section] = merged
    return json.dumps(template, sort_keys=True, default=str)


def _section(extension: Extension, name: str) -> dict[str, Any]:
    found = extension.document.get(name) if isinstance(extension.document, dict) else None
    return found if isinstance(found, dict) else {}


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    # A function replaces what it stands for; it is never mixed with another one.
    if any(key == "Ref" or str(key).startswith("Fn::") for key in [*base, *over]):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _neutral(value: Any, known: set[str]) -> Any:
    """Without what CloudFormation does not know: the platform's function, and names that another rule reports."""
    if isinstance(value, list):
        return [_neutral(one, known) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::GetOptionSetting" in value or (len(value) == 1 and any(name not in known for name in named_by(value))):
        return {"Ref": UNKNOWN}
    return {
        str(key): [one for one in _listed(inner) if isinstance(one, str) and one in known]
        if key == "DependsOn"
        else _neutral(inner, known)
        for key, inner in value.items()
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named_by(value: Any) -> Iterator[str]:
    """The logical names that a function asks for by itself, without those within its arguments."""
    if not isinstance(value, dict):
        return
    if isinstance(value.get("Ref"), str):
        yield value["Ref"]
    attribute = value.get("Fn::GetAtt")
    if isinstance(attribute, str):
        yield attribute.split(".")[0]
    elif isinstance(attribute, list) and attribute and isinstance(attribute[0], str):
        yield attribute[0]
    text = value.get("Fn::Sub")
    own: dict[str, Any] = {}
    if isinstance(text, list) and len(text) == 2 and isinstance(text[1], dict):
        text, own = text
    if isinstance(text, str):
        yield from (name.split(".")[0] for name in _IN_SUB.findall(text) if name not in own)


def names_within(value: Any) -> Iterator[str]:
    """The same at any depth."""
    yield from named_by(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names_within(inner)


def line_at(case: Case, path: list[Any]) -> tuple[str, int]:
    """File and line of the deepest part of a path in the template that some file writes; no file, when none does."""
    best: tuple[int, str, int] = (1, "", 0)
    for extension in case.extensions:
        depth, node, line = 0, extension.node, 0
        for key in path:
            found = _key(node, key)
            if found is None:
                break
            depth, (line, node) = depth + 1, found
        if depth > best[0]:
            best = (depth, extension.file, line)
    return best[1], best[2]


def _key(node: yaml.Node | None, key: Any) -> tuple[int, yaml.Node] | None:
    """The line of a mapping's key or a list's item, and what stands there."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return line_of(node.value[key]), node.value[key]
    found = child(node, str(key))
    if found is None or not isinstance(node, yaml.MappingNode):
        return None
    name = next(name for name, value in node.value if value is found)
    return line_of(name), found
