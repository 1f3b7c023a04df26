"""Rules about how load balancer and Auto Scaling group judge an instance."""

import re
from collections.abc import Iterator

from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule

PROCESS = "aws:elasticbeanstalk:environment:process:default"


def path(case: Case) -> str:
    return case.value(PROCESS, "HealthCheckPath", "/")


def _interval(case: Case) -> Iterator[Outcome]:
    timeout, interval = case.number(PROCESS, "HealthCheckTimeout", 5), case.number(PROCESS, "HealthCheckInterval", 15)
    setting = case.setting(PROCESS, "HealthCheckTimeout") or case.setting(PROCESS, "HealthCheckInterval")
    if setting and case.load_balancer == "application" and timeout >= interval:
        yield Finding(
            f"a check may take {timeout} s, and the next comes after {interval} s", setting.file, setting.line
        )


def _redirect(case: Case) -> Iterator[Outcome]:
    """Django's own redirect, which knows no health check, and a matcher that takes no redirect for health."""
    codes = case.value(PROCESS, "MatcherHTTPCode", "200")
    if case.load_balancer != "application" or re.search(r"30\d|3\d\d", codes) or "-399" in codes or "-499" in codes:
        return
    for name, entry in sorted(case.bundle.entries.items()):
        text = entry.text or ""
        if not name.endswith(".py") or "SECURE_REDIRECT_EXEMPT" in text:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r"SECURE_SSL_REDIRECT\s*=\s*True\b", line):
                yield Finding(
                    f"the check of {path(case)} is redirected to https, and only {codes} is healthy", name, number
                )


def _hosts(case: Case) -> Iterator[Outcome]:
    for name, entry in sorted(case.bundle.entries.items()):
        text = entry.text or ""
        if not name.endswith(".py"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r"ALLOWED_HOSTS\s*=\s*\[([^\]]*)\]\s*(?:#.*)?$", line)
            is_list = match is not None and "ALLOWED_HOSTS +" not in text and "ALLOWED_HOSTS.append" not in text
            if match and is_list and match[1].strip() and "*" not in match[1] and "environ" not in match[1]:
                yield Finding("the load balancer's check names the instance's address as host", name, number)


def _grace(case: Case) -> Iterator[Outcome]:
    timeout = case.number("aws:elasticbeanstalk:command", "Timeout", 600)
    for extension in case.extensions:
        group = extension.resources.get("AWSEBAutoScalingGroup")
        properties = group.get("Properties", {}) if isinstance(group, dict) else {}
        if properties.get("HealthCheckType") != "ELB":
            continue
        grace = properties.get("HealthCheckGracePeriod", 0)
        if isinstance(grace, int) and grace < min(timeout, 300):
            yield Finding(
                f"a new instance is judged after {grace} s, and a deployment may take {timeout}", extension.file
            )


RULES: tuple[Rule, ...] = (
    Rule(
        "health/interval",
        "A health check that may take longer than its interval",
        "The load balancer refuses such a target group, and the environment cannot be made or changed.",
        "Keep HealthCheckTimeout below HealthCheckInterval.",
        _interval,
    ),
    Rule(
        "health/redirected",
        "A health check that is redirected",
        "The load balancer asks by plain HTTP and counts 301 as unhealthy: no instance ever gets requests.",
        "Exempt the path from the redirect (SECURE_REDIRECT_EXEMPT), or redirect at the load balancer.",
        _redirect,
    ),
    Rule(
        "health/host",
        "An application that refuses the health check's host",
        "The load balancer asks by the instance's private address; Django answers hosts that are not listed "
        "with 400, and no "
        "instance becomes healthy.",
        "Add the instance's own address to ALLOWED_HOSTS at start, or answer the health path before hosts are checked.",
        _hosts,
        "warning",
    ),
    Rule(
        "health/grace-period",
        "New instances that are judged before they can be well",
        "The Auto Scaling group replaces an instance that still installs, and its successor, without end.",
        "Set HealthCheckGracePeriod to what a start may take, such as the deployment's Timeout.",
        _grace,
    ),
)
