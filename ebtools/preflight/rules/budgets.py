"""Rules about what an instance and a database can bear: memory for the workers, connections for all of them."""

import re
from collections.abc import Iterator

from ebtools.preflight import instances
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.python import assigned
from ebtools.preflight.rules import procfile
from ebtools.preflight.rules.timeouts import CONFIG

MIB = 1024 * 1024
# What an idle worker of a small application with a framework, a database driver and boto3 holds at least, and what the
# operating system with the platform's agents and nginx does.
WORKER_BYTES = 40 * MIB
SYSTEM_BYTES = 300 * MIB
PYTHON = "aws:elasticbeanstalk:container:python"
RDS = "aws:rds:dbinstance"


def types(case: Case) -> list[str]:
    """The instance types that an environment may start."""
    named = case.value("aws:ec2:instances", "InstanceTypes") or case.value(
        "aws:autoscaling:launchconfiguration", "InstanceType"
    )
    return [each.strip() for each in named.split(",") if each.strip()]


def workers(case: Case) -> tuple[int, str, int] | None:
    """How many workers the bundle asks for in plain words, and where; None where it computes them or says nothing."""
    for line, name, command in procfile.lines(case):
        if name == "web" and (match := re.search(r"(?:--workers[= ]|\s-w[= ]?)(\d+)", command)):
            return int(match[1]), procfile.PROCFILE, line
    text = case.bundle.text(CONFIG)
    value = assigned(text).get("workers") if text else None
    if isinstance(value, int):
        line = next((at for at, each in enumerate((text or "").splitlines(), 1) if re.match(r"workers\s*=", each)), 0)
        return value, CONFIG, line
    setting = case.setting(PYTHON, "NumProcesses")
    if setting and not case.has_procfile:
        return case.number(PYTHON, "NumProcesses", 1), setting.file, setting.line
    return None


def _memory(case: Case) -> Iterator[Outcome]:
    asked = workers(case)
    if asked is None:
        return
    count, file, line = asked
    for name in types(case):
        machine = instances.machine(name)
        if machine and SYSTEM_BYTES + count * WORKER_BYTES > machine.memory:
            has = machine.memory // MIB
            yield Finding(f"{count} workers do not fit into the {has} MiB of a {name}", file, line)


def _connections(case: Case) -> Iterator[Outcome]:
    """Each worker holds one connection at the very least, in both fleets of a deployment that adds one."""
    asked, most = workers(case), case.number("aws:autoscaling:asg", "MaxSize", 4)
    is_coupled = case.value(RDS, "HasCoupledDatabase").lower() == "true"
    engine, db_class = case.value(RDS, "DBEngine", "mysql"), case.value(RDS, "DBInstanceClass")
    limit = instances.max_connections(db_class) if engine.startswith("postgres") else None
    if asked and is_coupled and limit is not None and asked[0] * most * instances.FLEETS > limit:
        needed = asked[0] * most * instances.FLEETS
        message = f"{asked[0]} workers on {most} instances, twice in a deployment, need {needed} connections of {limit}"
        yield Finding(message, asked[1], asked[2])


RULES: tuple[Rule, ...] = (
    Rule(
        "budgets/memory",
        "More workers than the instance has memory for",
        "The kernel kills a process when memory runs out, with the requests that it had, and again after its restart.",
        "Start fewer workers, or take a larger instance type.",
        _memory,
    ),
    Rule(
        "budgets/connections",
        "More connections than the database takes",
        "New instances are refused by the database in the middle of a deployment: `remaining connection "
        "slots are reserved`.",
        "Start fewer workers, lower MaxSize, or take a larger class of database.",
        _connections,
    ),
)
