"""Whether the real EB CLI makes environments as docs/deploy.md says."""

import hashlib

import pytest

from ebtools.preflight import options
from tests.ebcli.beanstalk import PLATFORM
from tests.ebcli.conftest import Project

pytestmark = pytest.mark.slow

Options = dict[tuple[str, str], str]


def sent(project: Project) -> tuple[dict[str, object], Options]:
    """The last request for an environment, and the options in it."""
    request = project.cloud.beanstalk.asked("CreateEnvironment")[-1]
    settings = request.get("OptionSettings", [])
    return request, {(one["Namespace"], one["OptionName"]): one["Value"] for one in settings}


def test_a_plain_create_sends_our_bundle_and_the_presets_that_preflight_knows(project: Project) -> None:
    digest = project.bundle()
    line = ["--database", "--database.username", "someone", "--database.password", "no-real-password"]
    done = project.eb("create", "fastier-development", *line)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (version,) = project.cloud.beanstalk.asked("CreateApplicationVersion")[-1:]
    body = project.cloud.stored(version["SourceBundle"]["S3Key"])
    assert body is not None
    assert hashlib.sha256(body).hexdigest() == digest
    request, found = sent(project)
    assert request["VersionLabel"] == version["VersionLabel"]
    assert request["PlatformArn"] == PLATFORM
    assert "TemplateName" not in request
    # What makes the database's options a database.
    assert request["TemplateSpecification"]
    database = {name: found.pop(("aws:rds:dbinstance", name)) for name in ("DBUser", "DBPassword", "DBDeletionPolicy")}
    assert database == {"DBUser": "someone", "DBPassword": "no-real-password", "DBDeletionPolicy": "Snapshot"}
    assert found == options.presets(is_plain=True)
    assert "Successfully launched environment" in done.stdout


def test_a_plain_create_makes_the_roles_that_the_saved_configurations_name(project: Project) -> None:
    project.bundle()
    assert project.eb("create", "fastier-development", "--nohang").returncode == 0
    made = [asked["RoleName"] for asked in project.cloud.beanstalk.asked("CreateRole")]
    assert made == ["aws-elasticbeanstalk-ec2-role", "aws-elasticbeanstalk-service-role"]
    (added,) = project.cloud.beanstalk.asked("AddRoleToInstanceProfile")
    # The bucket's policy takes the profile's name for the role's.
    assert added == {"InstanceProfileName": made[0], "RoleName": made[0]}
