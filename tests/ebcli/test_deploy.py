"""Whether the real EB CLI sends the artifact that `ebtools bundle` wrote, and nothing else."""

import hashlib

import pytest

from tests.ebcli.conftest import Project

pytestmark = pytest.mark.slow

NAME = "fastier-development"


@pytest.fixture
def deployed(project: Project) -> Project:
    """A project with an environment."""
    project.bundle()
    done = project.eb("create", NAME, "--nohang")
    assert done.returncode == 0, done.stdout
    return project


def test_a_deployment_sends_the_bytes_of_the_artifact_whatever_the_work_tree_looks_like(deployed: Project) -> None:
    first = deployed.cloud.beanstalk.asked("CreateApplicationVersion")[-1]["SourceBundle"]["S3Key"]
    deployed.repository.put("fastier/extra.py", '"""More."""\n')
    deployed.repository.commit()
    digest = deployed.bundle()
    deployed.repository.put("fastier/uncommitted.py", '"""Not yet."""\n')
    done = deployed.eb("deploy", NAME)
    assert done.returncode == 0, done.stdout
    version = deployed.cloud.beanstalk.asked("CreateApplicationVersion")[-1]
    assert version["SourceBundle"]["S3Key"] != first
    body = deployed.cloud.stored(version["SourceBundle"]["S3Key"])
    assert body is not None
    assert hashlib.sha256(body).hexdigest() == digest
    # Nothing but the version: a change of options would go out by itself, and not with the code.
    assert deployed.cloud.beanstalk.asked("UpdateEnvironment") == [
        {"EnvironmentName": NAME, "VersionLabel": version["VersionLabel"]}
    ]
    assert "Environment update completed successfully" in done.stdout


def test_a_deployment_without_an_artifact_fails_and_names_it(deployed: Project) -> None:
    before, versions = deployed.cloud.uploads(), len(deployed.cloud.beanstalk.versions)
    deployed.artifact.unlink()
    done = deployed.eb("deploy", NAME)
    assert done.returncode != 0
    assert "dist/fastier.zip" in done.stdout + done.stderr
    assert deployed.cloud.uploads() == before
    assert len(deployed.cloud.beanstalk.versions) == versions
    assert not deployed.cloud.beanstalk.asked("UpdateEnvironment")


def test_the_command_in_the_documentation_sets_the_folder_up_and_keeps_the_artifact(project: Project) -> None:
    """The interactive one would offer CodeCommit, which deploys a branch and ignores the artifact."""
    changed = project.repository.git("status", "--short").split()
    assert changed == ["M", ".elasticbeanstalk/config.yml"]
    text = (project.folder / ".elasticbeanstalk" / "config.yml").read_text()
    assert "artifact: dist/fastier.zip" in text
    assert "default_region: us-east-1" in text
    assert "repository: null" in text
