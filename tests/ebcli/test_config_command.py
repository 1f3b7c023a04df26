"""Whether the real EB CLI takes the saved configurations."""

import pytest
import yaml

from ebtools.preflight import options
from tests.ebcli.beanstalk import PLATFORM
from tests.ebcli.conftest import Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["development", "staging", "production"])
def test_a_create_sends_the_saved_configuration_and_no_presets_over_it(project: Project, name: str) -> None:
    project.bundle()
    done = project.eb("create", f"fastier-{name}", "--cfg", name, "--nohang")
    assert done.returncode == 0, done.stdout
    stored = project.cloud.stored(f"resources/templates/fastier/{name}")
    assert stored == (project.folder / ".elasticbeanstalk" / "saved_configs" / f"{name}.cfg.yml").read_bytes()
    # The file names no platform, so that there is one place for it: config.yml, which the EB CLI falls back to.
    first, second = project.cloud.beanstalk.asked("CreateEnvironment")
    assert "PlatformArn" not in first
    assert second["PlatformArn"] == PLATFORM
    assert second["TemplateName"] == name
    found = {(one["Namespace"], one["OptionName"]): one["Value"] for one in second["OptionSettings"]}
    assert found == options.presets(is_plain=False)
    # It makes no roles either; the configuration names those that a first plain create has made.
    assert not project.cloud.beanstalk.asked("CreateRole")


def test_development_gets_its_database_beside_the_saved_configuration(project: Project) -> None:
    project.bundle()
    line = ["--database", "--database.username", "someone", "--database.password", "no-real-password", "--nohang"]
    done = project.eb("create", "fastier-development", "--cfg", "development", *line)
    assert done.returncode == 0, done.stdout
    request = project.cloud.beanstalk.asked("CreateEnvironment")[-1]
    found = {one["OptionName"]: one["Value"] for one in request["OptionSettings"]}
    assert found.items() >= {"DBUser": "someone", "DBPassword": "no-real-password"}.items()
    assert request["TemplateName"] == "development"
    # What makes the database's options a database.
    assert request["TemplateSpecification"]


def test_a_copy_with_the_values_of_an_account_is_found_and_not_committed(project: Project) -> None:
    folder = project.folder / ".elasticbeanstalk"
    source = (folder / "saved_configs" / "production.cfg.yml").read_text()
    (folder / "fastier-production.cfg.yml").write_text(source.replace("#+ ", ""))
    project.bundle()
    done = project.eb("create", "fastier-production", "--cfg", "fastier-production", "--nohang")
    assert done.returncode == 0, done.stdout
    stored = project.cloud.stored("resources/templates/fastier/fastier-production")
    assert stored is not None
    assert yaml.safe_load(stored)["OptionSettings"]["aws:elbv2:listener:443"]["Protocol"] == "HTTPS"
    assert project.cloud.beanstalk.asked("CreateEnvironment")[-1]["TemplateName"] == "fastier-production"
    assert "fastier-production.cfg.yml" not in project.repository.git("status", "--short", "--untracked-files=all")


def test_a_running_environment_takes_a_changed_configuration(project: Project) -> None:
    project.bundle()
    assert project.eb("create", "fastier-staging", "--cfg", "staging", "--nohang").returncode == 0
    done = project.eb("config", "fastier-staging", "--cfg", "staging", "--nohang")
    assert done.returncode == 0, done.stdout
    (update,) = project.cloud.beanstalk.asked("UpdateEnvironment")
    assert update["TemplateName"] == "staging"
    assert update["EnvironmentName"] == "fastier-staging"


def test_config_put_is_accepted_but_rewrites_the_file_without_its_comments(project: Project) -> None:
    """Why docs/deploy.md does not use it: `eb create --cfg` sends the file by itself."""
    path = project.folder / ".elasticbeanstalk" / "saved_configs" / "production.cfg.yml"
    before = path.read_text()
    done = project.eb("config", "put", "production")
    assert done.returncode == 0, done.stdout
    first, second = project.cloud.beanstalk.asked("ValidateConfigurationSettings")
    assert "TemplateSpecification" not in first
    assert second["TemplateSpecification"] == {"TemplateSource": {"PlatformArn": PLATFORM}}
    assert second["TemplateName"] == "production"
    stored = project.cloud.stored("resources/templates/fastier/production")
    assert stored is not None
    assert stored == path.read_bytes()
    assert yaml.safe_load(stored)["OptionSettings"] == yaml.safe_load(before)["OptionSettings"]
    assert "#+" in before
    assert "#" not in path.read_text()
