"""What the tests of the EB CLI share: itself, the services that it asks, and a copy of this project's package."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ebtools.bundle import contents
from tests.ebcli import beanstalk
from tests.ebcli.beanstalk import BUCKET, REGION, Beanstalk
from tests.ebcli.query import Models
from tests.package.repository import Repository, bundle
from tests.s3_endpoint.fixture import S3Endpoint, s3_endpoint

__all__ = ["s3_endpoint"]

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements-ebcli.txt"
INSTALLED = ROOT / ".local" / "ebcli"
INSTALL_SECONDS = 600
COMMAND_SECONDS = 60


@pytest.fixture(scope="session")
def eb_binary() -> Path:
    """The EB CLI in an environment of its own, made once for each state of its requirements."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home, done = INSTALLED / wanted, INSTALLED / wanted / "installed"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(home, ignore_errors=True)
            run = {"check": True, "timeout": INSTALL_SECONDS, "stdout": subprocess.DEVNULL}
            subprocess.run([sys.executable, "-m", "venv", home], **run)  # type: ignore[call-overload]
            line = [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*line, "--require-hashes", "-r", REQUIREMENTS], **run)  # type: ignore[call-overload]
            done.touch()
    return home / "bin" / "eb"


@dataclass(frozen=True)
class Cloud:
    """The services that the EB CLI asks, and the objects in their bucket."""

    beanstalk: Beanstalk
    url: str
    s3: S3Endpoint

    def stored(self, key: str) -> bytes | None:
        client = self.s3.client()
        try:
            return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError:
            return None
        finally:
            client.close()

    def uploads(self) -> list[str]:
        """The keys of all objects."""
        client = self.s3.client()
        try:
            return [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        finally:
            client.close()


@pytest.fixture(scope="session")
def models(eb_binary: Path) -> Models:
    (folder,) = eb_binary.parents[1].glob("lib/python3*/site-packages/ebcli/lib/botocoredata")
    return Models(folder)


@pytest.fixture
def cloud(models: Models, s3_endpoint: S3Endpoint) -> Iterator[Cloud]:
    client = s3_endpoint.client()
    client.create_bucket(Bucket=BUCKET)
    made = Beanstalk(models, lambda key: Cloud(made, "", s3_endpoint).stored(key))
    try:
        with beanstalk.serving(made) as url:
            yield Cloud(made, url, s3_endpoint)
    finally:
        for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])
        client.delete_bucket(Bucket=BUCKET)
        client.close()


@dataclass(frozen=True)
class Project:
    """A commit of this work tree's package in a folder of its own, and the EB CLI in that folder."""

    folder: Path
    home: Path
    eb_binary: Path
    cloud: Cloud
    repository: Repository

    @property
    def artifact(self) -> Path:
        return self.folder / "dist" / "fastier.zip"

    def bundle(self) -> str:
        """Write the artifact; its SHA-256."""
        with contextlib.redirect_stdout(None):
            assert bundle(self.folder) == 0
        return hashlib.sha256(self.artifact.read_bytes()).hexdigest()

    def eb(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What a person would type; without a terminal, so that nothing is asked."""
        environ = {**self.cloud.s3.environ, "AWS_ENDPOINT_URL": self.cloud.url, "AWS_DEFAULT_REGION": REGION}
        environ |= {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        line = [self.eb_binary, *arguments]
        return subprocess.run(
            line,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )


@pytest.fixture
def project(tmp_path: Path, eb_binary: Path, cloud: Cloud) -> Project:
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    repository = Repository(folder)
    for name in (*contents.TOP_LEVEL, ".gitignore", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    # What git has of this folder, and not what `eb init` left in it on this machine.
    (folder / ".elasticbeanstalk").mkdir()
    shutil.copy(ROOT / ".elasticbeanstalk" / "config.yml", folder / ".elasticbeanstalk")
    shutil.copytree(ROOT / ".elasticbeanstalk" / "saved_configs", folder / ".elasticbeanstalk" / "saved_configs")
    repository.commit()
    made = Project(folder, home, eb_binary, cloud, repository)
    done = made.eb("init", "fastier", "--region", REGION, "--platform", beanstalk.BRANCH)
    assert done.returncode == 0, done.stdout
    return made
