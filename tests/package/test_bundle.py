"""The archive that `python -m ebtools bundle` makes."""

import json
import os
import py_compile
import shutil
import stat
from pathlib import Path

import pytest

from ebtools.bundle import command, contents
from tests.package.repository import Repository, bundle, made

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_commit_gives_the_same_bytes(repository: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    assert bundle(repository.folder, "--output", str(tmp_path / "1.zip")) == 0
    repository.git("clone", "--quiet", str(repository.folder), str(clone))
    for path in clone.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert bundle(clone, "--output", str(tmp_path / "2.zip")) == 0
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_it_holds_the_named_files_and_nothing_else(repository: Repository) -> None:
    # Only whoever begins a new migration needs it.
    repository.put("migrations/script.py.mako", "${message}\n")
    repository.commit()
    with made(repository) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert names == [
        ".ebextensions/01-a.config",
        ".platform/hooks/predeploy/10_a.sh",
        "Procfile",
        "application.py",
        "fastier/__init__.py",
        "fastier/build.json",
        "gunicorn.conf.py",
        "migrations/env.py",
        "requirements.txt",
    ]


def test_its_modes_and_times_come_from_the_commit(repository: Repository) -> None:
    with made(repository) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 3, 4, 4, 6, 8)}
    hook = ".platform/hooks/predeploy/10_a.sh"
    assert modes.pop(hook) == stat.S_IFREG | 0o755
    assert set(modes.values()) == {stat.S_IFREG | 0o644}


def test_the_build_is_named_in_it(repository: Repository) -> None:
    repository.put("fastier/build.json", '{"version": "forged", "commit": "forged"}')
    commit = repository.commit()
    with made(repository) as archive:
        assert json.loads(archive.read("fastier/build.json")) == {"version": "1.2.3", "commit": commit}
        assert archive.namelist().count("fastier/build.json") == 1


def test_only_what_is_committed_is_in_it_and_a_warning_names_the_rest(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("application.py", "edited")
    repository.put("fastier/new.py", "")
    repository.put("notes.txt", "")
    with made(repository) as archive:
        assert archive.read("application.py") == b'"""Nothing yet."""\n'
        assert "fastier/new.py" not in archive.namelist()
    warning = capsys.readouterr().err
    assert warning.startswith(
        "Warning: the bundle is HEAD, without what is not committed: application.py, fastier/new.py"
    )
    assert "notes.txt" not in warning
    assert "\033" not in warning


def test_a_clean_work_tree_gives_no_warning(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    made(repository).close()
    assert capsys.readouterr().err == ""


def test_the_files_are_listed_with_their_sizes(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    made(repository).close()
    lines = capsys.readouterr().out.splitlines()
    assert "        19  application.py" in lines
    assert "9 files of" in lines[-2]
    assert lines[-1].endswith("dist/fastier.zip")


def test_a_program_can_read_what_was_written(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle(repository.folder, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == "1.2.3"
    assert report["uncommitted"] == []
    assert report["bytes"] == (repository.folder / "dist" / "fastier.zip").stat().st_size
    assert {"path": "application.py", "bytes": 19, "mode": "100644"} in report["files"]


def test_help_shows_examples_and_a_wrong_option_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as helped:
        bundle(tmp_path, "--help")
    assert helped.value.code == 0
    assert "python -m ebtools bundle --json" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        bundle(tmp_path, "--wrong")
    assert refused.value.code == 2


def test_the_configuration_of_the_eb_cli_names_this_archive() -> None:
    text = (ROOT / ".elasticbeanstalk" / "config.yml").read_text()
    assert f"artifact: {command.OUTPUT}" in text
    assert "sc: git" in text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """This project as its work tree is now, committed to a repository of its own."""
    folder = tmp_path_factory.mktemp("project")
    for name in (*contents.TOP_LEVEL, "pyproject.toml", "docs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "build.json"))
        else:
            shutil.copy(source, folder / name)
    repository = Repository(folder)
    repository.commit()
    return repository


def test_this_projects_bundle_unpacks_into_code_that_compiles(project: Repository, tmp_path: Path) -> None:
    with made(project) as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == set(contents.TOP_LEVEL)
        archive.extractall(tmp_path)
    sources = list(tmp_path.rglob("*.py"))
    assert len(sources) > 50
    for source in sources:
        py_compile.compile(str(source), cfile=str(tmp_path / "compiled"), doraise=True)


def test_this_projects_bundle_is_small_and_holds_no_rubbish(project: Repository) -> None:
    with made(project) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".pyc", "~", ".orig")) or "test" in name.split("/")]
    assert (project.folder / "dist" / "fastier.zip").stat().st_size < 5 * 1024 * 1024
