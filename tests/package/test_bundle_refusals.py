"""What is not deployed: a commit that lacks a part, leaks a secret, or would be something else on an instance."""

import shutil
import stat
from pathlib import Path

import pytest

from ebtools.bundle import contents
from ebtools.bundle.errors import BundleError
from tests.package.repository import Repository, bundle, made

# Assembled here, so that no scanner takes this file for a leak.
PRIVATE_KEY = "-----BEGIN " + "PRIVATE KEY-----"
AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"
TOKEN = "fst_" + "a1" * 21 + "b"


@pytest.mark.parametrize("name", contents.TOP_LEVEL)
def test_a_missing_part_is_refused(repository: Repository, capsys: pytest.CaptureFixture[str], name: str) -> None:
    target = repository.folder / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    repository.commit()
    assert bundle(repository.folder) == 1
    assert capsys.readouterr().err == f"No bundle: {name} is missing from HEAD; is it committed?\n"
    assert not (repository.folder / "dist").exists()


@pytest.mark.parametrize(
    ("path", "content", "fault"),
    [
        ("fastier/a.py", f"KEY = '''\n{PRIVATE_KEY}\n'''", "fastier/a.py:2 holds what looks like a private key"),
        ("fastier/a.py", f"KEY = '{AWS_KEY}'", "fastier/a.py:1 holds what looks like an AWS access key"),
        ("fastier/a.py", f"TOKEN = '{TOKEN}'", "fastier/a.py:1 holds what looks like a Fastier token"),
        (
            ".ebextensions/02-b.config",
            f"aws_secret_access_key: {'Ab1/' * 10}",
            ".ebextensions/02-b.config:1 holds what looks like an AWS secret key",
        ),
        ("fastier/.env", "A=1", "fastier/.env looks like a file of secrets by its name"),
        ("migrations/server.key", "", "migrations/server.key looks like a file of secrets by its name"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(
    repository: Repository, capsys: pytest.CaptureFixture[str], path: str, content: str, fault: str
) -> None:
    repository.put(path, content)
    repository.commit()
    assert bundle(repository.folder) == 1
    assert capsys.readouterr().err == f"No bundle: {fault}\n"


@pytest.mark.parametrize("content", ["fst_…", "fst_token", "AKIA" + "IOSFODNN7EXAMPLE", "BEGIN PUBLIC KEY"])
def test_what_only_resembles_a_secret_is_taken(repository: Repository, content: str) -> None:
    repository.put("fastier/a.py", content)
    repository.commit()
    made(repository).close()


@pytest.mark.parametrize("target", ["/etc/passwd", "../README.md", "../../outside", "missing.py"])
def test_a_link_out_of_the_bundle_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    (repository.folder / "fastier" / "link.py").symlink_to(target)
    repository.commit()
    assert bundle(repository.folder) == 1
    assert capsys.readouterr().err == f"No bundle: fastier/link.py is a link out of the bundle, to {target}\n"


def test_a_link_within_the_bundle_stays_a_link(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "fastier" / "link.py").symlink_to("../application.py")
    repository.commit()
    with made(repository) as archive:
        entry = archive.getinfo("fastier/link.py")
        assert stat.S_ISLNK(entry.external_attr >> 16)
        assert archive.read(entry) == b"../application.py"


def test_too_much_is_refused_and_the_largest_file_named(repository: Repository) -> None:
    repository.put("fastier/large.bin", "x" * 5000)
    repository.commit()
    with pytest.raises(BundleError, match=r"more than 4,000; the largest is fastier/large\.bin with 5,000"):
        contents.of_head(repository.folder, largest=4000)


def test_a_name_that_unzip_may_garble_is_refused(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.put("fastier/naïve.py", "")
    repository.commit()
    assert bundle(repository.folder) == 1
    assert "is not plain ASCII" in capsys.readouterr().err


def test_a_folder_without_git_or_without_a_commit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bundle(tmp_path) == 1
    assert capsys.readouterr().err.startswith("No bundle: git log failed: ")
    Repository(tmp_path)
    assert bundle(tmp_path) == 1
    assert capsys.readouterr().err.startswith("No bundle: git log failed: ")


def test_a_missing_git_is_named_with_the_line_that_installs_it(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert bundle(repository.folder) == 1
    assert capsys.readouterr().err == "No bundle: git is missing; install it, for example: apt-get install git\n"


def test_what_cannot_be_written_is_said_and_leaves_nothing(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.put("taken", "")
    assert bundle(repository.folder, "--output", str(repository.folder / "taken" / "a.zip")) == 1
    assert capsys.readouterr().err.startswith("No bundle: ")
    assert sorted(path.name for path in repository.folder.glob(".*.zip*")) == []
