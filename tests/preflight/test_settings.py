"""One fault in the settings for each rule, found in its place and nowhere else."""

import pytest

from ebtools.preflight.case import Configuration
from ebtools.preflight.extensions import Setting
from tests.preflight.bundles import EXTENSION, RULES, bundle, places


def of(namespace: str, *lines: str) -> str:
    return f"option_settings:\n  {namespace}:\n" + "".join(f"    {line}\n" for line in lines)


PROPERTIES = "option_settings:\n  aws:elasticbeanstalk:application:environment:\n"
SCHEDULED = (
    "  - {{namespace: 'aws:autoscaling:scheduledaction', resource_name: {}, option_name: MinSize, value: '{}'}}\n"
)
BIG = f'    A: "{"x" * 2500}"\n    B: "{"y" * 1600}"\n'


# Rule, the file that breaks it, and the line in which it is found.
FAULTS: list[tuple[str, str, int]] = [
    ("options/unknown-namespace", of("aws:autoscaling:group", 'MinSize: "2"'), 3),
    ("options/unknown-namespace", of("aws:elasticbeanstalk:application:enviroment", 'A: "2"'), 3),
    ("options/unknown-option", of("aws:autoscaling:asg", "MinimumSize: 2"), 3),
    ("options/other-platform", of("aws:elasticbeanstalk:container:nodejs", "NodeCommand: npm start"), 3),
    ("options/other-platform", of("aws:elasticbeanstalk:container:python:staticfiles", "/static: static"), 3),
    ("options/value", of("aws:elasticbeanstalk:command", "DeploymentPolicy: Imutable"), 3),
    ("options/value", of("aws:autoscaling:launchconfiguration", "RootVolumeType: GP3"), 3),
    ("options/value", of("aws:ec2:instances", "SupportedArchitectures: arm64,amd64"), 3),
    ("options/number", of("aws:elasticbeanstalk:command", "Timeout: 5000"), 3),
    ("options/number", of("aws:elasticbeanstalk:command", "Timeout: ten"), 3),
    ("options/number", of("aws:autoscaling:trigger", "LowerBreachScaleIncrement: one"), 3),
    ("options/number", of("aws:elasticbeanstalk:environment:process:api", "MatcherHTTPCode: 2xx"), 3),
    ("options/number", of("aws:ec2:instances", "SpotMaxPrice: 0.0001"), 3),
    ("options/not-text", of("aws:ec2:instances", "InstanceTypes: [t3.small, t3a.small]"), 3),
    ("options/yaml-turned", PROPERTIES + "    FLAG: on\n", 3),
    ("options/yaml-turned", PROPERTIES + "    MODE: 010\n", 3),
    ("options/yaml-turned", PROPERTIES + "    START: 12:30:45\n", 3),
    ("options/yaml-turned", PROPERTIES + "    COUNT: 1_000\n", 3),
    ("options/yaml-turned", PROPERTIES + "    RELEASE: 1.10\n", 3),
    ("options/yaml-turned", PROPERTIES + "    SINCE: 2026-01-02\n", 3),
    ("options/yaml-capitals", PROPERTIES + "    DEBUG: False\n", 3),
    ("options/empty", PROPERTIES + "    NOTHING:\n", 3),
    ("options/config-document", of("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument: '{'"), 3),
    ("options/config-document", of("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument: '{}'"), 3),
    (
        "options/config-document",
        of(
            "aws:elasticbeanstalk:healthreporting:system",
            """ConfigDocument: '{"Version": 1, "Rules": {"Environment": {"ELB": {"ELBRequests5xx": {}}}}}'""",
        ),
        3,
    ),
    ("options/dead-beside-procfile", of("aws:elasticbeanstalk:container:python", "NumThreads: 20"), 3),
    ("options/overridden-by-eb-cli", of("aws:elasticbeanstalk:command", "BatchSizeType: Fixed"), 3),
    ("options/overridden-by-eb-cli", of("aws:elasticbeanstalk:environment", "ServiceRole: mine"), 3),
    ("options/api-only", of("aws:elasticbeanstalk:environment", "ExternalExtensionsS3Bucket: mine"), 3),
    ("options/internal", of("aws:elasticbeanstalk:control", "DefaultSSHPort: 2222"), 3),
    ("environment/load-balancer-type", of("aws:elb:policies", "ConnectionDrainingTimeout: 20"), 3),
    ("environment/managed-updates", of("aws:elasticbeanstalk:managedactions", "ManagedActionsEnabled: true"), 3),
    ("environment/database-deleted", of("aws:rds:dbinstance", "HasCoupledDatabase: true"), 3),
    ("environment/disk", "commands:\n  01_swap:\n    command: fallocate -l 4G /swapfile && mkswap /swapfile\n", 3),
    ("environment/sizes", of("aws:autoscaling:asg", "MinSize: 9"), 3),
    ("listeners/port", of("aws:elbv2:listener:https", "ListenerEnabled: true"), 3),
    ("listeners/certificate", of("aws:elbv2:listener:443", "Protocol: HTTPS"), 3),
    ("listeners/certificate", of("aws:elbv2:listener:443", "ListenerEnabled: true"), 3),
    ("listeners/process", of("aws:elbv2:listener:81", "DefaultProcess: admin"), 3),
    ("listeners/rule", of("aws:elbv2:listener:81", "Rules: default,admin"), 3),
    ("properties/size", PROPERTIES + BIG, 3),
    ("properties/name", PROPERTIES + '    MY-NAME: "1"\n', 3),
    ("properties/not-expanded", PROPERTIES + '    PYTHONPATH: "/var/app/current:$PYTHONPATH"\n', 3),
    ("properties/quoted-twice", PROPERTIES + "    NAME: '\"quoted\"'\n", 3),
    ("properties/newline", PROPERTIES + '    KEY: "a\\nb"\n', 3),
    ("properties/control-character", PROPERTIES + '    KEY: "a\\eb"\n', 3),
    ("yaml/syntax", "option_settings:\n  - a: b: c\n", 2),
    ("yaml/syntax", "Resources:\n  A:\n    Type: !Sub x\n", 3),
    ("yaml/tab", "option_settings:\n\taws:autoscaling:asg:\n", 2),
    ("yaml/duplicate-key", PROPERTIES + '    A: "1"\n    A: "2"\n', 3),
    ("yaml/unknown-key", "option_setting:\n  aws:autoscaling:asg:\n    MinSize: 2\n", 1),
    ("yaml/shape", "option_settings: none\n", 1),
    ("yaml/shape", "option_settings:\n  - namespace: aws:autoscaling:asg\n    name: MinSize\n    value: 2\n", 2),
    ("yaml/shape", "option_settings:\n  GREETING: hello\n", 2),
    ("yaml/shape", "Resources: [A]\n", 1),
    ("yaml/shape", "- a\n", 1),
    ("yaml/byte-order-mark", "\ufeff" + PROPERTIES + '    A: "1"\n', 1),
    ("secrets/property", PROPERTIES + "    DJANGO_SECRET_KEY: k3d9f8s7d6f5\n", 3),
    ("secrets/property", PROPERTIES + "    DATABASE_URL: postgres://me:hunter2@db.example.org/a\n", 3),
    ("secrets/database-password", of("aws:rds:dbinstance", "DBPassword: hunter2hunter2"), 3),
]
# A fault whose place is another file, or that takes more than one file or another kind of environment.
ELSEWHERE = frozenset(
    {
        "options/set-twice",
        "environment/single-instance",
        "environment/batch-size",
        "options/deprecated",
        "environment/traffic-splitting",
        "environment/enhanced-health",
        "environment/blue-green-database",
        "environment/instance-types",
        "yaml/not-read",
    }
)


@pytest.mark.parametrize(("rule", "content", "line"), FAULTS, ids=[rule for rule, _, _ in FAULTS])
def test_a_fault_is_found_in_its_line_and_nothing_else(rule: str, content: str, line: int) -> None:
    found = places(bundle({EXTENSION: content}))
    # What is set again to a wrong value is also set twice; that one is told at the earlier place.
    assert [one for one in found if one[0] != "options/set-twice"] == [(rule, EXTENSION, line)]


def test_the_clean_bundle_has_no_finding() -> None:
    assert places(bundle()) == []


def test_every_rule_about_settings_has_its_fault() -> None:
    settings = {rule.id for rule in RULES if rule.id.split("/")[0] not in ("contents", "resources", "leftovers")}
    assert settings == {rule for rule, _, _ in FAULTS} | ELSEWHERE | {"secrets/in-file"}


def test_an_option_in_two_files_is_told_at_the_one_that_loses() -> None:
    again = bundle({EXTENSION: of("aws:autoscaling:asg", "MaxSize: 6")})
    assert places(again) == [("options/set-twice", ".ebextensions/01-options.config", 11)]


def test_a_single_instance_has_no_trigger_no_balancer_and_no_batches() -> None:
    content = (
        of("aws:elasticbeanstalk:environment", "EnvironmentType: SingleInstance")
        + "  aws:autoscaling:trigger:\n    Period: 1\n"
        + "  aws:elbv2:loadbalancer:\n    IdleTimeout: 50\n"
        + "  aws:elasticbeanstalk:command:\n    DeploymentPolicy: Rolling\n"
    )
    found = places(bundle({".ebextensions/01-options.config": None, EXTENSION: content}))
    assert found == [("environment/single-instance", EXTENSION, line) for line in (5, 7, 9)]


def saved(*settings: tuple[str, str, str], **kind: bool) -> Configuration:
    found = tuple(
        Setting("saved.cfg.yml", line, namespace, name, value, written=value)
        for line, (namespace, name, value) in enumerate(settings, start=1)
    )
    return Configuration("saved", found, has_cli_presets=False, **kind)


ENHANCED = ("aws:elasticbeanstalk:healthreporting:system", "SystemType", "enhanced")


@pytest.mark.parametrize(("kind", "size"), [("Percentage", "200"), ("Fixed", "5")])
def test_a_batch_is_no_larger_than_the_group(kind: str, size: str) -> None:
    command = "aws:elasticbeanstalk:command"
    found = places(bundle(), saved(ENHANCED, (command, "BatchSizeType", kind), (command, "BatchSize", size)))
    assert found == [("environment/batch-size", "saved.cfg.yml", 3)]
    assert places(bundle(), saved(ENHANCED, (command, "BatchSizeType", kind), (command, "BatchSize", "4"))) == []


def test_traffic_splitting_needs_an_application_load_balancer() -> None:
    splitting = ("aws:elasticbeanstalk:command", "DeploymentPolicy", "TrafficSplitting")
    assert places(bundle(), saved(ENHANCED, splitting)) == []
    network = saved(ENHANCED, splitting, ("aws:elasticbeanstalk:environment", "LoadBalancerType", "network"))
    assert places(bundle(), network) == [
        ("environment/traffic-splitting", "saved.cfg.yml", 2),
        ("options/overridden-by-eb-cli", "saved.cfg.yml", 3),
    ]


def test_enhanced_health_comes_from_the_eb_cli_or_must_be_set() -> None:
    assert places(bundle()) == []
    assert places(bundle(), saved()) == [("environment/enhanced-health", ".ebextensions/01-options.config", 13)]
    assert places(bundle(), saved(ENHANCED)) == []


def test_a_coupled_database_forbids_blue_green_only_where_it_is_asked_for() -> None:
    settings = (
        ("aws:rds:dbinstance", "HasCoupledDatabase", "true"),
        ("aws:rds:dbinstance", "DBDeletionPolicy", "Snapshot"),
        ENHANCED,
    )
    assert places(bundle(), saved(*settings)) == []
    blue_green = saved(*settings, is_blue_green=True)
    assert places(bundle(), blue_green) == [("environment/blue-green-database", "saved.cfg.yml", 1)]


def test_a_deprecated_option_of_the_classic_load_balancer_is_told() -> None:
    classic = (
        ENHANCED,
        ("aws:elasticbeanstalk:environment", "LoadBalancerType", "classic"),
        ("aws:elb:loadbalancer", "LoadBalancerHTTPPort", "80"),
    )
    assert places(bundle(), saved(*classic)) == [
        ("options/overridden-by-eb-cli", "saved.cfg.yml", 2),
        ("options/deprecated", "saved.cfg.yml", 3),
    ]


def test_two_options_for_the_instances_type_are_told() -> None:
    content = of("aws:autoscaling:launchconfiguration", "InstanceType: t3.small")
    content += "  aws:ec2:instances:\n    InstanceTypes: t3.medium\n"
    assert places(bundle({EXTENSION: content})) == [("environment/instance-types", EXTENSION, 3)]


@pytest.mark.parametrize("path", [".ebextensions/more/02.config", ".ebextensions/02.yml", ".ebextensions/options.txt"])
def test_a_file_that_the_platform_does_not_read_is_told(path: str) -> None:
    found = places(bundle({path: of("aws:autoscaling:asg", "MaxSize: 6")}))
    assert found == [("yaml/not-read", path, 0)]


@pytest.mark.parametrize("path", [".ebextensions/README.md", ".ebextensions/scripts/a.sh"])
def test_material_beside_the_configuration_files_is_fine(path: str) -> None:
    assert places(bundle({path: "about these files\n"})) == []


@pytest.mark.parametrize(
    "content",
    [
        # As it stands in the platform's own documentation.
        of("aws:elasticbeanstalk:cloudwatch:logs", "StreamLogs: true", "RetentionInDays: 7"),
        of("aws:elasticbeanstalk:xray", "XRayEnabled: yes"),
        of("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument:", "  Version: 1"),
        of("aws:autoscaling:asg", "Cooldown: 0"),
        of("aws:elasticbeanstalk:environment:process:default", "Protocol: http"),
        PROPERTIES + '    COUNT: 12\n    PRICE: "$5"\n    EMPTY: ""\n    lower: x\n    HOSTS: "*,a?b&c=d"\n',
        PROPERTIES + '    HOST: \'`{"Ref": "AWSEBEnvironmentName"}`\'\n',
        PROPERTIES + '    SECRET_KEY: "<set by eb setenv>"\n    PASSWORD_RESET_DAYS: 3\n',
        "option_settings:\n  - option_name: A\n    value: b\n",
        '{"option_settings": [{"namespace": "aws:autoscaling:asg", "option_name": "Cooldown", "value": "60"}]}',
        '{\n\t"option_settings": {\n\t\t"aws:xray": {}\n\t},\n\t"files": {"\\/a": {"content": "b"}}\n}',
        "option_settings:\n",
        "",
        "# nothing yet\n",
        "packages:\n  yum:\n    git: []\n",
        "option_settings:\n" + SCHEDULED.format("A", 1) + SCHEDULED.format("B", 2),
        of("aws:elbv2:listener:443", "Protocol: HTTPS", "SSLCertificateArns: arn:aws:acm:eu-central-1:1:certificate/1"),
        of("aws:elbv2:listener:443", "ListenerEnabled: false"),
        of("aws:elasticbeanstalk:environment", "LoadBalancerIsShared: true")
        + "  aws:elbv2:listener:443:\n    Rules: default\n",
        "option_settings:\n  aws:elasticbeanstalk:cloudwatch:logs: &kept\n    RetentionInDays: 7\n"
        "    DeleteOnTerminate: false\n  aws:elasticbeanstalk:cloudwatch:logs:health:\n    <<: *kept\n"
        "    RetentionInDays: 14\n",
        "commands:\n  01_a:\n    command: |\n      cat <<X\n      \tindented\n      X\n",
    ],
)
def test_what_the_platform_takes_is_no_finding(content: str) -> None:
    assert places(bundle({EXTENSION: content})) == []
