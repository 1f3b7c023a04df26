"""Rules about listeners of a load balancer: their ports, certificates, and the processes behind them."""

from collections.abc import Iterator

from ebtools.preflight.case import Case
from ebtools.preflight.extensions import Setting
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.rules.environment import is_on

_V2 = "aws:elbv2:listener:"
_CLASSIC = "aws:elb:listener:"
_RULE = "aws:elbv2:listenerrule:"
_PROCESS = "aws:elasticbeanstalk:environment:process:"
_ENCRYPTED = ("https", "tls", "ssl")


def _at(setting: Setting, message: str) -> Finding:
    return Finding(f"{setting.namespace} {setting.name}: {message}", setting.file, setting.line)


def _named(case: Case, prefix: str) -> dict[str, Setting]:
    """Names behind a prefix with the first setting of each; of a switched off listener nothing is true."""
    found: dict[str, Setting] = {}
    for setting in case.chosen.values():
        if setting.namespace.startswith(prefix) and is_on(case, setting.namespace, "ListenerEnabled", "true"):
            found.setdefault(setting.namespace.removeprefix(prefix), setting)
    return found


def _ports(case: Case) -> Iterator[Outcome]:
    for prefix in (_V2, _CLASSIC):
        for port, setting in _named(case, prefix).items():
            if port != "default" and not (port.isdecimal() and 0 < int(port) < 65536):
                yield _at(setting, f"{port!r} is no port")


def _certificates(case: Case) -> Iterator[Outcome]:
    """A listener is encrypted by its protocol alone; without a certificate there is nothing to encrypt with."""
    kind = case.load_balancer
    # A shared load balancer has listeners and certificates of its own.
    if not kind or is_on(case, "aws:elasticbeanstalk:environment", "LoadBalancerIsShared"):
        return
    prefix, protocol, certificate = _words(kind)
    for port, setting in _named(case, prefix).items():
        chosen = case.value(prefix + port, protocol).lower()
        has_certificate = bool(case.value(prefix + port, certificate))
        if chosen in _ENCRYPTED and not has_certificate:
            yield _at(setting, f"the listener on {port} speaks {chosen.upper()} without {certificate}")
        elif port == "443" and chosen not in _ENCRYPTED and chosen != "tcp":
            yield _at(setting, f"the listener on 443 does not encrypt; its {protocol} is not set to HTTPS")


def _words(kind: str) -> tuple[str, str, str]:
    if kind == "classic":
        return _CLASSIC, "ListenerProtocol", "SSLCertificateId"
    return _V2, "Protocol", "SSLCertificateArns"


def _processes(case: Case) -> Iterator[Outcome]:
    known = {"default", *_named(case, _PROCESS)}
    for setting in case.chosen.values():
        asks = (setting.namespace.startswith(_V2) and setting.name == "DefaultProcess") or (
            setting.namespace.startswith(_RULE) and setting.name == "Process"
        )
        if asks and not setting.is_computed and setting.text not in known:
            yield _at(setting, f"there is no process {setting.text!r} in {_PROCESS}*")


def _rules(case: Case) -> Iterator[Outcome]:
    # A shared load balancer brings a rule of its own by this name.
    known = {"default", *_named(case, _RULE)}
    for setting in case.chosen.values():
        if setting.namespace.startswith(_V2) and setting.name == "Rules" and not setting.is_computed:
            for name in (one.strip() for one in setting.text.split(",")):
                if name and name not in known:
                    yield _at(setting, f"there is no rule {name!r} in {_RULE}*")


RULES = (
    Rule(
        "listeners/port",
        "A listener whose name is no port",
        "The last part of the namespace is the port; Elastic Beanstalk refuses any other name but default.",
        "Name the listener after its port, such as aws:elbv2:listener:443.",
        _ports,
    ),
    Rule(
        "listeners/certificate",
        "An encrypted listener without a certificate",
        "CloudFormation cannot create it, and the creation or the update fails; or port 443 serves plain HTTP.",
        "Set the protocol to HTTPS, and the certificate's ARN in a saved configuration.",
        _certificates,
    ),
    Rule(
        "listeners/process",
        "A listener or rule that leads to no process",
        "Elastic Beanstalk refuses a process that no namespace environment:process:… describes.",
        "Describe the process, or name one that is described.",
        _processes,
    ),
    Rule(
        "listeners/rule",
        "A listener with a rule that is not described",
        "Elastic Beanstalk refuses a rule that no namespace listenerrule:… describes.",
        "Describe the rule, or name one that is described.",
        _rules,
    ),
)
