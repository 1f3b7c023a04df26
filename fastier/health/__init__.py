"""Tells load balancers, deployments and people how this instance and what it depends on are doing."""

from fastier.health.checks import Check, CheckError, Checks
from fastier.health.readiness import Readiness
from fastier.health.views import blueprint

__all__ = ["Check", "CheckError", "Checks", "Readiness", "blueprint"]
