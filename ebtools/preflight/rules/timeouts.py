"""Rules about the ladder of timeouts: whoever is nearest to a fault must give up first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.python import assigned
from ebtools.preflight.rules import procfile, proxy

PROCESS = "aws:elasticbeanstalk:environment:process:default"
CONFIG = "gunicorn.conf.py"
# Seconds after which systemd kills a process that was asked to stop.
STOP_SECONDS = 90
NGINX_SECONDS = 60
UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Number:
    """Seconds, and where they are said; an empty file where the default holds."""

    seconds: float
    file: str = ""
    line: int = 0


def gunicorn(case: Case, name: str, default: float) -> Number | None:
    """A number of gunicorn's as the Procfile or its configuration says it; None where that cannot be read.

    `name` is the setting's name in the configuration file, such as graceful_timeout.
    """
    flag = f"--{name.replace('_', '-')}"
    for line, process, command in procfile.lines(case):
        if process == "web" and "gunicorn" in command:
            match = re.search(rf"{flag}[= ](\d+)", command) or (
                re.search(r"\s-t[= ]?(\d+)", command) if name == "timeout" else None
            )
            if match:
                return Number(float(match[1]), procfile.PROCFILE, line)
    return _of_config(case, name, default)


def _of_config(case: Case, name: str, default: float) -> Number | None:
    text = case.bundle.text(CONFIG)
    if text is None:
        return Number(default)
    values = assigned(text)
    if name in values:
        value = values[name]
        line = next((at for at, each in enumerate(text.splitlines(), 1) if re.match(rf"{name}\s*=", each)), 0)
        return Number(float(value), CONFIG, line) if isinstance(value, int | float) else None
    # Named but computed: only running it would tell.
    return None if re.search(rf"^\s*{name}\s*=", text, re.MULTILINE) else Number(default)


def nginx(case: Case, name: str) -> list[Number]:
    """Every value that the bundle's own proxy files give a directive."""
    found = []
    for entry in proxy.files(case.bundle):
        for line, text in enumerate((entry.text or "").splitlines(), 1):
            if match := re.match(rf"\s*{name}\s+(\d+)(ms|s|m|h)?\s*[;\s]", text.partition("#")[0]):
                found.append(Number(int(match[1]) * UNITS[match[2] or ""], entry.path, line))
    return found


def idle(case: Case) -> Number:
    """For how long the load balancer keeps an idle connection."""
    setting = case.setting("aws:elbv2:loadbalancer", "IdleTimeout")
    seconds = case.number("aws:elbv2:loadbalancer", "IdleTimeout", 60)
    return Number(seconds, setting.file, setting.line) if setting else Number(seconds)


def _applies(case: Case) -> bool:
    return case.load_balancer == "application"


def _keepalive(case: Case) -> Iterator[Outcome]:
    if not _applies(case) or not (case.extensions or proxy.files(case.bundle)):
        return
    limit, own = idle(case), nginx(case, "keepalive_timeout")
    # In http it has no effect, which another rule tells.
    effective = [each for each in own if each.file == proxy.MAIN or "/elasticbeanstalk/" in each.file]
    shortest = min(effective or [Number(NGINX_SECONDS)], key=lambda each: each.seconds)
    if shortest.seconds <= limit.seconds and (shortest.file or limit.file):
        said = shortest if shortest.file else limit
        yield Finding(
            f"nginx closes an idle connection after {shortest.seconds:g} s, the load balancer after {limit.seconds:g}",
            said.file,
            said.line,
        )


def _worker(case: Case) -> Iterator[Outcome]:
    timeout = gunicorn(case, "timeout", 30)
    waits = nginx(case, "proxy_read_timeout") or [Number(NGINX_SECONDS)]
    longest = max(waits, key=lambda each: each.seconds)
    if timeout and timeout.file and timeout.seconds > longest.seconds:
        yield Finding(
            f"gunicorn lets a request take {timeout.seconds:g} s, and nginx answers 504 after {longest.seconds:g}",
            timeout.file,
            timeout.line,
        )


def _proxy_wait(case: Case) -> Iterator[Outcome]:
    limit = idle(case)
    for wait in nginx(case, "proxy_read_timeout"):
        if _applies(case) and wait.seconds > limit.seconds:
            yield Finding(
                f"nginx waits {wait.seconds:g} s for an answer, and the load balancer {limit.seconds:g}",
                wait.file,
                wait.line,
            )


def _stop(case: Case) -> Iterator[Outcome]:
    graceful = gunicorn(case, "graceful_timeout", 30)
    if graceful and graceful.file and graceful.seconds >= STOP_SECONDS:
        yield Finding(f"gunicorn may take {graceful.seconds:g} s to stop", graceful.file, graceful.line)


def _draining(case: Case) -> Iterator[Outcome]:
    setting = case.setting(PROCESS, "DeregistrationDelay")
    graceful = gunicorn(case, "graceful_timeout", 30)
    if not (setting and graceful and _applies(case)):
        return
    delay = case.number(PROCESS, "DeregistrationDelay", 20)
    if graceful.file and delay < graceful.seconds:
        message = f"an instance is taken away after {delay} s, and gunicorn may need {graceful.seconds:g} to stop"
        yield Finding(message, setting.file, setting.line)


def _upstream(case: Case) -> Iterator[Outcome]:
    """Only an upstream block of one's own has its connections kept."""
    keep = gunicorn(case, "keepalive", 2)
    for entry in proxy.files(case.bundle):
        for line, text in enumerate((entry.text or "").splitlines(), 1):
            if re.match(r"\s*upstream\s+\w+", text) and keep and keep.seconds <= NGINX_SECONDS and _is_gunicorn(case):
                yield Finding(
                    f"nginx keeps connections for {NGINX_SECONDS} s, and gunicorn closes them after {keep.seconds:g}",
                    entry.path,
                    line,
                )
                return


def _is_gunicorn(case: Case) -> bool:
    return any("gunicorn" in command for _, name, command in procfile.lines(case) if name == "web")


RULES: tuple[Rule, ...] = (
    Rule(
        "timeouts/keep-alive",
        "A proxy that closes idle connections before the load balancer does",
        "The load balancer sends a request into a connection that is just being closed, and its client gets a 502.",
        "Set IdleTimeout of aws:elbv2:loadbalancer below nginx's 60 s, such as to 55.",
        _keepalive,
        "warning",
    ),
    Rule(
        "timeouts/worker",
        "A worker that may take longer than the proxy waits",
        "The client has its 504 while the worker goes on, and a retry adds to the load.",
        "Lower gunicorn's timeout, or raise proxy_read_timeout with it.",
        _worker,
        "warning",
    ),
    Rule(
        "timeouts/proxy",
        "A proxy that waits longer than the load balancer",
        "The load balancer gives up first and answers 504, and nothing on the instance tells why.",
        "Raise IdleTimeout of aws:elbv2:loadbalancer, or lower proxy_read_timeout.",
        _proxy_wait,
        "warning",
    ),
    Rule(
        "timeouts/stop",
        "A server that may take longer to stop than systemd allows",
        "It is killed after 90 s with whatever it still had under way.",
        "Lower gunicorn's graceful_timeout below 90.",
        _stop,
    ),
    Rule(
        "timeouts/draining",
        "An instance that is taken away before its requests are finished",
        "Requests that are still under way when the delay is over are cut off.",
        "Raise DeregistrationDelay above gunicorn's graceful_timeout.",
        _draining,
        "warning",
    ),
    Rule(
        "timeouts/upstream",
        "A server that closes connections which the proxy keeps",
        "The proxy keeps connections to an upstream block and sends a request into one that is being closed: a 502.",
        "Set gunicorn's keepalive above 60, such as to 75.",
        _upstream,
        "warning",
    ),
)
