"""Rules about options that contradict each other, or the kind of environment that they make."""

import re
from collections.abc import Iterator

from ebtools.preflight.case import Case
from ebtools.preflight.extensions import Setting
from ebtools.preflight.findings import Finding, Outcome, Rule

_ASG = "aws:autoscaling:asg"
_COMMAND = "aws:elasticbeanstalk:command"
_ENVIRONMENT = "aws:elasticbeanstalk:environment"
_HEALTH = "aws:elasticbeanstalk:healthreporting:system"
_MANAGED = "aws:elasticbeanstalk:managedactions"
_DATABASE = "aws:rds:dbinstance"
_ROLLING = "aws:autoscaling:updatepolicy:rollingupdate"
_SWAP = re.compile(r"\b(?:fallocate|dd|mkswap)\b[^;&|]*swap")
# What only an Auto Scaling group of several instances, or a load balancer before it, can do.
_OF_SEVERAL = (
    "aws:autoscaling:trigger",
    "aws:autoscaling:updatepolicy:rollingupdate",
    "aws:autoscaling:scheduledaction",
    "aws:elasticbeanstalk:trafficsplitting",
    "aws:elb:",
    "aws:elbv2:",
)


def _at(setting: Setting, message: str, mend: str = "") -> Finding:
    return Finding(f"{setting.namespace} {setting.name}: {message}", setting.file, setting.line, mend)


def is_on(case: Case, namespace: str, name: str, default: str = "false") -> bool:
    """Whether a switch is on."""
    return case.value(namespace, name, default).lower() == "true"


def _single(case: Case) -> Iterator[Outcome]:
    if case.is_load_balanced:
        return
    for setting in case.chosen.values():
        if setting.namespace.startswith(_OF_SEVERAL):
            yield _at(setting, "a single instance has no such thing")
    size = case.chosen.get((_ASG, "MaxSize"))
    if size is not None and case.number(_ASG, "MaxSize", 1) > 1:
        yield _at(size, "a single instance environment has exactly one")
    batches = case.chosen.get((_COMMAND, "DeploymentPolicy"))
    if batches is not None and batches.text.lower() in ("rolling", "rollingwithadditionalbatch", "trafficsplitting"):
        yield _at(batches, f"{batches.text} needs several instances behind a load balancer")


def _balancer(case: Case) -> Iterator[Outcome]:
    kind = case.load_balancer
    other = {"classic": ("aws:elbv2:",), "application": ("aws:elb:",), "network": ("aws:elb:",)}.get(kind, ())
    for setting in case.chosen.values():
        if other and setting.namespace.startswith(other):
            yield _at(setting, f"the load balancer is of the type {kind}", _other_balancer(case, kind))


def _other_balancer(case: Case, kind: str) -> str:
    if kind == "classic":
        return f"Set LoadBalancerType to application in {_ENVIRONMENT}, or use the namespaces aws:elb:*."
    return "Use the namespaces aws:elbv2:* and aws:elasticbeanstalk:environment:process:*."


def _batches(case: Case) -> Iterator[Outcome]:
    setting = case.chosen.get((_COMMAND, "BatchSize"))
    if setting is None or setting.is_computed:
        return
    size, most = case.number(_COMMAND, "BatchSize", 0), case.number(_ASG, "MaxSize", 4)
    if case.value(_COMMAND, "BatchSizeType", "Percentage").lower() == "percentage":
        if size > 100:
            yield _at(setting, f"{size} percent are more than all")
    elif size > most:
        yield _at(setting, f"a batch of {size} is more than the largest group of {most}")


def _sizes(case: Case) -> Iterator[Outcome]:
    least, most = case.number(_ASG, "MinSize", 1), case.number(_ASG, "MaxSize", 4)
    if least > most:
        setting = case.chosen.get((_ASG, "MinSize")) or case.chosen[_ASG, "MaxSize"]
        yield _at(setting, f"MinSize {least} is above MaxSize {most}")


def _splitting(case: Case) -> Iterator[Outcome]:
    setting = case.chosen.get((_COMMAND, "DeploymentPolicy"))
    splits = setting is not None and setting.text.lower() == "trafficsplitting"
    if setting is not None and splits and case.is_load_balanced and case.load_balancer != "application":
        yield _at(setting, f"it needs an application load balancer, and this one is {case.load_balancer}")


def _enhanced(case: Case) -> Iterator[Outcome]:
    if case.value(_HEALTH, "SystemType", "basic").lower() == "enhanced":
        return
    policy = case.chosen.get((_COMMAND, "DeploymentPolicy"))
    if policy is not None and policy.text.lower() in ("immutable", "trafficsplitting"):
        yield _at(policy, f"{policy.text} needs enhanced health")
    if is_on(case, _MANAGED, "ManagedActionsEnabled"):
        yield _at(case.chosen[_MANAGED, "ManagedActionsEnabled"], "managed platform updates need enhanced health")
    update = case.chosen.get((_ROLLING, "RollingUpdateType"))
    if update is not None and update.text.lower() == "immutable":
        yield _at(update, "immutable updates need enhanced health")


def _managed(case: Case) -> Iterator[Outcome]:
    if not is_on(case, _MANAGED, "ManagedActionsEnabled"):
        return
    needed = {"PreferredStartTime": _MANAGED, "UpdateLevel": f"{_MANAGED}:platformupdate"}
    missing = [name for name, namespace in needed.items() if not case.value(namespace, name)]
    if missing:
        yield _at(case.chosen[_MANAGED, "ManagedActionsEnabled"], f"there is no {' and no '.join(missing)}")


def _database(case: Case) -> Iterator[Outcome]:
    if not is_on(case, _DATABASE, "HasCoupledDatabase"):
        return
    policy = case.chosen.get((_DATABASE, "DBDeletionPolicy"))
    if policy is None or policy.text.lower() == "delete":
        yield _at(
            policy or case.chosen[_DATABASE, "HasCoupledDatabase"], "the database is deleted with the environment"
        )


def _blue_green(case: Case) -> Iterator[Outcome]:
    if case.configuration.is_blue_green and is_on(case, _DATABASE, "HasCoupledDatabase"):
        yield _at(case.chosen[_DATABASE, "HasCoupledDatabase"], "each of the two environments would have its own data")


def _instance_types(case: Case) -> Iterator[Outcome]:
    one = case.chosen.get(("aws:autoscaling:launchconfiguration", "InstanceType"))
    several = case.chosen.get(("aws:ec2:instances", "InstanceTypes"))
    if one is not None and several is not None and one.text != several.text:
        yield _at(one, f"{several.file}:{several.line} sets InstanceTypes, which replaces it")


def _disk(case: Case) -> Iterator[Outcome]:
    if case.value("aws:autoscaling:launchconfiguration", "RootVolumeSize"):
        return
    for entry in [*case.bundle.under(".ebextensions"), *case.bundle.under(".platform")]:
        for number, line in enumerate((entry.text or "").splitlines(), start=1):
            if _SWAP.search(line) and not line.lstrip().startswith("#"):
                yield Finding("a swap file is made on a root volume of the default size", entry.path, number)


RULES = (
    Rule(
        "environment/single-instance",
        "An option that a single instance does not have",
        "An environment of the type SingleInstance has neither a load balancer nor several instances; the platform "
        "ignores the option, or fails where it refers to what is not there.",
        "Remove it, or set EnvironmentType to LoadBalanced.",
        _single,
        "warning",
    ),
    Rule(
        "environment/load-balancer-type",
        "An option of another type of load balancer",
        "The options of the classic load balancer and of the newer ones exclude each other: what belongs to the other "
        "type is ignored, so that listeners, certificates and timeouts are missing.",
        "Use the options of the load balancer that the environment gets.",
        _balancer,
        "warning",
    ),
    Rule(
        "environment/batch-size",
        "A batch larger than the group",
        "Elastic Beanstalk refuses it, or all instances are taken out of service at once.",
        "Choose a batch smaller than MaxSize, or a percentage up to 100.",
        _batches,
    ),
    Rule(
        "environment/sizes",
        "A smallest size above the largest",
        "CloudFormation refuses the Auto Scaling group, and the creation or the update fails.",
        "Set MinSize and MaxSize together.",
        _sizes,
    ),
    Rule(
        "environment/traffic-splitting",
        "Traffic splitting without an application load balancer",
        "Only an application load balancer can weigh two target groups; the deployment is refused.",
        f"Set LoadBalancerType to application in {_ENVIRONMENT}, or take another DeploymentPolicy.",
        _splitting,
    ),
    Rule(
        "environment/enhanced-health",
        "A feature that needs enhanced health",
        "Elastic Beanstalk refuses it with basic health, which is the API's default.",
        f"Set SystemType to enhanced in {_HEALTH}.",
        _enhanced,
    ),
    Rule(
        "environment/managed-updates",
        "Managed platform updates without a time or a level",
        "Elastic Beanstalk refuses ManagedActionsEnabled without both.",
        "Set PreferredStartTime, such as Sun:03:00, and UpdateLevel to patch or minor.",
        _managed,
    ),
    Rule(
        "environment/database-deleted",
        "A database that is deleted with its environment",
        "DBDeletionPolicy is Delete unless it is set; terminating or rebuilding the environment loses all data.",
        "Set DBDeletionPolicy to Snapshot or Retain in an update of its own, before anything else.",
        _database,
        "warning",
    ),
    Rule(
        "environment/blue-green-database",
        "A blue/green deployment with a database that belongs to the environment",
        "Each environment has a database of its own; what is written to the old one is missing after the swap, and "
        "goes with the old environment.",
        "Decouple the database first: DBDeletionPolicy Retain, then HasCoupledDatabase false in a second update.",
        _blue_green,
    ),
    Rule(
        "environment/instance-types",
        "Two options for the type of the instances",
        "InstanceTypes replaces the older InstanceType, and one of the two is not what runs.",
        "Keep aws:ec2:instances InstanceTypes alone.",
        _instance_types,
        "warning",
    ),
    Rule(
        "environment/disk",
        "Swap on a disk of the default size",
        "The root volume has about 8 GB unless RootVolumeSize says otherwise; swap, logs and two releases fill it, "
        "and then deployments and requests fail.",
        "Set RootVolumeSize in aws:autoscaling:launchconfiguration to what all of them need.",
        _disk,
        "warning",
    ),
)
