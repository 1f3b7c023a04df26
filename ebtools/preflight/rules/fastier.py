"""What Fastier demands of its own package beyond the platform: the profile `fastier`."""

import re
from collections.abc import Iterator
from typing import Any

from ebtools.preflight import instances
from ebtools.preflight.case import ENVIRONMENT, Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.python import assigned
from ebtools.preflight.rules import budgets, migrations, timeouts
from ebtools.preflight.rules.health import PROCESS
from fastier.database import budget
from fastier.web import sizing

ASG = "aws:autoscaling:asg"
RDS = "aws:rds:dbinstance"
COMMAND = "aws:elasticbeanstalk:command"
_HOOKS = ("prebuild/20_database_ca.sh", "predeploy/10_migrate.sh", "postdeploy/90_ready.sh")
# What Elastic Beanstalk itself adds for a coupled database, and what people may want to set by hand.
_ROOM = 1024
_PROPERTIES = 4096
_ACCOUNT = re.compile(
    r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d{12}:|\b(?:vpc|subnet|sg)-[0-9a-f]{8,17}\b|(?<![\d.-])\d{12}(?![\d.-])"
)
# Setting: what it must be, in every configuration.
_DEMANDED: dict[tuple[str, str], tuple[str, str]] = {
    (PROCESS, "HealthCheckPath"): ("/health/live", "it touches nothing shared, so that an outage empties no fleet"),
    (PROCESS, "MatcherHTTPCode"): ("200", "anything else is not well"),
    (PROCESS, "StickinessEnabled"): ("false", "nothing is kept on an instance between two requests"),
    ("aws:autoscaling:launchconfiguration", "DisableIMDSv1"): (
        "true",
        "a forged request must not read the role's keys",
    ),
    ("aws:elasticbeanstalk:healthreporting:system", "SystemType"): ("enhanced", "immutable deployments need it"),
    ("aws:elasticbeanstalk:cloudwatch:logs", "StreamLogs"): ("true", "logs must outlive their instance"),
    (ENVIRONMENT, "PGSSLMODE"): ("verify-full", "less does not check whom it talks to"),
    (ASG, "Availability Zones"): ("Any 2", "one zone may fail"),
}
_OF_PRODUCTION: dict[tuple[str, str], tuple[str, str]] = {
    (COMMAND, "DeploymentPolicy"): ("Immutable", "a version that does not start must meet no request"),
    (RDS, "HasCoupledDatabase"): ("false", "the data must outlive the environment"),
}


def _is_production(case: Case) -> bool:
    return case.properties.get("FASTIER_ENV") == "production"


def _settings(case: Case) -> Iterator[Outcome]:
    demanded = _DEMANDED | (_OF_PRODUCTION if _is_production(case) else {})
    for (namespace, name), (value, why) in demanded.items():
        found = case.setting(namespace, name)
        if found is None or found.text.lower() != value.lower():
            said = "is not set" if found is None else f"is {found.text!r}"
            message = f"{namespace} {name} {said} and must be {value!r}: {why}"
            yield Finding(message, found.file if found else "", found.line if found else 0)
    if _is_production(case) and case.number(ASG, "MinSize", 1) < 2:
        found = case.setting(ASG, "MinSize")
        yield Finding(
            "production needs two instances at least", found.file if found else "", found.line if found else 0
        )


def _database(case: Case) -> Iterator[Outcome]:
    policy = case.setting(RDS, "DBDeletionPolicy")
    if case.value(RDS, "HasCoupledDatabase").lower() == "true" and (not policy or policy.text != "Snapshot"):
        found = policy or case.setting(RDS, "HasCoupledDatabase")
        yield Finding(
            "a coupled database must leave a snapshot", found.file if found else "", found.line if found else 0
        )


def _group(case: Case) -> Iterator[Outcome]:
    group = _resources(case).get("AWSEBAutoScalingGroup")
    properties = group[1].get("Properties", {}) if group else {}
    if properties.get("HealthCheckType") != "ELB":
        yield Finding("the Auto Scaling group must take the load balancer's word for an instance's health")
    elif properties.get("HealthCheckGracePeriod", 0) < case.number(COMMAND, "Timeout", 600):
        yield Finding("the grace period must be as long as a deployment may take", group[0] if group else "")


def _resources(case: Case) -> dict[str, tuple[str, Any]]:
    return {name: (each.file, body) for each in case.extensions for name, body in each.resources.items()}


def _scaling(case: Case) -> Iterator[Outcome]:
    tracked: set[str] = set()
    for name, (file, body) in _resources(case).items():
        properties = body.get("Properties", {}) if isinstance(body, dict) else {}
        if body.get("Type") == "AWS::AutoScaling::ScalingPolicy":
            metric = properties.get("TargetTrackingConfiguration", {}).get("PredefinedMetricSpecification", {})
            tracked.add(str(metric.get("PredefinedMetricType")))
            steps = [step.get("ScalingAdjustment", 0) for step in properties.get("StepAdjustments", [])]
            if any(int(each) < 0 for each in [properties.get("ScalingAdjustment", 0), *steps]):
                yield Finding(f"{name} removes instances; only target tracking may", file)
        if name.startswith("AWSEBCloudwatchAlarm") and properties.get("AlarmActions") != [{"Ref": "AWS::NoValue"}]:
            yield Finding(f"{name} may still act; only target tracking may remove instances", file)
    for metric in ("ALBRequestCountPerTarget", "ASGAverageCPUUtilization"):
        if metric not in tracked:
            yield Finding(f"no policy tracks {metric}")
    for name in ("AWSEBCloudwatchAlarmHigh", "AWSEBCloudwatchAlarmLow"):
        if name not in _resources(case):
            yield Finding(f"{name} is not disarmed")


def _ladder(case: Case) -> Iterator[Outcome]:
    """Worker, stop, draining, nginx, idle time, keep-alive: each shorter than the next."""
    worker, graceful = timeouts.gunicorn(case, "timeout", 30), timeouts.gunicorn(case, "graceful_timeout", 30)
    keep = timeouts.gunicorn(case, "keepalive", 2)
    waits, kept = timeouts.nginx(case, "proxy_read_timeout"), timeouts.nginx(case, "keepalive_timeout")
    delay, idle = case.number(PROCESS, "DeregistrationDelay", 20), timeouts.idle(case).seconds
    if not (worker and graceful and keep and waits and kept):
        yield Finding("the ladder of timeouts is not written out in gunicorn.conf.py and .platform/nginx")
        return
    wait, longest = max(each.seconds for each in waits), min(each.seconds for each in kept)
    ladder = [
        (graceful.seconds < worker.seconds, "gunicorn must stop sooner than a silent worker is replaced"),
        (worker.seconds <= wait, "nginx must wait as long as a worker may take"),
        (wait < delay, "an instance must be drained for longer than nginx waits for an answer"),
        (wait < idle, "the load balancer must wait longer than nginx"),
        (idle < longest, "nginx must keep idle connections longer than the load balancer"),
        (keep.seconds > max(idle, timeouts.NGINX_SECONDS), "gunicorn must keep them longest"),
    ]
    yield from (Finding(message, timeouts.CONFIG) for holds, message in ladder if not holds)


def _hooks(case: Case) -> Iterator[Outcome]:
    for name in _HOOKS:
        for kind in ("hooks", "confighooks"):
            if f".platform/{kind}/{name}" not in case.bundle:
                yield Finding(f"there is no .platform/{kind}/{name}")


def _phases(case: Case) -> Iterator[Outcome]:
    for path, _ in migrations.revisions(case.bundle).values():
        if assigned(case.bundle.text(path) or "").get("phase") not in ("expand", "contract"):
            yield Finding("it declares no phase, expand or contract", path)


def _hashed(case: Case) -> Iterator[Outcome]:
    if "--hash=sha256:" not in (case.bundle.text("requirements.txt") or ""):
        yield Finding("no requirement has a hash", "requirements.txt")


def _account(case: Case) -> Iterator[Outcome]:
    for extension in case.extensions:
        for number, line in enumerate((case.bundle.text(extension.file) or "").splitlines(), 1):
            if match := _ACCOUNT.search(line.partition("#")[0]):
                yield Finding(f"{match[0]} belongs to one account", extension.file, number)


def _room(case: Case) -> Iterator[Outcome]:
    size = sum(len(name) + len(value) + 1 for name, value in case.properties.items())
    if size > _PROPERTIES - _ROOM:
        yield Finding(
            f"the properties take {size} of {_PROPERTIES} bytes; {_ROOM} are for the database's and people's own"
        )


def _plan(case: Case) -> Iterator[Outcome]:
    """Memory and connections as the application itself plans them on each type of instance."""
    most, db_class = case.number(ASG, "MaxSize", 4), case.value(RDS, "DBInstanceClass")
    is_coupled = case.value(RDS, "HasCoupledDatabase").lower() == "true"
    where = case.setting(ASG, "MaxSize")
    for name in budgets.types(case):
        machine = instances.machine(name)
        if machine is None:
            yield Finding(f"{name} is not in the table of instance types, so nothing is known of its memory")
            continue
        plan = sizing.plan(machine)
        if plan.workers < sizing.FEWEST_WORKERS:
            yield Finding(f"a {name} has room for {plan.workers} worker; one that is replaced must leave another")
        needed = budget.demand(instances=most, workers=plan.workers, pool=plan.pool)
        for fault in budget.faults(needed, db_class) if is_coupled else []:
            yield Finding(f"{most} {name}: {fault}", where.file if where else "", where.line if where else 0)


def _rule(name: str, title: str, why: str, mend: str, check: Any) -> Rule:
    return Rule(f"fastier/{name}", title, why, mend, check)


RULES: tuple[Rule, ...] = (
    _rule(
        "settings",
        "A setting that Fastier's promises rest on",
        "A promise of docs/deploy.md no longer holds.",
        "Set it back, or change the promise and this rule together.",
        _settings,
    ),
    _rule(
        "database-snapshot",
        "A coupled database that leaves nothing behind",
        "Its data go with the environment.",
        "Set DBDeletionPolicy to Snapshot.",
        _database,
    ),
    _rule(
        "auto-scaling-group",
        "A dead application that nobody replaces",
        "Its instance is taken out of service for good.",
        "Set HealthCheckType to ELB, and the grace period to the deployment's Timeout, in 04-auto-scaling.config.",
        _group,
    ),
    _rule(
        "scaling",
        "Instances removed by something else than target tracking",
        "Two policies take turns, and the fleet swings.",
        "Leave the alarms of Elastic Beanstalk without actions, and let other policies add only.",
        _scaling,
    ),
    _rule(
        "ladder",
        "A rung of the ladder of timeouts out of place",
        "Someone further out gives up before the cause is known.",
        "See the head of gunicorn.conf.py for the order.",
        _ladder,
    ),
    _rule(
        "hooks",
        "A hook that is missing",
        "What it does must hold after deployments and configuration changes alike.",
        "Add it, in hooks and in confighooks.",
        _hooks,
    ),
    _rule(
        "phase",
        "A migration without a phase",
        "A deployment cannot know whether the old version survives it.",
        'Add `phase = "expand"`, or `contract`; see docs/migrations.md.',
        _phases,
    ),
    _rule(
        "hashes",
        "Requirements without hashes",
        "What is installed need not be what was tested.",
        "Run `make lock`.",
        _hashed,
    ),
    _rule(
        "account-value",
        "A value of one account in .ebextensions",
        "The package works in no other account.",
        "Move it into a copy of a saved configuration; see docs/deploy.md.",
        _account,
    ),
    _rule(
        "property-room",
        "Environment properties without room for more",
        "People cannot add one when they need to.",
        "Shorten or remove some.",
        _room,
    ),
    _rule(
        "plan",
        "An instance type or a database that the plan does not fit",
        "Workers or connections run out at the peak.",
        "Take a larger type or class, or lower MaxSize; docs/database.md has the arithmetic.",
        _plan,
    ),
)
