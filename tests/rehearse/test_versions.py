"""Versions for a rehearsal are made of the bundle itself, with a migration more, or with a fault."""

import json
import zipfile
from pathlib import Path

import pytest

from ebtools.bundle import archive, contents
from ebtools.rehearse.versions import FAULTS, Versions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    archive.write(contents.of_head(ROOT), path)
    return path


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_each_version_has_a_commit_and_a_migration_of_its_own_on_top_of_those_before(
    bundle: Path, tmp_path: Path
) -> None:
    versions = Versions(bundle, tmp_path)
    first, second, third = versions.next(), versions.next(), versions.next()
    assert files_of(first.archive).keys() == files_of(bundle).keys()
    added = sorted(files_of(third.archive).keys() - files_of(bundle).keys())
    assert added == ["migrations/versions/rehearsed_2.py", "migrations/versions/rehearsed_3.py"]
    assert b'down_revision = "rehearsed_2"' in files_of(third.archive)[added[1]]
    commits = [json.loads(files_of(one.archive)["fastier/build.json"])["commit"] for one in (first, second, third)]
    assert commits == [first.commit, second.commit, third.commit]
    assert len(set(commits)) == 3


def test_hooks_stay_executable(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(Versions(bundle, tmp_path).next(FAULTS["hook"]).archive) as opened:
        hooks = [info for info in opened.infolist() if "/hooks/" in info.filename]
        assert hooks
        assert all(info.external_attr >> 16 & 0o111 for info in hooks)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_changes_one_version_and_not_the_next(bundle: Path, tmp_path: Path, fault: str) -> None:
    versions = Versions(bundle, tmp_path)
    versions.next()
    sound = Versions(bundle, tmp_path / "sound")
    (tmp_path / "sound").mkdir()
    sound.next()
    assert files_of(versions.next(FAULTS[fault]).archive) != files_of(sound.next().archive)
    assert files_of(versions.next().archive) == files_of(sound.next().archive)


def test_a_bundle_of_somebody_elses_is_deployed_again_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.zip"
    with zipfile.ZipFile(theirs, "w") as opened:
        opened.writestr("application.py", "application = None\n")
    versions = Versions(theirs, tmp_path)
    assert files_of(versions.next().archive) == files_of(versions.next().archive) == files_of(theirs)
