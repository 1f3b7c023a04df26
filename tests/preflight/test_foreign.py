"""Bundles by others: nothing is said of them but what is true, and nothing of what Fastier alone demands."""

import pytest

from ebtools.preflight.bundle import Bundle
from ebtools.preflight.catalogue import PLATFORM
from tests.preflight.bundles import Place, places

FLASK: dict[str, str | bytes] = {
    "application.py": "from flask import Flask\n\napplication = Flask(__name__)\n",
    "requirements.txt": "Flask==3.1.0\n",
    "templates/index.html": "<h1>Hello</h1>\n",
    "static/style.css": "h1 { color: teal }\n",
}
DJANGO: dict[str, str | bytes] = {
    "manage.py": "",
    "shop/__init__.py": "",
    "shop/settings.py": "",
    "shop/wsgi.py": "application = None\n",
    "requirements.txt": "Django==5.2\nmysqlclient==2.2.7\n",
    ".ebextensions/01_packages.config": "packages:\n  yum:\n    git: []\n    mariadb105-devel: []\n",
    ".ebextensions/02_django.config": """option_settings:
  aws:elasticbeanstalk:container:python:
    WSGIPath: shop.wsgi:application
  aws:elasticbeanstalk:application:environment:
    DJANGO_SETTINGS_MODULE: shop.settings
    PYTHONPATH: /var/app/current:$PYTHONPATH
  aws:elasticbeanstalk:environment:proxy:staticfiles:
    /static: static
container_commands:
  01_migrate:
    command: "source /var/app/venv/*/bin/activate && python manage.py migrate --noinput"
    leader_only: true
  02_collectstatic:
    command: "source /var/app/venv/*/bin/activate && python manage.py collectstatic --noinput"
""",
}
MODERN: dict[str, str | bytes] = {
    "Procfile": "web: gunicorn --bind :8000 --workers 2 --threads 8 service.wsgi:app\n",
    "service/__init__.py": "",
    "service/wsgi.py": "app = None\n",
    "requirements.txt": "flask==3.1.0\ngunicorn==23.0.0\n",
    ".platform/nginx/conf.d/size.conf": "client_max_body_size 20M;\n",
    ".platform/hooks/postdeploy/10_warm.sh": "#!/bin/bash\ncurl -fsS http://127.0.0.1:8000/ > /dev/null\n",
    ".ebextensions/environment.config": """option_settings:
  - namespace: aws:elasticbeanstalk:environment
    option_name: LoadBalancerType
    value: application
  - namespace: aws:elbv2:listener:443
    option_name: Protocol
    value: HTTPS
  - namespace: aws:elbv2:listener:443
    option_name: SSLCertificateArns
    value: arn:aws:acm:us-east-1:123456789012:certificate/1
  - option_name: LOG_FORMAT
    value: "%(asctime)s %(levelname)s %(message)s"
  - option_name: QUEUE
    value: '`{"Ref": "Jobs"}`'
""",
    ".ebextensions/queue.config": """Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 120
Outputs:
  JobsArn:
    Value: {"Fn::GetAtt": [Jobs, Arn]}
""",
}
OLD: dict[str, str | bytes] = {
    "manage.py": "",
    "blog/__init__.py": "",
    "blog/wsgi.py": "application = None\n",
    "requirements.txt": "Django==1.11\n",
    ".ebextensions/django.config": """option_settings:
  aws:elasticbeanstalk:container:python:
    WSGIPath: blog/wsgi.py
    NumProcesses: 3
  aws:elasticbeanstalk:container:python:staticfiles:
    /static/: static/
  aws:elasticbeanstalk:application:environment:
    DEBUG: False
container_commands:
  01_migrate:
    command: "source /opt/python/run/venv/bin/activate && python manage.py migrate"
  02_wsgi:
    command: "echo 'WSGIPassAuthorization On' >> ../wsgi.conf"
files:
  /opt/elasticbeanstalk/hooks/appdeploy/post/99_restart.sh:
    mode: "000755"
    content: |
      #!/bin/sh
      service httpd restart
""",
}
FILE = ".ebextensions/django.config"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (FLASK, []),
        (DJANGO, [("properties/not-expanded", ".ebextensions/02_django.config", 6)]),
        (MODERN, []),
        (
            OLD,
            [
                ("contents/wsgi-path", FILE, 3),
                ("options/other-platform", FILE, 6),
                ("options/yaml-capitals", FILE, 8),
                ("commands/migration-everywhere", FILE, 10),
                ("leftovers/path", FILE, 11),
                ("leftovers/path", FILE, 13),
                ("leftovers/hooks", FILE, 15),
            ],
        ),
    ],
    ids=["flask without a Procfile", "django with a WSGIPath", "procfile and .platform", "before amazon linux 2023"],
)
def test_a_bundle_by_others_gets_exactly_the_true_findings(
    files: dict[str, str | bytes], expected: list[Place]
) -> None:
    # pip would look for packages that these only stand for.
    rules = tuple(rule for rule in PLATFORM if rule.id not in ("requirements/wheels", "requirements/source"))
    bundle = Bundle.of_files(files, executable=(".platform/hooks/postdeploy/10_warm.sh",))
    assert places(bundle, rules=rules) == expected
