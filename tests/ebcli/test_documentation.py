"""Whether the commands that docs/deploy.md shows are ones that the EB CLI takes, and do what the page says."""

import re
import shlex

import pytest

from tests.ebcli.conftest import ROOT, Project

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs" / "deploy.md").read_text()
UPDATES = [shlex.split(line)[1:] for line in re.findall(r"^eb config .*--update .*$", TEXT, re.MULTILINE)]

Update = dict[tuple[str, str], str]


def updates(project: Project, commands: list[list[str]]) -> list[Update]:
    """What each command changes, on environments of the names that it uses."""
    project.bundle()
    for name in {command[1] for command in commands}:
        assert project.eb("create", name, "--nohang").returncode == 0
    for command in commands:
        done = project.eb(*command)
        assert done.returncode == 0, done.stdout
        assert "Environment update completed successfully" in done.stdout
    return [
        {(one["Namespace"], one["OptionName"]): one["Value"] for one in asked["OptionSettings"]}
        for asked in project.cloud.beanstalk.asked("UpdateEnvironment")
    ]


def test_a_database_is_kept_before_it_is_let_go(project: Project) -> None:
    namespace = "aws:rds:dbinstance"
    found = updates(project, [command for command in UPDATES if namespace in command[-1]])
    assert found == [{(namespace, "DBDeletionPolicy"): "Retain"}, {(namespace, "HasCoupledDatabase"): "false"}]


def test_rolling_with_an_additional_batch_is_one_command_away(project: Project) -> None:
    namespace = "aws:elasticbeanstalk:command"
    (found,) = updates(project, [command for command in UPDATES if namespace in command[-1]])
    assert found == {
        (namespace, "DeploymentPolicy"): "RollingWithAdditionalBatch",
        (namespace, "BatchSizeType"): "Fixed",
        (namespace, "BatchSize"): "1",
    }


def test_the_page_sets_the_folder_up_as_these_tests_do() -> None:
    (line,) = re.findall(r"^eb init .*$", TEXT, re.MULTILINE)
    assert shlex.split(line)[1:3] == ["init", "fastier"]
    assert [word for word in shlex.split(line) if word.startswith("--")] == ["--region", "--platform"]
