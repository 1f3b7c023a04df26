"""What HAProxy is told so that it behaves as the Application Load Balancer of an environment would."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("main", "canary")
PROCESS = "aws:elasticbeanstalk:environment:process:default"
BALANCER = "aws:elbv2:loadbalancer"
# What the platform and the load balancer take where a package says nothing.
DEFAULTS = {
    (PROCESS, "HealthCheckPath"): "/",
    (PROCESS, "HealthCheckInterval"): "15",
    (PROCESS, "HealthCheckTimeout"): "5",
    (PROCESS, "HealthyThresholdCount"): "3",
    (PROCESS, "UnhealthyThresholdCount"): "5",
    (PROCESS, "MatcherHTTPCode"): "200",
    (PROCESS, "DeregistrationDelay"): "20",
    (BALANCER, "IdleTimeout"): "60",
}
# An Application Load Balancer waits ten seconds for a target to take a connection.
CONNECT_SECONDS = 10.0
# One in a million is finer than any weight; weights of an Application Load Balancer end at 999.
WHOLE = 1_000_000
# Below this a health check measures how busy this machine is, and no longer the target.
LEAST_CHECK_SECONDS = 0.5


class BalancerError(Exception):
    """The load balancer cannot do what was asked, in words for people."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How the load balancer judges its targets and how long it waits; all times in seconds."""

    path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    matcher: str
    delay: float
    idle: float

    @classmethod
    def of(cls, options: Mapping[tuple[str, str], str], scale: float = 1.0) -> "Thresholds":
        """Read the effective settings, {(namespace, option): value}; what is missing has the platform's default.

        `scale` shortens the waits for health checks and for deregistration. The idle timeout keeps its length, since
        what it is measured against, the answers and the kept connections of nginx, is not shortened either.
        Raises BalancerError for a value that is no number.
        """
        values = DEFAULTS | {key: text.strip() for key, text in options.items() if key in DEFAULTS}
        timeout = _number(values, PROCESS, "HealthCheckTimeout")
        return cls(
            path=values[PROCESS, "HealthCheckPath"],
            interval=_number(values, PROCESS, "HealthCheckInterval") * scale,
            timeout=max(timeout * scale, min(timeout, LEAST_CHECK_SECONDS)),
            healthy=int(_number(values, PROCESS, "HealthyThresholdCount")),
            unhealthy=int(_number(values, PROCESS, "UnhealthyThresholdCount")),
            matcher=values[PROCESS, "MatcherHTTPCode"],
            delay=_number(values, PROCESS, "DeregistrationDelay") * scale,
            idle=_number(values, BALANCER, "IdleTimeout"),
        )


def _number(values: Mapping[tuple[str, str], str], namespace: str, name: str) -> float:
    text = values[namespace, name]
    if not text.isdecimal():
        raise BalancerError(f"{namespace} {name}: {text!r} is no whole number")
    return float(text)


def configuration(thresholds: Thresholds, *, address: str, port: int, control: Path, descriptors: int) -> str:
    """The text of haproxy.cfg; `descriptors` is how many files the process may open."""
    inner = control.with_name("inner")
    parts = [
        _process(control, descriptors, thresholds),
        _entrance(address, port, inner, most=_most_connections(descriptors) // 2),
        _exchange(inner),
        *(_group(name, thresholds) for name in GROUPS),
    ]
    return "\n".join(parts)


def _process(control: Path, descriptors: int, thresholds: Thresholds) -> str:
    idle, connect = milliseconds(thresholds.idle), milliseconds(CONNECT_SECONDS)
    # Without noreuseport two balancers would share a port in silence.
    return f"""global
    nbthread 1
    noreuseport
    maxconn {_most_connections(descriptors)}
    stats socket {quoted(str(control))} mode 600 level admin
    stats timeout 10s
    log stdout len 2048 format raw local0
    set-var proc.canary int(0)

defaults
    mode http
    retries 0
    timeout connect {connect}
    timeout client {idle}
    timeout http-keep-alive {idle}
    timeout server {idle}
    timeout check {milliseconds(thresholds.timeout)}
    option abortonclose
{_answers()}"""


def _most_connections(descriptors: int) -> int:
    """HAProxy counts two descriptors for each connection, and a request is two: the client's, and the one inside."""
    return min(40_000, max(100, descriptors // 2 - 100))


def _answers() -> str:
    """Bodies without their status, since the one of a target out of reach is corrected after the body is chosen."""
    body = "content-type text/html string '<html><h1>No target answered</h1></html>'"
    return "".join(f"    http-error status {status} {body}\n" for status in (502, 503, 504))


def _entrance(address: str, port: int, inner: Path, *, most: int) -> str:
    """Clients keep their connections here.

    HAProxy answers nothing, and only closes, when a target fails at the second request of a client's connection; an
    Application Load Balancer answers 502. So each request goes on over a connection of its own, on which it is the
    first one, to the exchange inside. Clients may take only half of all connections, or none is left for that.
    """
    name = "X-Forwarded-For"
    return f"""frontend entrance
    bind {address}:{port}
    maxconn {most}
    http-request set-header {name} '%[req.fhdr({name})], %[src]' if {{ req.fhdr_cnt({name}) gt 0 }}
    http-request set-header {name} %[src] unless {{ req.fhdr_cnt({name}) gt 0 }}
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Port %[dst_port]
    default_backend inside

backend inside
    option http-server-close
    server exchange {quoted("unix@" + str(inner))}
"""


def _exchange(inner: Path) -> str:
    """Chooses a group by weight, and a group's second half when none of its targets is healthy."""
    log = r"%Ts.%ms\t%b\t%s\t%ST\t%ts\t%Ta\t%Tc\t%[capture.req.hdr(0)]"
    return f"""frontend exchange
    bind {quoted("unix@" + str(inner))} mode 600
    maxconn 100000
    log global
    log-format "{log}"
    http-request capture req.hdr(X-Request-Id) len 128
    http-request set-var(txn.began) date(0,ms)
    http-request set-var(txn.dice) rand({WHOLE})
    acl is_canary var(txn.dice),sub(proc.canary) -m int lt 0
    use_backend canary if is_canary {{ nbsrv(canary) gt 0 }}
    use_backend canary-open if is_canary
    use_backend main if {{ nbsrv(main) gt 0 }}
    default_backend main-open
"""


def _group(name: str, thresholds: Thresholds) -> str:
    # HAProxy says 503 of a target that refuses a connection or never takes it; the load balancer says 502 and 504.
    failed = "!{ var(txn.answered) -m found } { status 503 } { srv_name -m found }"
    is_late = f"{{ date(0,ms),sub(txn.began) ge {round(CONNECT_SECONDS * 1000)} }}"
    rules = f"""    balance roundrobin
    http-reuse always
    http-response set-var(txn.answered) bool(true)
    http-after-response set-status 504 reason "Gateway Timeout" if {failed} {is_late}
    http-after-response set-status 502 reason "Bad Gateway" if {failed}
"""
    headers = "hdr Host %[bc_dst] hdr User-Agent ELB-HealthChecker/2.0"
    return f"""backend {name}
{rules}    option httpchk
    http-check send meth GET uri {quoted(thresholds.path)} ver HTTP/1.1 {headers}
    http-check expect status {quoted(thresholds.matcher.replace(" ", ""))}

backend {name}-open
{rules}"""


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def quoted(word: str) -> str:
    """One word of a configuration; raises BalancerError for what no configuration can hold."""
    if not word.isprintable():
        raise BalancerError(f"{word!r} holds a character that the load balancer's configuration cannot")
    return "'" + word.replace("'", "'\\''") + "'"
