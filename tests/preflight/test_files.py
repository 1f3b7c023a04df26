"""Rules about files, the proxy and budgets: one fault for each, at its place, and nothing else."""

import shutil

import pytest

from ebtools.preflight import engine
from ebtools.preflight.catalogue import PLATFORM
from ebtools.preflight.configurations import plain
from ebtools.preflight.findings import Rule
from ebtools.preflight.rules import requirements
from tests.preflight.bundles import EXTENSION, GROUPS, bundle, places

# pip and its index have tests of their own.
ASK_PIP = {"requirements/wheels", "requirements/source"}
RULES: tuple[Rule, ...] = tuple(
    rule for rule in PLATFORM if rule.id.split("/")[0] not in GROUPS and rule.id not in ASK_PIP
)
Change = dict[str, str | bytes | None]
HOOK = ".platform/hooks/predeploy/20_more.sh"
LATE = ".platform/hooks/postdeploy/20_more.sh"
NGINX = ".platform/nginx/conf.d/more.conf"
SERVER = ".platform/nginx/conf.d/elasticbeanstalk/more.conf"
APPLICATION = ".platform/nginx/conf.d/elasticbeanstalk/00_application.conf"
CONFIG = "gunicorn.conf.py"
WEB = "web: gunicorn application:application\n"


def commands(section: str, body: str) -> str:
    return f"{section}:\n  10_do:\n    {body}\n"


def setting(namespace: str, **values: str) -> str:
    return f"option_settings:\n  {namespace}:\n" + "".join(f'    {name}: "{value}"\n' for name, value in values.items())


PROCESS = "aws:elasticbeanstalk:environment:process:default"
ALEMBIC = 'revision = "{0}"\ndown_revision = {1}\n'

FAULTS: list[tuple[Change, tuple[str, str, int]]] = [
    ({"Procfile": WEB + "no line\n"}, ("procfile/grammar", "Procfile", 2)),
    ({"Procfile": "\ufeff" + WEB}, ("procfile/grammar", "Procfile", 1)),
    ({"Procfile": "worker: python -m work\n"}, ("procfile/no-web", "Procfile", 0)),
    ({"Procfile": WEB + "release: flask db upgrade\n"}, ("procfile/ends", "Procfile", 2)),
    ({"Procfile": "web: gunicorn --bind :5000 application:application\n"}, ("procfile/port", "Procfile", 1)),
    ({"Procfile": "web: gunicorn application:app\n"}, ("procfile/target", "Procfile", 1)),
    ({"Procfile": "web: gunicorn aplication:application\n"}, ("procfile/target", "Procfile", 1)),
    ({"Procfile": "web: gunicorn -c conf.py application:application\n"}, ("procfile/config", "Procfile", 1)),
    ({"Procfile": "web: ./start.sh\n", "start.sh": "#!/bin/sh\n"}, ("procfile/not-executable", "Procfile", 1)),
    ({"requirements.txt": None, "pyproject.toml": "[project]\n"}, ("requirements/not-read", "pyproject.toml", 0)),
    ({"requirements.txt": "flask==3.1.0\n".encode("utf-16")}, ("requirements/encoding", "requirements.txt", 0)),
    ({"requirements.txt": "flask==3.1.0\npywin32==306\n"}, ("requirements/other-machine", "requirements.txt", 2)),
    ({"requirements.txt": "a @ file:///tmp/a.whl\n"}, ("requirements/other-machine", "requirements.txt", 1)),
    ({"requirements.txt": "psycopg2==2.9.10\n"}, ("requirements/compiler", "requirements.txt", 1)),
    ({"requirements.txt": "a==1\nflask>=3\n"}, ("requirements/unpinned", "requirements.txt", 2)),
    (
        {"requirements.txt": "a==1 --hash=sha256:00\nb==2\n"},
        ("requirements/hashes", "requirements.txt", 2),
    ),
    (
        {EXTENSION: commands("container_commands", "{command: 'true', leader_only: true, test: 'true'}")},
        ("commands/leader-and-test", EXTENSION, 2),
    ),
    (
        {EXTENSION: commands("container_commands", "command: flask assets build")},
        ("commands/which-python", EXTENSION, 2),
    ),
    (
        {EXTENSION: commands("container_commands", "command: source /var/app/venv/*/bin/activate && flask db upgrade")},
        ("commands/migration-everywhere", EXTENSION, 2),
    ),
    (
        {EXTENSION: commands("commands", "command: /var/app/venv/x/bin/python manage.py migrate")},
        ("commands/too-early", EXTENSION, 2),
    ),
    ({EXTENSION: "packages:\n  yum:\n    postgresql-devel: []\n"}, ("commands/package-name", EXTENSION, 3)),
    (
        {"bin/do.sh": "#!/bin/sh\n", EXTENSION: commands("container_commands", "command: bin/do.sh now")},
        ("commands/not-executable", EXTENSION, 2),
    ),
    ({HOOK: "echo hello\n"}, ("hooks/shebang", HOOK, 1)),
    ({HOOK: "#!/usr/bin/env bash\nif true; then\n"}, ("hooks/syntax", HOOK, 3)),
    ({HOOK: "#!/bin/sh\r\necho hello\r\n"}, ("hooks/line-ends", HOOK, 1)),
    ({".platform/hooks/pre-deploy/a.sh": "#!/bin/sh\n"}, ("hooks/place", ".platform/hooks/pre-deploy/a.sh", 0)),
    (
        {HOOK: "#!/bin/bash\nsource /opt/elasticbeanstalk/deployment/env\n"},
        ("hooks/environment-file", HOOK, 2),
    ),
    ({LATE: "#!/bin/bash\n/var/app/venv/x/bin/alembic upgrade head\n"}, ("hooks/late-migration", LATE, 2)),
    ({HOOK: "#!/bin/bash\n/usr/bin/python3 -m flask assets\n"}, ("hooks/system-python", HOOK, 2)),
    ({SERVER: "\nkeepalive_timeout 75s;\n"}, ("proxy/refused", SERVER, 2)),
    ({NGINX: "location /a { return 200; }\n"}, ("proxy/refused", NGINX, 1)),
    (
        {
            ".platform/nginx/nginx.conf": "user nginx;\nworker_rlimit_nofile 9;\nevents {}\nhttp{\n  no_such_word;\n"
            "  include conf.d/elasticbeanstalk/*.conf;\n}\n"
        },
        ("proxy/refused", ".platform/nginx/nginx.conf", 5),
    ),
    ({SERVER: "\ufeffclient_max_body_size 2m;\n"}, ("proxy/refused", SERVER, 1)),
    ({".platform/httpd/conf.d/a.conf": "Timeout 5\n"}, ("proxy/not-read", ".platform/httpd/conf.d/a.conf", 0)),
    ({".ebextensions/nginx/conf.d/a.conf": ""}, ("proxy/not-read", ".ebextensions/nginx/conf.d/a.conf", 0)),
    (
        {".platform/nginx/nginx.conf": "events {}\nhttp {\n    server { listen 80; location / { return 200; } }\n}\n"},
        ("proxy/without-includes", ".platform/nginx/nginx.conf", 0),
    ),
    ({NGINX: "keepalive_timeout 75s;\n"}, ("proxy/keepalive-without-effect", NGINX, 1)),
    (
        {"settings.py": 'config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024\n'},
        ("proxy/small-bodies", "settings.py", 1),
    ),
    (
        {EXTENSION: setting(PROCESS, HealthCheckTimeout="20", HealthCheckInterval="10")},
        ("health/interval", EXTENSION, 3),
    ),
    ({"site/settings.py": "SECURE_SSL_REDIRECT = True\n"}, ("health/redirected", "site/settings.py", 1)),
    ({"site/settings.py": "A = 1\nALLOWED_HOSTS = ['example.org']\n"}, ("health/host", "site/settings.py", 2)),
    (
        {
            EXTENSION: "Resources:\n  AWSEBAutoScalingGroup:\n    Type: AWS::AutoScaling::AutoScalingGroup\n"
            "    Properties: {HealthCheckType: ELB, HealthCheckGracePeriod: 60}\n"
        },
        ("health/grace-period", EXTENSION, 0),
    ),
    (
        {EXTENSION: setting("aws:elbv2:loadbalancer", IdleTimeout="90")},
        ("timeouts/keep-alive", EXTENSION, 3),
    ),
    ({CONFIG: "timeout = 120\n"}, ("timeouts/worker", CONFIG, 1)),
    ({SERVER: "proxy_read_timeout 120s;\n"}, ("timeouts/proxy", SERVER, 1)),
    ({CONFIG: "graceful_timeout = 90\ntimeout = 30\n"}, ("timeouts/stop", CONFIG, 1)),
    (
        {CONFIG: "graceful_timeout = 25\n", EXTENSION: setting(PROCESS, DeregistrationDelay="10")},
        ("timeouts/draining", EXTENSION, 3),
    ),
    (
        {APPLICATION: "location / { proxy_pass http://own; }\n", NGINX: "upstream own { server 127.0.0.1:8000; }\n"},
        ("timeouts/upstream", NGINX, 1),
    ),
    (
        {CONFIG: "workers = 64\n", EXTENSION: setting("aws:ec2:instances", InstanceTypes="t3.small")},
        ("budgets/memory", CONFIG, 1),
    ),
    (
        {
            CONFIG: "workers = 32\n",
            EXTENSION: setting(
                "aws:rds:dbinstance",
                HasCoupledDatabase="true",
                DBEngine="postgres",
                DBInstanceClass="db.t4g.micro",
                DBDeletionPolicy="Snapshot",
            ),
        },
        ("budgets/connections", CONFIG, 1),
    ),
    (
        {f"migrations/versions/{name}.py": ALEMBIC.format(name, below) for name, below in
         (("a", None), ("b", '"a"'), ("c", '"a"'))},
        ("migrations/heads", "migrations/versions/c.py", 0),
    ),
    ({"migrations/versions/b.py": ALEMBIC.format("b", '"a"')}, ("migrations/chain", "migrations/versions/b.py", 0)),
    (
        {
            "shop/migrations/0001_initial.py": "",
            "shop/migrations/0002_a.py": 'dependencies = [("shop", "0001_initial")]',
            "shop/migrations/0002_b.py": 'dependencies = [("shop", "0001_initial")]',
        },
        ("migrations/leaves", "shop/migrations/0002_b.py", 0),
    ),
]  # fmt: skip

# What looks like a fault and is none.
FINE: list[Change] = [
    {},
    {"Procfile": "web: gunicorn --bind=127.0.0.1:8000 --workers=3 --threads=4 application:application\n"},
    {"Procfile": "web: sh -c 'flask db upgrade && exec gunicorn application:application'\n"},
    {"Procfile": "web: gunicorn 'application:create_app()'\n", "application.py": "def create_app(): ...\n"},
    {"Procfile": "web: gunicorn --chdir src main:app\n"},
    {"Procfile": "# a comment\n\nweb: uvicorn site.asgi:app --port 8000\n", "site/asgi.py": "from x import app\n"},
    {"Procfile": None},
    {EXTENSION: commands("container_commands", "command: bash bin/do.sh"), "bin/do.sh": "#!/bin/sh\n"},
    {EXTENSION: commands("container_commands",
                         "{command: 'source /var/app/venv/x/bin/activate && alembic upgrade head', leader_only: yes}")},
    {EXTENSION: "packages:\n  yum:\n    gcc: []\n    libpq-devel: []\n", "requirements.txt": "psycopg2==2.9.10\n"},
    {"requirements.txt": 'pywin32==306 ; sys_platform == "win32"\nflask==3.1.0\n'},
    {HOOK: "#!/usr/bin/env python3\nprint('not a shell')\n"},
    {LATE: "#!/bin/bash\n# alembic upgrade head has run before\ncurl -f http://localhost/\n"},
    {NGINX: "client_max_body_size 20m;\n", "settings.py": 'config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024\n'},
    {"site/settings.py": "SECURE_SSL_REDIRECT = True\nSECURE_REDIRECT_EXEMPT = ['^health']\nALLOWED_HOSTS = ['*']\n"},
    {"site/settings.py": "ALLOWED_HOSTS = os.environ['HOSTS'].split(',')\n"},
    {CONFIG: "import os\nworkers = int(os.environ['N'])\ntimeout = workers * 30\n"},
    {EXTENSION: setting("aws:elbv2:loadbalancer", IdleTimeout="55")},
    {"migrations/versions/a.py": ALEMBIC.format("a", None), "migrations/versions/b.py": ALEMBIC.format("b", '"a"')},
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"), FAULTS, ids=[f"{place[0]}-{n}" for n, (_, place) in enumerate(FAULTS)]
)
def test_a_fault_is_found_and_nothing_else(changes: Change, expected: tuple[str, str, int]) -> None:
    assert places(bundle(changes), rules=RULES) == [expected]


@pytest.mark.parametrize("changes", FINE)
def test_what_only_looks_like_a_fault_is_none(changes: Change) -> None:
    assert places(bundle(changes), rules=RULES) == []


def test_every_rule_about_files_has_its_fault() -> None:
    assert {place[0] for _, place in FAULTS} == {rule.id for rule in RULES}


def asked_of_pip(requirements: str) -> list[str]:
    rules = tuple(rule for rule in PLATFORM if rule.id in ASK_PIP)
    report = engine.run(bundle({"requirements.txt": requirements}), [plain()], rules)
    found = [f"{result.rule.id} {finding.line}: {finding.message}" for result, finding in report.findings]
    return sorted(found) + [f"not run: {told.reason}" for _, told in report.not_run]


def test_what_cannot_be_had_and_what_must_be_built_is_told_for_both_processors() -> None:
    assert asked_of_pip("click==8.1.8\npycrypto==2.6.1\nflask==99.0.0\n") == [
        "requirements/source 2: pycrypto==2.6.1 has no wheel for Python 3.13 on aarch64 and is built from its source",
        "requirements/source 2: pycrypto==2.6.1 has no wheel for Python 3.13 on x86_64 and is built from its source",
        "requirements/wheels 3: there is no flask==99.0.0 for Python 3.13 on aarch64",
        "requirements/wheels 3: there is no flask==99.0.0 for Python 3.13 on x86_64",
    ]


def test_without_an_index_the_rule_has_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements._reaches_index.cache_clear()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    try:
        assert set(asked_of_pip("flask==3.1.0\n")) == {"not run: pip reaches no package index"}
    finally:
        requirements._reaches_index.cache_clear()


def test_without_nginx_the_proxy_is_not_taken_for_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nowhere)
    rules = tuple(rule for rule in PLATFORM if rule.id == "proxy/refused")
    report = engine.run(bundle({NGINX: "server_tokens off;\n"}), [plain()], rules)
    assert [told.reason.partition(";")[0] for _, told in report.not_run] == ["nginx is not installed"]
