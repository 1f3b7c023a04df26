"""`python -m ebtools preflight` as it is called: archives, exit codes and reports."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ebtools.__main__ import COMMANDS, main
from ebtools.preflight import command
from ebtools.preflight.report import Style
from tests.package.repository import Repository
from tests.preflight.bundles import CLEAN, EXTENSION

WRONG = "option_settings:\n  aws:elasticbeanstalk:command:\n    Timeout: ten\n"
CONFIG = (
    "deploy:\n  artifact: dist/site.zip\nglobal:\n  default_platform: Python 3.13 running on 64bit Amazon Linux 2023\n"
)


def archive(path: Path, changes: Mapping[str, str | bytes] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**CLEAN, **(changes or {})}.items():
            file.writestr(name, content)
    return path


def preflight(*arguments: object, root: Path | None = None) -> int:
    """With the rules of the platform alone, which need neither nginx nor packages for a bundle as small as these."""
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    return command.run(parser.parse_args(["preflight", *map(str, arguments)]), root or Path("missing"))


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """A work tree whose archive is named by its config.yml."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = Repository(folder)
    made.put(".elasticbeanstalk/config.yml", CONFIG)
    made.commit()
    return made


def test_a_fault_is_one_and_bad_usage_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight("--archive", archive(tmp_path / "wrong.zip", {EXTENSION: WRONG})) == 1
    assert f"{EXTENSION}:3: error options/number: " in capsys.readouterr().out
    assert preflight("--archive", tmp_path / "wrong.zip", "--allow-not-run", "options/nothing") == 2
    with pytest.raises(SystemExit) as stopped:
        preflight("--rules", "nobody")
    assert stopped.value.code == 2


def test_text_says_why_and_how_once_for_each_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = WRONG + "  aws:autoscaling:trigger:\n    Period: 999\n"
    preflight("--archive", archive(tmp_path / "wrong.zip", {EXTENSION: twice}))
    told = capsys.readouterr().out
    assert told.count("error options/number: ") == 2
    assert told.count("Take a number within the bounds named.") == 1
    assert "wrong.zip: 2 errors, 0 warnings" in told
    assert "\033[" not in told


def test_json_gives_all_that_text_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight("--archive", archive(tmp_path / "wrong.zip", {EXTENSION: WRONG}), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["is_clean"], report["errors"], report["archive"]) == (False, 1, "wrong.zip")
    (finding,) = report["findings"]
    assert finding == {
        "rule": "options/number",
        "severity": "error",
        "file": EXTENSION,
        "line": 3,
        "message": "aws:elasticbeanstalk:command Timeout: 'ten' is no whole number",
        "why": finding["why"],
        "mend": "Take a number within the bounds named.",
        "configurations": ["eb create"],
    }
    assert report["not_run"] == []
    assert list(report["rules_ran"]) == ["eb create"]


def test_sarif_names_rule_level_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "found.sarif"
    preflight("--archive", archive(tmp_path / "wrong.zip", {EXTENSION: WRONG}), "--sarif", path)
    document = json.loads(path.read_text())
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule[part]["text"] for rule in rules for part in ("shortDescription", "fullDescription", "help"))
    (result,) = run["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "options/number"
    assert result["level"] == rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == "error"
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == EXTENSION
    assert location["physicalLocation"]["region"] == {"startLine": 3}
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_missing_archive_is_one_line_with_the_command_that_writes_it(
    project: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preflight(root=project.folder) == 1
    assert capsys.readouterr().err == (
        "No preflight: dist/site.zip is missing; write it with: python -m ebtools bundle\n"
    )


def test_an_archive_older_than_head_is_refused(project: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    path = archive(project.folder / "dist" / "site.zip")
    os.utime(path, (0, 0))
    assert preflight(root=project.folder) == 1
    assert "dist/site.zip is older than HEAD; write it with" in capsys.readouterr().err


def test_an_archive_of_another_commit_is_refused_however_new(
    project: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    build = json.dumps({"commit": "0123456789abcdef" * 2 + "01234567", "version": "1"})
    archive(project.folder / "dist" / "site.zip", {"fastier/build.json": build})
    assert preflight("--rules", "platform", root=project.folder) == 1
    assert "dist/site.zip is of commit 0123456789ab, and HEAD is " in capsys.readouterr().err


def test_the_default_archive_is_checked_for_each_saved_configuration(
    project: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    project.put(
        ".elasticbeanstalk/saved_configs/large.cfg.yml", "OptionSettings:\n  aws:autoscaling:asg:\n    MaxSize: 0x9\n"
    )
    commit = project.commit()
    archive(project.folder / "dist" / "site.zip", {"fastier/build.json": json.dumps({"commit": commit})})
    assert preflight("--rules", "platform", "--json", root=project.folder) == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report["rules_ran"]) == ["eb create", "large"]
    found = {(one["rule"], one["file"], one["line"]): one["configurations"] for one in report["findings"]}
    assert found["options/yaml-turned", ".elasticbeanstalk/saved_configs/large.cfg.yml", 3] == ["large"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "config.yml cannot be read"),
        ("global: {}", "names no deploy.artifact"),
        ("", "names no deploy.artifact"),
    ],
)
def test_a_config_that_says_nothing_is_one_line(
    project: Repository, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    project.put(".elasticbeanstalk/config.yml", text)
    assert preflight(root=project.folder) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight("--list-rules", "--rules", "platform") == 0
    assert "yaml/tab " in capsys.readouterr().out
    assert preflight("--explain", "yaml/tab") == 0
    assert "Indent with blanks." in capsys.readouterr().out
    assert preflight("--explain", "yaml/tabs") == 2


def test_bundle_and_help_need_nothing_that_preflight_needs() -> None:
    """A machine with git and Python can make a bundle."""
    code = "import sys; from ebtools.__main__ import main\ntry: main([{!r}, '--help'])\nexcept SystemExit: pass\n"
    code += "assert not {{'yaml', 'cfnlint', 'sqlalchemy', 'flask'}} & set(sys.modules), sorted(sys.modules)"
    for word in ("bundle", "--help"):
        done = subprocess.run([sys.executable, "-c", code.format(word)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert all(re.search(rf"^ +{name}\b", told, re.MULTILINE) for name in COMMANDS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_and_for_those_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Style.of(Terminal()).has_colour
    assert not Style.of(io.StringIO()).has_colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Style.of(Terminal()).has_colour


def test_a_missing_library_is_one_line_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    for name in [name for name in sys.modules if name.startswith("ebtools.preflight")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["preflight"]) == 1
    assert capsys.readouterr().err == "yaml is missing; install it: python3 ebtools/bootstrap.py preflight\n"
