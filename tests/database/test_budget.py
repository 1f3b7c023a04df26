"""The budget of connections: what the package can open at once fits the database that it makes."""

from pathlib import Path

import pytest

from ebtools.preflight import instances, options
from fastier.database import budget
from fastier.web import sizing

ROOT = Path(__file__).resolve().parents[2]


def _option(namespace: str, name: str) -> str:
    found = [
        setting.text
        for setting in options.settings_in(ROOT / ".ebextensions")
        if (setting.namespace, setting.name, setting.resource) == (namespace, name, "")
    ]
    assert len(found) == 1, (namespace, name, found)
    return found[0]


def test_the_package_never_opens_more_than_its_database_has() -> None:
    most = int(_option("aws:autoscaling:asg", "MaxSize"))
    for instance_type in _option("aws:ec2:instances", "InstanceTypes").split(","):
        machine = instances.machine(instance_type.strip())
        assert machine is not None
        plan = sizing.plan(machine)
        needed = budget.demand(instances=most, workers=plan.workers, pool=plan.pool)
        assert budget.faults(needed, _option("aws:rds:dbinstance", "DBInstanceClass")) == []
        more = budget.demand(instances=4 * most, workers=plan.workers, pool=plan.pool)
        assert budget.faults(more, _option("aws:rds:dbinstance", "DBInstanceClass")) != []


def test_everything_that_connects_is_counted() -> None:
    needed = budget.demand(instances=4, workers=2, pool=6)
    assert needed == budget.Demand(web=96, jobs=32, migration=2, operators=5)
    assert needed.total == 135
    assert budget.demand(instances=4, workers=2, pool=6, fleets=1).total == 71


# What users of these classes have reported, and what nominal memory would give.
@pytest.mark.parametrize(
    ("db_class", "least", "most"),
    [
        ("db.t3.micro", 60, 112),
        ("db.t4g.small", 150, 225),
        ("db.t3.medium", 340, 450),
        ("db.m6g.large", 720, 901),
        ("db.r7g.large", 1450, 1802),
        ("db.r6g.4xlarge", 5000, 5000),
    ],
)
def test_a_class_is_counted_on_with_less_than_its_nominal_memory(db_class: str, least: int, most: int) -> None:
    limit = budget.max_connections(db_class)
    assert limit is not None
    assert least <= limit <= most
    available = budget.capacity(db_class)
    assert available is not None
    assert available < 0.8 * limit


def test_an_unknown_class_is_a_fault_and_no_guess() -> None:
    (fault,) = budget.faults(budget.demand(instances=1, workers=1, pool=1), "db.x9.huge")
    assert "db.x9.huge" in fault


def test_a_fault_says_what_is_needed_and_what_there_is() -> None:
    (fault,) = budget.faults(budget.demand(instances=8, workers=2, pool=6), "db.t4g.small")
    assert "263 database connections" in fault
    assert "db.t4g.small has room for 138" in fault


def test_a_machine_of_each_known_type_gives_a_plan() -> None:
    assert instances.machine("t3.small") == sizing.Machine(2, 2 * 1024**3)
    assert instances.machine("c7g.4xlarge") == sizing.Machine(16, 32 * 1024**3)
    assert instances.machine("z9.huge") is None
